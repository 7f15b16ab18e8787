"""The memory kernels work on: the struct-page array, and the mms, vmas and per-CPU areas around it."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernels import mm_types as mm
from kernels import vmstat
from kernels.deferred_split import QUEUE_LEN, QUEUE_LIST

HUGE_PAGE = 2 << 20
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25  # madvise(2); the second from Linux 6.1 on, whatever sysfs says
Words = npt.NDArray[np.int32]


class Memory:
    """Zeroed private memory, 2 MiB aligned and backed by huge pages where the system gives them."""

    def __init__(self, nbytes: int) -> None:
        size = -(-nbytes // HUGE_PAGE) * HUGE_PAGE
        # Shared memory, Python's default, would be shmem, to which distributions give no huge pages.
        self._map = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        buffer = np.frombuffer(self._map, dtype=np.uint8)
        start = buffer.ctypes.data
        self.address = (start + HUGE_PAGE - 1) & -HUGE_PAGE
        self.nbytes = nbytes
        offset = self.address - start
        self._map.madvise(MADV_HUGEPAGE, offset, size)
        self.bytes = buffer[offset : offset + nbytes]
        self.bytes[:] = 0
        with contextlib.suppress(OSError):
            self._map.madvise(MADV_COLLAPSE, offset, size)

    def words(self) -> Words:
        """The memory as signed 32-bit words."""
        return self.bytes.view(np.int32)


class FolioState(NamedTuple):
    """Everything that rmap calls change about one folio; None where the generation has no such field."""

    mapcounts: tuple[int, ...]
    anon_exclusive: tuple[bool, ...]
    refcount: int
    mapping: int
    index: int  # type: ignore[assignment]  # as the kernel calls it; it hides a method of tuple
    swapbacked: bool
    entire_mapcount: int | None
    large_mapcount: int | None
    nr_pages_mapped: int | None
    slots: tuple[tuple[int, int], ...] | None  # (mm id, per-mm count) twice
    maybe_shared: bool | None
    locked: bool | None
    partially_mapped: bool | None
    deferred: bool | None


class Memmap:
    """An array of struct pages in the layout of one generation."""

    def __init__(self, layout: mm.Layout, npages: int, memory: Memory | None = None) -> None:
        self.layout = layout
        self.npages = npages
        self.memory = memory or Memory(npages * mm.PAGE_BYTES)
        self.address = self.memory.address

    def pages(self) -> Words:
        """The descriptors, shape (npages, 16), as signed 32-bit words."""
        return self.memory.words()[: self.npages * 16].reshape(self.npages, 16)

    def folios(self, order: int) -> Iterator[int]:
        """Addresses of the heads if all folios have this order."""
        return iter(range(self.address, self.address + self.npages * mm.PAGE_BYTES, mm.PAGE_BYTES << order))

    def format(self, order: int, memcg: int, hugetlb: bool = False) -> None:
        """Make the whole array folios of one order, in the state after allocation (spec 2.3)."""
        self._make(self.address, self.npages >> order, order, memcg, hugetlb)

    def make_folio(self, folio: int, order: int, memcg: int, hugetlb: bool = False, count: int = 1) -> None:
        """Put `count` folios, from the head at the address on, in the state after allocation (spec 2.3)."""
        self._make(folio, count, order, memcg, hugetlb)

    def _make(self, folio: int, count: int, order: int, memcg: int, hugetlb: bool) -> None:
        first = (folio - self.address) // mm.PAGE_BYTES
        words = self.pages()[first : first + (count << order)]
        words[:] = 0
        words[:, mm.MAPCOUNT // 4] = -1
        folios = words.reshape(count, 16 << order)
        heads = folio + np.arange(count, dtype=np.int64) * (mm.PAGE_BYTES << order)
        folios[:, mm.REFCOUNT // 4] = 1
        longs = folios.view(np.int64)
        longs[:, mm.MEMCG_DATA // 8] = memcg
        if order > 0:
            folios[:, mm.FLAGS // 4] = 1 << mm.PG_HEAD
            longs.reshape(count, 1 << order, 8)[:, 1:, mm.COMPOUND_HEAD // 8] = heads[:, None] + 1
            self._make_large(folios, order, hugetlb)
        if order >= 2:
            longs[:, mm.DEFERRED_LIST // 8] = heads + mm.DEFERRED_LIST
            longs[:, mm.DEFERRED_LIST // 8 + 1] = heads + mm.DEFERRED_LIST

    def _make_large(self, folios: Words, order: int, hugetlb: bool) -> None:
        layout = self.layout
        folios[:, mm.FOLIO_FLAGS_1 // 4] = order
        folios[:, layout.nr_pages // 4] = 1 << order
        folios[:, layout.entire_mapcount // 4] = -1
        if layout.large_mapcount >= 0:
            folios[:, layout.large_mapcount // 4] = -1
        if layout.mm_id_mapcount >= 0:
            folios[:, layout.mm_id_mapcount // 4 :][:, :2] = -1
        if hugetlb and layout.hugetlb_flag >= 0:
            folios[:, mm.FOLIO_FLAGS_1 // 4] |= 1 << layout.hugetlb_flag
        elif hugetlb:
            folios[:, mm.MAPCOUNT // 4] = mm.PAGE_TYPE_HUGETLB << 24

    def read(self, folio: int, order: int) -> FolioState:
        """The state of one folio."""
        layout, first = self.layout, (folio - self.address) // mm.PAGE_BYTES
        pages = self.pages()[first : first + (1 << order)]
        flags = pages[:, mm.FLAGS // 4]
        state = FolioState(
            mapcounts=tuple(pages[:, mm.MAPCOUNT // 4].tolist()),
            anon_exclusive=tuple((flags & 1 << layout.anon_exclusive != 0).tolist()),
            refcount=get32(folio + mm.REFCOUNT),
            mapping=get(folio + mm.MAPPING),
            index=get(folio + mm.INDEX),
            swapbacked=bool(flags[0] & 1 << layout.swapbacked),
            entire_mapcount=None, large_mapcount=None, nr_pages_mapped=None, slots=None,
            maybe_shared=None, locked=None, partially_mapped=None, deferred=None,
        )  # fmt: skip
        return self._read_large(state, folio, order) if order else state

    def _read_large(self, state: FolioState, folio: int, order: int) -> FolioState:
        layout = self.layout
        state = state._replace(
            entire_mapcount=get32(folio + layout.entire_mapcount),
            large_mapcount=get32(folio + layout.large_mapcount) if layout.large_mapcount >= 0 else None,
            nr_pages_mapped=get32(folio + layout.nr_pages_mapped) if layout.nr_pages_mapped >= 0 else None,
        )
        if layout.mm_ids >= 0:
            ids, counts = folio + layout.mm_ids, folio + layout.mm_id_mapcount
            state = state._replace(
                slots=tuple((get32(ids + 4 * s) & mm.MM_ID_MASK, get32(counts + 4 * s)) for s in (0, 1)),
                maybe_shared=get(ids) < 0,
                locked=bool(get(ids) & 1 << mm.MM_IDS_LOCK_BIT),
            )
        if layout.partially_mapped >= 0:
            marked = get(folio + mm.FOLIO_FLAGS_1) & 1 << layout.partially_mapped
            state = state._replace(partially_mapped=bool(marked))
        if order >= 2:
            state = state._replace(deferred=get(folio + mm.DEFERRED_LIST) != folio + mm.DEFERRED_LIST)
        return state


class Machine:
    """What the calls reach through their vma: mms, anon_vmas, per-CPU areas, one node, one memcg."""

    SIZE = 1 << 16

    def __init__(self, cpus: int = 1, threshold: int = vmstat.DEFAULT_THRESHOLD) -> None:
        self.memory = Memory(self.SIZE)
        self._next = self.memory.address
        self.node = self._take(0x40)
        self.totals = self._take(0x40)
        self.memcg = self._take(vmstat.MEMCG_BYTES)
        put(self.memcg + vmstat.MEMCG_FLUSH_AT, vmstat.MEMCG_CHARGE_BATCH * cpus)
        queue = self.memcg + vmstat.MEMCG_SPLIT_QUEUE
        put(queue + QUEUE_LIST, queue + QUEUE_LIST)
        put(queue + QUEUE_LIST + 8, queue + QUEUE_LIST)
        self.cpus = [self._percpu(threshold) for _ in range(cpus)]

    def _take(self, nbytes: int) -> int:
        address = self._next
        self._next += -(-nbytes // 64) * 64
        return address

    def _percpu(self, threshold: int) -> int:
        percpu = self._take(vmstat.PCPU_BYTES)
        put(percpu + vmstat.PCPU_NODE_DATA, self.node)
        put(percpu + vmstat.PCPU_GLOBAL, self.totals)
        put(percpu + vmstat.PCPU_THRESHOLD, threshold)
        return percpu

    def mm(self, mm_id: int, ever_pinned: bool = False) -> int:
        """A new mm_struct; ever_pinned sets MMF_HAS_PINNED."""
        address = self._take(mm.MM_BYTES)
        put(address + mm.MM_ID, mm_id)
        put(address + mm.MM_FLAGS, ever_pinned << mm.MMF_HAS_PINNED)
        return address

    def vma(self, mm_struct: int, cpu: int = 0, start: int = 0x7F00_0000_0000, flags: int = 0) -> int:
        """A new vma of the mm, with an anon_vma whose root is another one, used from one CPU."""
        root, anon_vma = self._take(mm.ANON_VMA_BYTES), self._take(mm.ANON_VMA_BYTES)
        put(root + mm.ANON_VMA_ROOT, root)
        put(anon_vma + mm.ANON_VMA_ROOT, root)
        address = self._take(mm.VMA_BYTES)
        put(address + mm.VM_START, start)
        put(address + mm.VM_PGOFF, start >> 12)
        put(address + mm.VM_MM, mm_struct)
        put(address + mm.VM_FLAGS, flags)
        put(address + mm.VM_ANON_VMA, anon_vma)
        put(address + mm.VM_PERCPU, self.cpus[cpu])
        return address

    def percpu(self) -> npt.NDArray[np.int8]:
        """The per-CPU areas, shape (CPUs, PCPU_BYTES)."""
        first = self.cpus[0] - self.memory.address
        areas = self.memory.bytes[first : first + len(self.cpus) * vmstat.PCPU_BYTES].view(np.int8)
        return areas.reshape(len(self.cpus), vmstat.PCPU_BYTES)

    def stats(self) -> list[int]:
        """Exact values of the counters: the global ones plus every CPU's differences."""
        differences = self.percpu()[:, vmstat.PCPU_DIFF :][:, : vmstat.NR_STAT_ITEMS]
        totals = [get(self.totals + item * 8) for item in range(vmstat.NR_STAT_ITEMS)]
        return [a + b for a, b in zip(totals, differences.sum(axis=0).tolist())]

    def events(self) -> list[int]:
        """The words of the per-CPU areas, summed over CPUs; a PCPU_* offset // 8 is an index."""
        words: list[int] = self.percpu().view(np.int64).sum(axis=0).tolist()
        return words

    def queue_len(self) -> int:
        """Folios on the deferred-split queue."""
        return get(self.memcg + vmstat.MEMCG_SPLIT_QUEUE + QUEUE_LEN)


def get(address: int) -> int:
    """The signed 64-bit word at an address."""
    return ctypes.c_int64.from_address(address).value


def put(address: int, value: int) -> None:
    """Set the 64-bit word at an address."""
    ctypes.c_int64.from_address(address).value = value


def words_at(address: int, count: int) -> ctypes.Array[ctypes.c_int64]:
    """The signed 64-bit words from an address on, to be read and set."""
    return (ctypes.c_int64 * count).from_address(address)


def get32(address: int) -> int:
    """The signed 32-bit word at an address."""
    return ctypes.c_int32.from_address(address).value


def put32(address: int, value: int) -> None:
    """Set the 32-bit word at an address."""
    ctypes.c_int32.from_address(address).value = value
