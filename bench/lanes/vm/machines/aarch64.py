"""aarch64: QEMU's virtual board, with a CPU that servers have."""

from __future__ import annotations

from bench.lanes.vm.machines.machine import Machine

AARCH64 = Machine(
    name="aarch64",
    qemu="qemu-system-aarch64",
    package="qemu-system-arm",
    board=("-machine", "virt"),
    # What it has does not change with QEMU's version, as what max has does: with MOPS, say, a page would be
    # cleared by a few instructions, and here it is by 64 `dc zva`. LSE atomics are in it; pointer
    # authentication, which is slow to play, is not.
    tcg_cpu="neoverse-n1",
    # Guests run more than twice as fast, and as on CPUs with E0PD, which need no other page tables for
    # programs; per page of fork and munmap it is the same.
    append=("kpti=off",),
    console="ttyAMA0",
    elf=183,
    debian="arm64",
    triplet="aarch64-linux-gnu",
    boots_elf=False,
    probes_kvm=False,
)
