"""Machine: what the lane must know about an architecture to boot a guest of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One architecture, as the kernel, QEMU and the distribution call it."""

    name: str  # as uname -m says
    qemu: str  # the program
    package: str  # that has it
    board: tuple[str, ...]  # QEMU's arguments whatever the accelerator
    tcg_cpu: str  # the CPU model that TCG plays
    console: str  # the guest's name of the first serial port
    elf: int  # e_machine of its programs (elf.h)
