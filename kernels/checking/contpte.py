"""The oracle of arm64's contiguous blocks: fork and munmap of the callers' oracle, and what they fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kernels.checking.callers import ACCESSED, DIRTY, RW, Callers, Entry

CONT = 1 << 52
BLOCK = 16
HINTS = ACCESSED | DIRTY  # in which the PTEs of a contiguous block may differ


def contpte_fork(state: Callers, batched: bool) -> None:
    """As fork; a block stays if one batch covers it, or if it was read-only; the child's are made anyway."""
    slot = state.begin
    while slot < state.slots:
        nr = 1
        if slot in state.ptes:
            nr = state.batch(slot, state.fork_ignores) if batched else 1
            _fork(state, slot, nr)
        slot += nr


def contpte_munmap(state: Callers, batched: bool) -> None:
    """As zap; blocks that lost some of their PTEs are contiguous no more."""
    state.zap(batched)
    for slot in [*state.ptes]:
        if not _whole(state.ptes, slot // BLOCK * BLOCK):
            _mark(state.ptes, (slot,), False)


def _fork(state: Callers, slot: int, nr: int) -> None:
    writable = any(state.ptes[slot + i].bits & RW for i in range(nr))
    assert state.dup(slot, nr)
    _mark(state.child, range(slot, slot + nr), False)
    for first in range(slot // BLOCK * BLOCK, slot + nr, BLOCK):
        covered = slot <= first and first + BLOCK <= slot + nr
        if writable and not covered:
            _mark(state.ptes, (at for at in range(first, first + BLOCK) if at in state.ptes), False)
        if covered and state.child[first].page % BLOCK == 0:
            _mark(state.child, range(first, first + BLOCK), True)
    if nr == 1 and slot % BLOCK == BLOCK - 1:
        _fold(state, slot - slot % BLOCK)


def _fold(state: Callers, first: int) -> None:
    """The last PTE of a block was set by itself: it becomes contiguous if all are alike."""
    if not _whole(state.child, first) or state.child[first].page % BLOCK:
        return
    ptes = [state.child[first + i] for i in range(BLOCK)]
    alike = {(entry.page - i, entry.bits & ~HINTS) for i, entry in enumerate(ptes)}
    folios = {state.folio_at(entry.page)[0] for entry in ptes}
    if len(alike) == len(folios) == 1:
        seen = {bit for bit in (ACCESSED, DIRTY) for entry in ptes if entry.bits & bit}
        for i, entry in enumerate(ptes):
            state.child[first + i] = replace(entry, bits=entry.bits | sum(seen))
        _mark(state.child, range(first, first + BLOCK), True)


def _whole(table: dict[int, Entry], first: int) -> bool:
    """Are all PTEs of the block present?"""
    return all(first + i in table for i in range(BLOCK))


def _mark(table: dict[int, Entry], slots: Iterable[int], contiguous: bool) -> None:
    """Set or clear the contiguous bit."""
    for slot in [*slots]:
        bits = table[slot].bits
        table[slot] = replace(table[slot], bits=bits | CONT if contiguous else bits & ~CONT)
