"""Machine: what the lane must know about an architecture to boot a guest of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One architecture, as QEMU, the kernel and the distribution call it."""

    name: str  # as uname -m says
    qemu: str  # the program
    package: str  # that has it
    arguments: tuple[str, ...]  # board and CPU model under TCG
    console: str  # of the guest's first serial port
    elf_machine: int  # e_machine of its programs, see elf.h
    debian: str  # name of the architecture in Debian
