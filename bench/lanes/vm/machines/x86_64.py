"""x86-64: QEMU's plain PC."""

from __future__ import annotations

from bench.lanes.vm.machines.machine import Machine

X86_64 = Machine(
    name="x86_64",
    qemu="qemu-system-x86_64",
    package="qemu-system-x86",
    board=("-machine", "pc"),
    # Without erms the kernel clears and copies pages by words. By bytes, each of which counts as an
    # instruction, a cleared page costs 4,096 and drowns everything else.
    tcg_cpu="max,erms=off",
    append=(),
    console="ttyS0",
    elf=62,
    debian="amd64",
    triplet="x86_64-linux-gnu",
    boots_elf=True,
    probes_kvm=True,
)
