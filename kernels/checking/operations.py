"""What checks do to folios: calls in the words of the case names, on folios and vmas that have names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from kernels.mm_types import RMAP_EXCLUSIVE, VM_DROPPABLE, VM_LOCKED

FOLIO_SPAN = 0x40_0000  # folio i is mapped this much times i after the start of every vma


@dataclass(frozen=True)
class FolioSpec:
    """A folio to begin with. `fresh`: an anonymous one that belongs to no anon_vma yet."""

    kind: str  # anon, file, shmem, hugetlb_anon, hugetlb_file
    order: int
    fresh: bool = False

    @property
    def nr_pages(self) -> int:
        """Base pages in the folio."""
        return 1 << self.order

    @property
    def anon(self) -> bool:
        """Is it anonymous, or meant to be?"""
        return self.kind.endswith("anon")

    @property
    def hugetlb(self) -> bool:
        """Is it a hugetlb folio?"""
        return self.kind.startswith("hugetlb")


@dataclass(frozen=True)
class VmaSpec:
    """A vma to map folios in; `pinned`: its mm has pinned pages before."""

    name: str
    mm_id: int
    cpu: int = 0
    flags: int = 0
    pinned: bool = False
    start: int = 0x7F00_0000_0000


VMAS = (
    VmaSpec("A", mm_id=11, pinned=True),
    VmaSpec("B", mm_id=0x7FFF_FFFF, cpu=1),  # the highest id there is
    VmaSpec("C", mm_id=33, start=0x5500_0000_0000, pinned=True),
    VmaSpec("A2", mm_id=11, cpu=1, start=0x6600_0000_0000, pinned=True),
    VmaSpec("locked", mm_id=44, flags=VM_LOCKED),
    VmaSpec("special", mm_id=55, cpu=1, flags=VM_LOCKED | 0x400),  # VM_PFNMAP, of VM_SPECIAL
    VmaSpec("droppable", mm_id=66, flags=VM_DROPPABLE),
)


@dataclass(frozen=True)
class Operation:
    """One call on pages [first, first + nr) of a folio; or one of OUTSIDE_CALLS, what others do to it."""

    call: str
    path: str
    folio: int = 0
    first: int = 0
    nr: int = 1
    vma: str = "A"  # the one that maps or unmaps; of a dup: the destination
    src: str = "A"
    flags: int = 0

    @property
    def pages(self) -> range:
        """Indices of the pages in the batch."""
        return range(self.first, self.first + self.nr)

    @property
    def exclusive(self) -> bool:
        """Is RMAP_EXCLUSIVE given?"""
        return self.flags & RMAP_EXCLUSIVE != 0

    def offset(self) -> int:
        """Bytes from the start of the vma to where the first page of the batch is mapped."""
        return self.folio * FOLIO_SPAN + (self.first << 12)

    def one_by_one(self) -> Iterator[Operation]:
        """The same for each page of a batch by the path for one page."""
        return (dataclasses.replace(self, path="pte", first=page, nr=1) for page in self.pages)


OUTSIDE_CALLS = ("pin", "unpin", "swapcache", "reference")


def op(
    call: str, path: str = "ptes", first: int = 0, nr: int = 1, vma: str = "A", **more: object
) -> Operation:
    """Shorthand for scenarios: op("remove", "ptes", 4, 3, "B")."""
    return Operation(call, path, first=first, nr=nr, vma=vma, **more)  # type: ignore[arg-type]
