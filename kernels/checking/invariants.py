"""The invariants of spec section 7, each a check of its own on what is in memory at rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kernels.checking.bookkeeping import Mappings
from kernels.memmap import FolioState
from kernels.mm_types import ENTIRELY_MAPPED, FOLIO_PAGES_MAPPED, HPAGE_PMD_ORDER, Layout


@dataclass(frozen=True)
class Seen:
    """A folio as found in memory, and who maps it according to the page tables."""

    layout: Layout
    state: FolioState
    mappings: Mappings
    pins: int = 0
    references_beside: int = 1  # the allocation's own, or the page cache's

    @property
    def entire(self) -> int:
        """Mappings of the whole folio."""
        return (self.state.entire_mapcount or 0) + 1 if self.mappings.spec.order else 0

    @property
    def page_counts(self) -> list[int]:
        """Mappings of each page: stored ones, or the page tables' if the generation stores none."""
        if self.mappings.spec.hugetlb or (self.mappings.spec.order and not self.layout.page_mapcount):
            return self.mappings.counts()
        return [count + 1 for count in self.state.mapcounts]

    @property
    def large(self) -> bool:
        """Large and not hugetlb."""
        return self.mappings.spec.order > 0 and not self.mappings.spec.hugetlb

    @property
    def mapped_pages(self) -> int:
        """What the folio contributes to NR_*_MAPPED (I3, I3', I9)."""
        npages = self.mappings.spec.nr_pages
        if self.mappings.spec.hugetlb:
            return 0
        if self.large and not self.layout.page_mapcount:
            return npages if self.mappings.total() else 0
        return npages if self.entire else sum(count > 0 for count in self.page_counts)


def _i1(seen: Seen) -> bool:
    npm = seen.state.nr_pages_mapped
    if npm is None or not seen.large:
        return True
    pages = sum(count > 0 for count in seen.page_counts)
    return npm & FOLIO_PAGES_MAPPED == pages and (npm >= ENTIRELY_MAPPED) == (seen.entire > 0)


def _i2(seen: Seen) -> bool:
    if seen.state.large_mapcount is None or not seen.large:
        return True
    return seen.state.large_mapcount + 1 == seen.entire + sum(seen.page_counts)


def _i5(seen: Seen) -> bool:
    per_pin = 1 if seen.mappings.spec.order else 1024
    return seen.state.refcount == seen.references_beside + seen.mappings.total() + per_pin * seen.pins


def _i6(seen: Seen) -> bool:
    counts = seen.page_counts
    exclusive = [page for page, bit in enumerate(seen.state.anon_exclusive) if bit]
    pages_alone = all(counts[page] == 1 and not seen.entire for page in exclusive if counts[page])
    if seen.entire and 0 in exclusive and not counts[0]:
        return pages_alone and seen.entire == 1 and not any(counts)
    return pages_alone  # an unmapped page's bit is stale and means nothing


def _i7(seen: Seen) -> bool:
    slots, total = seen.state.slots, seen.state.large_mapcount
    if slots is None or total is None or not seen.large:
        return True
    free_is_free = all((mm_id == 0) == (count == -1) for mm_id, count in slots)
    distinct = slots[0][0] != slots[1][0] or slots[0][0] == 0
    return free_is_free and distinct and sum(count + 1 for _, count in slots) <= total + 1


def _i8(seen: Seen) -> bool:
    slots, total = seen.state.slots, seen.state.large_mapcount
    if slots is None or total is None or not seen.large:
        return True
    if total == -1:
        return not seen.state.maybe_shared
    return bool(seen.state.maybe_shared) or sum(count == total for _, count in slots) == 1


def _i10(seen: Seen) -> bool:
    if not seen.mappings.spec.hugetlb or seen.state.large_mapcount is None:
        return True
    return seen.state.large_mapcount == seen.state.entire_mapcount


def _i11(seen: Seen) -> bool:
    if seen.mappings.total():
        return True
    state = seen.state
    pages = seen.mappings.spec.hugetlb or set(state.mapcounts) == {-1}
    counters = state.entire_mapcount in (None, -1) and state.large_mapcount in (None, -1)
    slots = state.slots in (None, ((0, -1), (0, -1))) and not state.maybe_shared and not state.locked
    return pages and counters and slots and state.nr_pages_mapped in (None, 0)


def _page_tables(seen: Seen) -> bool:
    if seen.mappings.spec.order and seen.entire != len(seen.mappings.whole):
        return False
    return seen.page_counts == seen.mappings.counts()


# Name -> what must hold, and the check.
OF_FOLIO: dict[str, tuple[str, Callable[[Seen], bool]]] = {
    "I1": ("_nr_pages_mapped counts mapped pages and tells of an entire mapping", _i1),
    "I2": ("_large_mapcount is the sum of all mappings", _i2),
    "I5": ("the references are those of mappings, pins and the owner", _i5),
    "I6": ("an exclusive page has exactly one mapping", _i6),
    "I7": ("slots are free or owned and count no more than there is", _i7),
    "I8": ("a folio not marked shared has one owner of all mappings, or none", _i8),
    "I10": ("of hugetlb folios _large_mapcount is _entire_mapcount", _i10),
    "I11": ("all is as after allocation when nothing is mapped", _i11),
    "page tables": ("the counters agree with the page tables", _page_tables),
}


def violated(seen: Seen) -> list[str]:
    """The invariants of one folio that do not hold: name and what it says."""
    return [f"{name}: {says}" for name, (says, holds) in OF_FOLIO.items() if not holds(seen)]


def violated_by_statistics(folios: Sequence[Seen], stats: Mapping[str, int]) -> list[str]:
    """I3, I3', I4 and I9: the counters are what the folios contribute."""
    found = []
    for name, due in contributions(folios).items():
        if stats.get(name, 0) != due:
            found.append(f"I3, I4, I9: {name} is {stats.get(name, 0)}, the folios contribute {due}")
    return found


def contributions(folios: Sequence[Seen]) -> dict[str, int]:
    """What each counter must be with these folios mapped as they are."""
    due = dict.fromkeys(
        ("NR_ANON_MAPPED", "NR_FILE_MAPPED", "NR_ANON_THPS", "NR_SHMEM_PMDMAPPED", "NR_FILE_PMDMAPPED"), 0
    )
    for seen in folios:
        spec = seen.mappings.spec
        if spec.hugetlb:
            continue
        due["NR_ANON_MAPPED" if spec.anon else "NR_FILE_MAPPED"] += seen.mapped_pages
        if spec.order == HPAGE_PMD_ORDER and seen.entire:
            pmd = {"anon": "NR_ANON_THPS", "shmem": "NR_SHMEM_PMDMAPPED", "file": "NR_FILE_PMDMAPPED"}
            due[pmd[spec.kind]] += spec.nr_pages
    return due
