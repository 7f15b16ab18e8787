"""Memory that scenarios work in: arenas of windows, page tables, and the mms and vmas around them."""

from __future__ import annotations

from functools import cache

from bench.lanes.model.arms import START, Scratch
from kernels import mmu_gather
from kernels.memmap import Machine, Memory
from kernels.mm_types import PAGE_BYTES, VM_MAYWRITE, VM_WRITE
from kernels.pgtable import LOCK_BYTES, TABLE_BYTES

MM_IDS = {"A": 1, "B": 2, "C": 3}
CPUS = 16  # of a world at least: where a memcg's counters are flushed depends on it
MACHINE_BYTES = 1 << 12  # a thread's share of what the calls reach through its vmas, generously


class Arena:
    """Windows of the same size, one after the other: descriptors, then both mms' tables and their locks."""

    def __init__(self, windows: int, pages: int, slots: int) -> None:
        self.windows = windows
        self.pages_bytes = pages * PAGE_BYTES
        self.tables_bytes = -(-slots * 8 // TABLE_BYTES) * TABLE_BYTES
        self.locks_bytes = self.tables_bytes // TABLE_BYTES * LOCK_BYTES
        self.memory = Memory(self.nbytes(windows, pages, slots))
        self.pages = self.memory.address
        self.tables = self.pages + windows * self.pages_bytes
        self.tables = -(-self.tables // TABLE_BYTES) * TABLE_BYTES
        self.child_tables = self.tables + windows * self.tables_bytes
        self.locks = self.child_tables + windows * self.tables_bytes
        self.child_locks = self.locks + windows * self.locks_bytes

    @property
    def counted(self) -> tuple[range, range]:
        """Where descriptors and page tables lie."""
        descriptors = range(self.pages, self.pages + self.windows * self.pages_bytes)
        return descriptors, range(self.tables, self.locks)

    @staticmethod
    def nbytes(windows: int, pages: int, slots: int) -> int:
        """Memory an arena takes."""
        tables = -(-slots * 8 // TABLE_BYTES)
        each = pages * PAGE_BYTES + 2 * tables * (TABLE_BYTES + LOCK_BYTES)
        return windows * each + TABLE_BYTES


class SceneWorld:
    """One process's arenas, vmas by what they need, and the gathers of its CPUs."""

    def __init__(self, threads: int = 1) -> None:
        cpus = max(CPUS, threads)
        self.machine = _machine(cpus)
        self.scratch = Scratch()
        self.counter = self.scratch.take(64)
        self.arena = cache(lambda windows, pages, slots, cpu: Arena(windows, pages, slots))  # one a thread
        self.vma = cache(self._vma)
        self._gathers = Memory(cpus * mmu_gather.GATHER_BYTES)

    def _vma(self, name: str, flags: int = 0, pinned: bool = False, cpu: int = 0) -> int:
        """A private, writable vma of its own mm."""
        mm = self.machine.mm(MM_IDS[name] + cpu * len(MM_IDS), pinned)
        return self.machine.vma(mm, cpu, START, flags | VM_WRITE | VM_MAYWRITE)

    def gather(self, cpu: int) -> int:
        """The mmu_gather of a CPU."""
        return self._gathers.address + cpu * mmu_gather.GATHER_BYTES


def _machine(cpus: int) -> Machine:
    """A machine with room for the mms and vmas of all threads."""

    class Sized(Machine):
        SIZE = cpus * MACHINE_BYTES

    return Sized(cpus)
