"""A folio and a vma as the oracle knows them: Python objects, with the owner tracking of spec 6.12."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernels.checking.operations import FolioSpec, Operation, VmaSpec
from kernels.memmap import FolioState
from kernels.mm_types import GUP_PIN_COUNTING_BIAS, PAGE_MAPPING_ANON, PAGE_TYPE_HUGETLB, Layout


@dataclass(frozen=True)
class Vma:
    """A vma where it lies: addresses of its anon_vma and of that one's root."""

    spec: VmaSpec
    anon_vma: int
    root: int

    def index(self, op: Operation) -> int:
        """Page offset of the operation's first page."""
        return (self.spec.start + op.offset()) >> 12


@dataclass
class Folio:
    """A folio as spec section 2 describes it, in the state after allocation."""

    spec: FolioSpec
    layout: Layout
    mapcounts: list[int] = field(init=False)
    anon_exclusive: list[bool] = field(init=False)
    refcount: int = 1
    pincount: int = 0
    mapping: int = 0
    index: int = 0
    swapbacked: bool = False
    swapcache: bool = False
    entire: int = -1
    large: int = -1
    nr_mapped: int = 0
    ids: list[int] = field(default_factory=lambda: [0, 0])
    counts: list[int] = field(default_factory=lambda: [-1, -1])
    shared: bool = False
    partially_mapped: bool = False
    deferred: bool = False
    restore_reserve: bool = True  # hugetlb only

    def __post_init__(self) -> None:
        self.mapcounts = [-1] * self.spec.nr_pages
        self.anon_exclusive = [False] * self.spec.nr_pages
        if self.spec.hugetlb and self.layout.hugetlb_flag < 0:
            self.mapcounts[0] = PAGE_TYPE_HUGETLB << 24

    @property
    def anon(self) -> bool:
        """Is it anonymous now?"""
        return self.mapping & PAGE_MAPPING_ANON != 0

    @property
    def maybe_pinned(self) -> bool:
        """May somebody hold a pin (spec 5.2)?"""
        if self.spec.order > 0:
            return self.pincount > 0
        return self.refcount & 0xFFFF_FFFF >= GUP_PIN_COUNTING_BIAS

    def owner_add(self, k: int, mm: int) -> int:
        """OWNER-ADD of spec 6.12, or _large_mapcount alone; the new number of mappings."""
        self.large += k
        slots = self.layout.mm_ids >= 0
        if slots and mm in self.ids:
            self.counts[self.ids.index(mm)] += k
        elif slots and 0 in self.ids:
            slot = self.ids.index(0)
            self.ids[slot], self.counts[slot] = mm, k - 1
            self.shared = self.shared or slot == 1 or self.large != k - 1
        return self.large + 1

    def owner_sub(self, k: int, mm: int) -> int:
        """OWNER-SUB of spec 6.12, or _large_mapcount alone; the new number of mappings."""
        self.large -= k
        if self.layout.mm_ids < 0:
            return self.large + 1
        if mm in self.ids:
            slot = self.ids.index(mm)
            self.counts[slot] -= k
            if self.counts[slot] >= 0:
                return self.large + 1
            self.ids[slot], self.counts[slot] = 0, -1
        if self.large in self.counts:
            self.shared = False
        return self.large + 1

    def state(self) -> FolioState:
        """What Memmap.read must find."""
        layout, large = self.layout, self.spec.order > 0
        owned = large and layout.mm_ids >= 0
        return FolioState(
            mapcounts=tuple(self.mapcounts),
            anon_exclusive=tuple(self.anon_exclusive),
            refcount=self.refcount,
            mapping=self.mapping,
            index=self.index,
            swapbacked=self.swapbacked,
            entire_mapcount=self.entire if large else None,
            large_mapcount=self.large if large and layout.large_mapcount >= 0 else None,
            nr_pages_mapped=self.nr_mapped if large and layout.nr_pages_mapped >= 0 else None,
            slots=tuple(zip(self.ids, self.counts)) if owned else None,
            maybe_shared=self.shared if owned else None,
            locked=False if owned else None,
            partially_mapped=self.partially_mapped if large and layout.partially_mapped >= 0 else None,
            deferred=self.deferred if self.spec.order >= 2 else None,
        )
