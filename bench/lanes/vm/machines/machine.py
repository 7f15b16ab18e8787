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
    append: tuple[str, ...]  # words on the kernel's command line
    console: str  # the guest's name of the first serial port
    elf: int  # e_machine of its programs (elf.h)
    debian: str  # as dpkg --print-architecture says
    triplet: str  # the directory of its libraries below lib/
    boots_elf: bool  # does QEMU take a vmlinux for a kernel?
    probes_kvm: bool  # is there a way to see whether KVM works? See kvm.py

    def hardware(self, tcg: bool) -> tuple[str, ...]:
        """QEMU's arguments for board and CPU."""
        return *self.board, "-cpu", self.tcg_cpu if tcg else "host"
