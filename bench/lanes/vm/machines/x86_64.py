"""x86-64: a PC of QEMU's default kind with every feature that TCG offers."""

from __future__ import annotations

from bench.lanes.vm.machines.machine import Machine

MACHINE = Machine(
    name="x86_64",
    qemu="qemu-system-x86_64",
    package="qemu-system-x86",
    arguments=("-machine", "pc", "-cpu", "max"),
    console="ttyS0",
    elf_machine=62,
    debian="amd64",
)
