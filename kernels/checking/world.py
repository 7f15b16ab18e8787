"""Real memory to replay operations on: folios in a memmap, vmas in a machine, and what must not change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels import vmstat
from kernels.checking.model import Vma
from kernels.checking.operations import VMAS, FolioSpec
from kernels.memmap import FolioState, Machine, Memmap, Words, get, get32, put, put32
from kernels.mm_types import (
    ANON_VMA_ROOT,
    DEFERRED_LIST,
    FLAGS,
    FOLIO_FLAGS_1,
    HPG_RESTORE_RESERVE,
    INDEX,
    MAPCOUNT,
    MAPPING,
    MM_FLAGS,
    MMF_HAS_PINNED,
    PAGE_BYTES,
    PRIVATE,
    REFCOUNT,
    VM_ANON_VMA,
    Layout,
)

EVENTS = {
    "deferred_split": vmstat.PCPU_THP_DEFERRED_SPLIT,
    "mlocked": vmstat.PCPU_MLOCKED,
    "munlocked": vmstat.PCPU_MUNLOCKED,
    "preemption count": vmstat.PCPU_PREEMPT_COUNT,
    "RCU nesting": vmstat.PCPU_RCU_NESTING,
}
PAGE_CACHE_MAPPING = 0x1000  # of file folios: some address, bit 0 clear


class World:
    """Folios one after the other in memory, and every vma of VMAS."""

    def __init__(self, layout: Layout, specs: Sequence[FolioSpec]) -> None:
        self.layout, self.specs = layout, specs
        self.machine = Machine(cpus=2)
        self.mms = {spec.mm_id: self.machine.mm(spec.mm_id) for spec in VMAS}
        self.vma_at = {}
        for vma in VMAS:
            put(self.mms[vma.mm_id] + MM_FLAGS, vma.pinned << MMF_HAS_PINNED)
            self.vma_at[vma.name] = self.machine.vma(self.mms[vma.mm_id], vma.cpu, vma.start, vma.flags)
        biggest = max(spec.nr_pages for spec in specs)
        self.memmap = Memmap(layout, biggest * len(specs))
        self.heads = [self.memmap.address + i * biggest * PAGE_BYTES for i in range(len(specs))]
        for head, spec in zip(self.heads, specs):
            self.memmap.make_folio(head, spec.order, self.machine.memcg, spec.hugetlb)
            if spec.hugetlb:
                put(head + PRIVATE, 1 << HPG_RESTORE_RESERVE)
        self._fixed = self._everything_else()

    def vmas(self) -> dict[str, Vma]:
        """The vmas for the oracle."""
        found = {}
        for spec in VMAS:
            anon_vma = get(self.vma_at[spec.name] + VM_ANON_VMA)
            found[spec.name] = Vma(spec, anon_vma, get(anon_vma + ANON_VMA_ROOT))
        return found

    def belong(self, folio: int, mapping: int, index: int, swapbacked: bool) -> None:
        """Give a folio to an anon_vma or a page cache."""
        head = self.heads[folio]
        put(head + MAPPING, mapping)
        put(head + INDEX, index)
        put(head + FLAGS, get(head + FLAGS) | swapbacked << self.layout.swapbacked)

    def set_refcount(self, folio: int, refcount: int) -> None:
        """As callers of rmap do."""
        put32(self.heads[folio] + REFCOUNT, refcount)

    def pin(self, folio: int, pincount: int) -> None:
        """Set _pincount; large folios only."""
        put32(self.heads[folio] + self.layout.pincount, pincount)
        self._fixed = self._everything_else()

    def enter_swapcache(self, folio: int) -> None:
        """Set PG_swapcache."""
        put(self.heads[folio] + FLAGS, get(self.heads[folio] + FLAGS) | 1 << self.layout.swapcache)
        self._fixed = self._everything_else()

    def state(self, folio: int) -> FolioState:
        """What is in memory."""
        return self.memmap.read(self.heads[folio], self.specs[folio].order)

    def restore_reserve(self, folio: int) -> bool:
        """hugetlb's flag in `private`."""
        return get(self.heads[folio] + PRIVATE) & 1 << HPG_RESTORE_RESERVE != 0

    def raw(self, folio: int) -> bytes:
        """The folio's descriptors as bytes."""
        start = self.heads[folio] - self.memmap.address
        size = self.specs[folio].nr_pages * PAGE_BYTES
        return self.memmap.memory.bytes[start : start + size].tobytes()

    def changed_elsewhere(self) -> str:
        """Where a word changed that no call may change; "" if none did."""
        wrong = np.argwhere(self._everything_else() != self._fixed)
        if not len(wrong):
            return ""
        page, word = (int(n) for n in wrong[0])
        return f"the word at offset {word * 4:#x} of page descriptor {page}"

    def _everything_else(self) -> Words:
        """The descriptors without the words and bits that FolioState tells of."""
        pages = self.memmap.pages().copy()
        pages[:, [MAPCOUNT // 4, REFCOUNT // 4]] = 0
        pages[:, FLAGS // 4] &= ~(1 << self.layout.anon_exclusive)
        biggest = self.memmap.npages // len(self.specs)
        for i, spec in enumerate(self.specs):
            self._hide_head(pages[i * biggest : (i + 1) * biggest].reshape(-1), spec)
        return pages

    def _hide_head(self, words: Words, spec: FolioSpec) -> None:
        layout = self.layout
        words[FLAGS // 4] &= ~(1 << layout.swapbacked)
        words[[MAPPING // 4, MAPPING // 4 + 1, INDEX // 4, INDEX // 4 + 1, PRIVATE // 4]] = 0
        if spec.order == 0:
            return
        counters = (layout.entire_mapcount, layout.large_mapcount, layout.nr_pages_mapped)
        words[[offset // 4 for offset in counters if offset >= 0]] = 0
        if layout.partially_mapped >= 0:
            words[FOLIO_FLAGS_1 // 4] &= ~(1 << layout.partially_mapped)
        if layout.mm_ids >= 0:
            words[layout.mm_ids // 4 : layout.mm_ids // 4 + 2] = 0
            words[layout.mm_id_mapcount // 4 : layout.mm_id_mapcount // 4 + 2] = 0
        if spec.order >= 2:
            words[DEFERRED_LIST // 4 : DEFERRED_LIST // 4 + 4] = 0

    def statistics(self) -> dict[str, int]:
        """Every counter that is not 0, by the oracle's names."""
        machine, events = self.machine, self.machine.events()
        found = dict(zip(vmstat.ITEM_NAMES, machine.stats()))
        for order in range(10):
            found[f"mthp/{order}"] = events[vmstat.PCPU_MTHP_NR_ANON // 8 + order]
        for name, offset in EVENTS.items():
            found[name] = events[offset // 8]
        found["queue_len"] = machine.queue_len()
        found["split queue's lock"] = get32(machine.memcg + vmstat.MEMCG_SPLIT_QUEUE)
        return {name: value for name, value in found.items() if value}

    def memcg_statistics(self) -> dict[str, int]:
        """The memcg's counters that are not 0."""
        found = dict(zip(vmstat.ITEM_NAMES, self.machine.events()[vmstat.PCPU_MEMCG // 8 :]))
        return {name: value for name, value in found.items() if value}
