"""The oracle: what each call must do, in slow plain Python from the specification's sections 4-7.

It knows folios as Python objects, not as memory, and nothing of the variants' sources: which counters
exist comes from a variant's LAYOUT, what its generation does differently from RULES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from kernels.checking.model import Folio, Vma
from kernels.checking.operations import Operation
from kernels.checking.rules import RULES
from kernels.mm_types import (
    EBUSY,
    ENTIRELY_MAPPED,
    FOLIO_PAGES_MAPPED,
    HPAGE_PMD_ORDER,
    PAGE_MAPPING_ANON,
    VM_DROPPABLE,
    VM_LOCKED,
    VM_SPECIAL,
    Layout,
)


class Oracle:
    """Folios, vmas and statistics; `apply` makes one call and answers what it must return."""

    def __init__(
        self, layout: Layout, generation: str, folios: Sequence[Folio], vmas: Mapping[str, Vma]
    ) -> None:
        self.layout, self.rules = layout, RULES[generation]
        self.folios, self.vmas = folios, vmas
        self.stats: Counter[str] = Counter()  # by name; mthp/4: new folios of order 4
        self.memcg: Counter[str] = Counter()
        self.splits_wanted = 0  # how often the condition of spec 4.2 held before the already-queued test
        self._calls: dict[str, Callable[[Folio, Operation, Vma], int | None]] = {
            "add_new_anon": self._add_new_anon,
            "add_anon": self._add_anon,
            "try_dup_anon": self._try_dup_anon,
            "try_share_anon": self._try_share_anon,
            "add_file": self._add_file,
            "dup_file": self._dup_file,
            "remove": self._remove,
            "move_anon": self._move_anon,
            "hugetlb_add_new_anon": self._hugetlb_add_new_anon,
            "hugetlb_add_anon": self._hugetlb_add_anon,
            "hugetlb_try_dup_anon": self._hugetlb_try_dup_anon,
            "hugetlb_try_share_anon": self._try_share_anon,
            "hugetlb_add_file": self._hugetlb_add_file,
            "hugetlb_remove": self._hugetlb_remove,
        }

    def apply(self, op: Operation) -> int:
        """Make the call; 0 or -EBUSY."""
        return self._calls[op.call](self.folios[op.folio], op, self.vmas[op.vma]) or 0

    # Statistics (spec 4.1)

    def _count(self, item: str, nr: int, memcg: bool = True) -> None:
        self.stats[item] += nr
        self.memcg[item] += nr if memcg else 0

    def _count_mapped(self, folio: Folio, nr: int, nr_pmdmapped: int, anon: bool) -> None:
        self._count("NR_ANON_MAPPED" if anon else "NR_FILE_MAPPED", nr)
        if anon:
            self._count("NR_ANON_THPS", nr_pmdmapped)
        else:
            item = "NR_SHMEM_PMDMAPPED" if folio.swapbacked else "NR_FILE_PMDMAPPED"
            self._count(item, nr_pmdmapped, self.rules.memcg_pmdmapped)

    def _mlock(self, folio: Folio, op: Operation, vma: Vma) -> None:
        whole = op.path == "pmd" or op.nr == folio.spec.nr_pages
        if folio.spec.order == 0 or (self.rules.mlocks_large and whole):
            self.stats["mlocked"] += vma.spec.flags & (VM_LOCKED | VM_SPECIAL) == VM_LOCKED

    # Adding (spec 6.1, 6.5, 6.6, 6.9)

    def _add_core(self, folio: Folio, op: Operation, vma: Vma) -> tuple[int, int]:
        """Pages newly mapped and newly PMD-mapped."""
        if op.path == "pmd":
            return self._add_pmd(folio, vma)
        first = self._raise_mapcounts(folio, op.pages)
        if folio.spec.order == 0:
            return first, 0
        folio.nr_mapped += first
        mapped = folio.owner_add(op.nr, vma.spec.mm_id)
        if not self.layout.page_mapcount:
            return (folio.spec.nr_pages if mapped == op.nr else 0), 0
        return (first if folio.nr_mapped < ENTIRELY_MAPPED else 0), 0

    def _raise_mapcounts(self, folio: Folio, pages: range) -> int:
        """One more mapping of each page; how many have their first."""
        if folio.spec.order > 0 and not self.layout.page_mapcount:
            return 0
        for page in pages:
            folio.mapcounts[page] += 1
        return sum(folio.mapcounts[page] == 0 for page in pages)

    def _add_pmd(self, folio: Folio, vma: Vma) -> tuple[int, int]:
        npages = folio.spec.nr_pages
        folio.entire += 1
        first = folio.entire == 0
        mapped = folio.owner_add(1, vma.spec.mm_id)
        if not self.layout.page_mapcount:
            return (npages if mapped == 1 else 0), (npages if first else 0)
        if not first:
            return 0, 0
        folio.nr_mapped += ENTIRELY_MAPPED
        return max(0, npages - (folio.nr_mapped & FOLIO_PAGES_MAPPED)), npages

    def _add_file(self, folio: Folio, op: Operation, vma: Vma) -> None:
        self._count_mapped(folio, *self._add_core(folio, op, vma), anon=False)
        self._mlock(folio, op, vma)

    def _add_anon(self, folio: Folio, op: Operation, vma: Vma) -> None:
        self._count_mapped(folio, *self._add_core(folio, op, vma), anon=True)
        if self.rules.adopts and not folio.anon:
            self._set_anon(folio, op, vma)
        if op.exclusive:
            for page in range(1) if op.path == "pmd" else op.pages:
                folio.anon_exclusive[page] = True
        self._mlock(folio, op, vma)

    def _set_anon(self, folio: Folio, op: Operation, vma: Vma, exclusive: bool | None = None) -> None:
        own = op.exclusive if exclusive is None else exclusive
        folio.mapping = (vma.anon_vma if own else vma.root) + PAGE_MAPPING_ANON
        folio.index = vma.index(op)

    def _add_new_anon(self, folio: Folio, op: Operation, vma: Vma) -> None:
        npages, by_pmd = folio.spec.nr_pages, folio.spec.order >= HPAGE_PMD_ORDER
        exclusive = op.exclusive or not self.rules.new_flags
        if not (self.rules.new_flags and vma.spec.flags & VM_DROPPABLE):
            folio.swapbacked = True
        self._set_anon(folio, op, vma, exclusive)
        if exclusive:
            folio.anon_exclusive[: 1 if by_pmd else npages] = [True] * (1 if by_pmd else npages)
        if folio.spec.order == 0 or (self.layout.page_mapcount and not by_pmd):
            folio.mapcounts[:] = [0] * npages
        if folio.spec.order > 0:
            self._own_new_anon(folio, vma, by_pmd)
        self._count_mapped(folio, npages, npages if by_pmd else 0, anon=True)

    def _own_new_anon(self, folio: Folio, vma: Vma, by_pmd: bool) -> None:
        folio.entire = 0 if by_pmd else -1
        folio.large = 0 if by_pmd else folio.spec.nr_pages - 1
        folio.nr_mapped = ENTIRELY_MAPPED if by_pmd else folio.spec.nr_pages
        if self.layout.mm_ids >= 0:
            folio.ids[0], folio.counts[0] = vma.spec.mm_id, folio.large
        if self.rules.mthp_stat:
            self.stats[f"mthp/{folio.spec.order}"] += 1

    # Duplicating and sharing (spec 6.2, 6.7, 6.8, 6.10)

    def _dup_file(self, folio: Folio, op: Operation, vma: Vma) -> None:
        if op.path == "pmd" and self.rules.dups_file_pmd_as_pmd:
            folio.entire += 1
            folio.owner_add(1, vma.spec.mm_id)
        else:
            pages = range(folio.spec.nr_pages) if op.path == "pmd" else op.pages
            self._dup_ptes(folio, pages, vma)

    def _dup_ptes(self, folio: Folio, pages: range, vma: Vma) -> None:
        self._raise_mapcounts(folio, pages)
        if folio.spec.order > 0:
            folio.owner_add(len(pages), vma.spec.mm_id)

    def _try_dup_anon(self, folio: Folio, op: Operation, vma: Vma) -> int:
        pages = range(1) if op.path == "pmd" else op.pages
        if self._must_copy(folio, op) and any(folio.anon_exclusive[page] for page in pages):
            return -EBUSY
        for page in pages:
            folio.anon_exclusive[page] = False
        if op.path == "pmd":
            folio.entire += 1
            folio.owner_add(1, vma.spec.mm_id)
        else:
            self._dup_ptes(folio, op.pages, vma)
        return 0

    def _must_copy(self, folio: Folio, op: Operation) -> bool:
        """Needs fork to copy exclusive pages? Only if the source mm has ever pinned (spec 5.2)."""
        return self.vmas[op.src].spec.pinned and folio.maybe_pinned

    def _try_share_anon(self, folio: Folio, op: Operation, vma: Vma) -> int:
        if folio.maybe_pinned:
            return -EBUSY
        folio.anon_exclusive[op.first] = False
        return 0

    def _move_anon(self, folio: Folio, op: Operation, vma: Vma) -> None:
        folio.mapping = vma.anon_vma + PAGE_MAPPING_ANON

    # Removing (spec 6.3, 6.11)

    def _remove(self, folio: Folio, op: Operation, vma: Vma) -> None:
        by_pmd = op.path == "pmd"
        if folio.spec.order > 0 and not self.layout.page_mapcount:
            nr, nr_pmdmapped, partially = self._remove_counted_in_total(folio, op, vma)
        else:
            nr, nr_pmdmapped = self._remove_core(folio, op, vma)
            mapped_part = nr < nr_pmdmapped if by_pmd else folio.nr_mapped != 0
            partially = nr != 0 and mapped_part
            if self.rules.split != "partial":
                partially = nr != 0 and (not by_pmd or nr < nr_pmdmapped)
        if partially and folio.anon:
            self._want_split(folio)
        self._count_mapped(folio, -nr, -nr_pmdmapped, folio.anon)
        self.stats["munlocked"] += vma.spec.flags & VM_LOCKED != 0

    def _remove_core(self, folio: Folio, op: Operation, vma: Vma) -> tuple[int, int]:
        """Pages no longer mapped and no longer PMD-mapped."""
        if op.path == "pmd":
            return self._remove_pmd(folio, vma)
        for page in op.pages:
            folio.mapcounts[page] -= 1
        last = sum(folio.mapcounts[page] < 0 for page in op.pages)
        if folio.spec.order == 0:
            return last, 0
        folio.owner_sub(op.nr, vma.spec.mm_id)
        folio.nr_mapped -= last
        return (last if folio.nr_mapped < ENTIRELY_MAPPED else 0), 0

    def _remove_pmd(self, folio: Folio, vma: Vma) -> tuple[int, int]:
        folio.owner_sub(1, vma.spec.mm_id)
        folio.entire -= 1
        if folio.entire >= 0:
            return 0, 0
        folio.nr_mapped -= ENTIRELY_MAPPED
        npages = folio.spec.nr_pages
        return max(0, npages - (folio.nr_mapped & FOLIO_PAGES_MAPPED)), npages

    def _remove_counted_in_total(self, folio: Folio, op: Operation, vma: Vma) -> tuple[int, int, bool]:
        """Without page mapcounts: pages no longer mapped, no longer PMD-mapped, partially mapped now?"""
        npages, by_pmd = folio.spec.nr_pages, op.path == "pmd"
        folio.entire -= by_pmd
        left = folio.owner_sub(1 if by_pmd else op.nr, vma.spec.mm_id)
        last = by_pmd and folio.entire < 0
        partially = 0 < left < npages and (last if by_pmd else folio.entire < 0)
        return (npages if left == 0 else 0), (npages if last else 0), partially

    def _want_split(self, folio: Folio) -> None:
        """The folio is to be split later (spec 4.2)."""
        least = {"pmd": HPAGE_PMD_ORDER, "large": 1, "partial": 1}[self.rules.split]
        if folio.spec.order < least:
            return
        self.splits_wanted += 1
        marks = self.layout.partially_mapped >= 0
        if folio.spec.order <= 1 or folio.swapcache or (folio.partially_mapped if marks else folio.deferred):
            return
        self.stats["deferred_split"] += folio.spec.order >= self.rules.event_from_order
        self.stats["queue_len"] += not folio.deferred
        folio.deferred, folio.partially_mapped = True, marks

    # hugetlb (spec 6.4)

    def _hugetlb_add_new_anon(self, folio: Folio, op: Operation, vma: Vma) -> None:
        folio.entire = folio.large = 0
        folio.restore_reserve = False
        self._set_anon(folio, op, vma, exclusive=True)
        folio.anon_exclusive[0] = True

    def _hugetlb_add_file(self, folio: Folio, op: Operation, vma: Vma) -> None:
        folio.entire += 1
        folio.large += 1

    def _hugetlb_add_anon(self, folio: Folio, op: Operation, vma: Vma) -> None:
        self._hugetlb_add_file(folio, op, vma)
        folio.anon_exclusive[0] = folio.anon_exclusive[0] or op.exclusive

    def _hugetlb_try_dup_anon(self, folio: Folio, op: Operation, vma: Vma) -> int:
        if folio.anon_exclusive[0] and self._must_copy(folio, op):
            return -EBUSY
        folio.anon_exclusive[0] = False
        self._hugetlb_add_file(folio, op, vma)
        return 0

    def _hugetlb_remove(self, folio: Folio, op: Operation, vma: Vma) -> None:
        folio.entire -= 1
        folio.large -= 1
