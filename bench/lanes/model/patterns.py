"""What is mapped where before a scenario begins: folios in a window, and a PTE for each mapped page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from kernels.mm_types import VM_SOFTDIRTY

# PTE bits, as in kernels.pgtable, which is not imported here: it needs numba.
WRITABLE, ACCESSED, DIRTY, SOFT_DIRTY = 0x2, 0x20, 0x40, 0x800
# Name -> what it is; the bit that every second PTE lacks, if that is what it is about.
PATTERNS = {
    "full": "folios mapped whole, all PTEs alike",
    "partial": "one page of each folio missing: runs of 1, 2, ... pages that end before the folio does",
    "mixed": "folios of this order and of every smaller one side by side",
    "unaligned": "a range that begins in the middle of a folio, so that tables cut folios in two",
    "dirty": "every second PTE is clean: compared by fork, ignored by zap",
    "young": "every second PTE was not used: ignored by both",
    "soft_dirty": "every second PTE is not soft-dirty, and the vma tracks that: compared by fork",
}
LACKED = {"dirty": DIRTY, "young": ACCESSED, "soft_dirty": SOFT_DIRTY}
CONT_PTES = 16  # of arm64's contiguous blocks
SMALL_RUN = 8  # pages in a row of order 0 at most in the partial pattern


@dataclass(frozen=True)
class Pte:
    """One mapped page; `lacks`: bits to leave out of what its neighbours have."""

    slot: int
    page: int
    lacks: int = 0


@dataclass(frozen=True)
class Run:
    """Consecutive pages of one folio in consecutive PTEs of one table."""

    folio: int  # index of its head page
    page: int
    slot: int
    nr: int

    def followed_by(self, pte: Pte) -> bool:
        """Is it the next page in the next PTE?"""
        return pte.page == self.page + self.nr and pte.slot == self.slot + self.nr


@dataclass(frozen=True)
class Picture:
    """A window before the scenario: folios as (head page, order), PTEs, and flags that the vma needs."""

    npages: int
    folios: tuple[tuple[int, int], ...]
    ptes: tuple[Pte, ...]
    slots: int  # where the range ends that the scenario is about
    vm_flags: int = 0
    lacked: int = 0  # what every second PTE lacks
    begin: int = 0  # where the range begins; what lies around it stays as it is

    @property
    def walked(self) -> int:
        """Mapped pages in the range."""
        return sum(self.begin <= pte.slot < self.slots for pte in self.ptes)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The mapped pages in as few pieces as can be, whatever their bits."""
        return tuple(self._runs())

    def _runs(self) -> Iterator[Run]:
        head = {page: first for first, order in self.folios for page in range(first, first + (1 << order))}
        run: Run | None = None
        for pte in self.ptes:
            if run and pte.slot % 512 and run.followed_by(pte) and head[pte.page] == run.folio:
                run = Run(run.folio, run.page, run.slot, run.nr + 1)
                continue
            if run:
                yield run
            run = Run(head[pte.page], pte.page, pte.slot, 1)
        if run:
            yield run


@cache
def picture(pattern: str, order: int, npages: int, kind: str = "anon", cuts: bool = False) -> Picture:
    """The picture of a pattern over `npages` pages, which are a multiple of the folio's.

    `cuts`: unaligned is a range that begins and ends in the middle of a block of 16, all around it mapped.
    """
    folios = tuple(_mixed(order, npages, kind) if pattern == "mixed" else _alike(order, npages))
    slots, skipped, begin = npages, 0, 0
    if pattern == "unaligned" and cuts:
        begin = min(CONT_PTES, 1 << order) >> 1
        slots -= begin + 1 >> 1
    elif pattern == "unaligned":
        skipped = 1 << order >> 1
        slots -= skipped
    holes = set(_holes(order, npages)) if pattern == "partial" else set()
    lacked = LACKED.get(pattern, 0)
    ptes = tuple(
        Pte(slot, slot + skipped, lacked if slot % 2 else 0)
        for slot in range(npages - skipped)
        if slot not in holes
    )
    return Picture(npages, folios, ptes, slots, VM_SOFTDIRTY if pattern == "soft_dirty" else 0, lacked, begin)


def _alike(order: int, npages: int) -> Iterator[tuple[int, int]]:
    return ((first, order) for first in range(0, npages, 1 << order))


def _mixed(order: int, npages: int, kind: str) -> Iterator[tuple[int, int]]:
    """One folio of the order, then as many pages in folios of each smaller order, the last twice."""
    for first in range(0, npages, 2 << order):
        yield first, order
        at = first + (1 << order)
        for smaller in [*range(order - 1, -1, -1), 0] if order else [0]:
            pieces = 2 if smaller == 1 and kind == "anon" else 1  # there is no anonymous order 1
            for piece in range(pieces):
                yield at + piece, smaller if pieces == 1 else 0
            at += 1 << smaller


def cycle(order: int) -> int:
    """Pages of the partial pattern until each run of 1, 2, ... 2^order - 1 pages was there once."""
    return 1 << max(0, 2 * order - 1)


def _holes(order: int, npages: int) -> Iterator[int]:
    """The page that a folio lacks, between two runs or before one; half a folio is the mean run.

    A hot window has a whole cycle up to order 5, above that some of it: folios next to each other lack pages
    far from each other.
    """
    if order == 0:
        yield from _holes_of_small(npages)
        return
    half = 1 << order >> 1
    step = half * 5 // 8 | 1
    for number, first in enumerate(range(0, npages, 2 * half)):
        yield first + (number + 1) * step % half


def _holes_of_small(npages: int) -> Iterator[int]:
    """After 1, 2, ... SMALL_RUN folios of order 0, again and again."""
    at, length = 0, 1
    while (at := at + length) < npages:
        yield at
        at += 1
        length = length % SMALL_RUN + 1
