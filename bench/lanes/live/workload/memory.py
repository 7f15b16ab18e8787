"""Memory of one kind with folios of one order: mapped aligned in a VMA of its own, filled, given back."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

from . import files, system
from .system import PAGE, PMD, Unmeasurable, contents, madvise, mmap, munmap, write

THP = "/sys/kernel/mm/transparent_hugepage"
_memchr = system.raw("memchr")
HUGETLB = "/sys/kernel/mm/hugepages/hugepages-2048kB"
PMD_ORDER = 9
# Kinds whose file is in memory, with flags of memfd_create(2).
MEMFD = {
    "shmem": os.MFD_CLOEXEC,
    "shmem_private": os.MFD_CLOEXEC,
    "hugetlb_shared": os.MFD_CLOEXEC | os.MFD_HUGETLB,
}
ROOM = 16  # a part of the memory by which it may grow at most
CHUNK = 64 << 20  # bytes filled at a time: a caller that counts on signs of life gets them


class Mapping:
    """`size` bytes of `kind` at a PMD boundary; if that cannot be, nothing is left of it, the file is closed.

    Kinds: anon; shmem (a shared memfd); file (of a file system, shared); hugetlb; hugetlb_shared (a memfd of
    them); shmem_private and file_private (mapped privately, with an anon_vma). A file system's file comes
    from `files.unnamed`. A reservation without access surrounds the memory: its VMA never merges with others.
    """

    def __init__(self, kind: str, order: int, size: int, file: int = -1) -> None:
        self.kind, self.order, self.size = kind, order, size
        self.pages = size // PAGE
        self.file, self.userfault = file, -1  # file descriptors, closed with it
        self.filled = False  # does it hold pages?
        self.by_ptes = False  # have PMD-mapped folios been mapped by PTEs?
        self.nominal = size  # without what `grown` adds
        self.known: dict[str, float] = {}  # of its folios, from when it was filled
        self.counted: dict[str, int] = {}  # the system's counters from just before that
        self.empties: dict[str, int] = {}  # by operation the nanoseconds it takes without pages
        self.counts = False  # are nanoseconds counted instructions, which nothing but events adds to?
        self._reserved, self._reservation = 0, size + size // ROOM + 3 * PMD
        try:
            if file < 0 and kind in MEMFD:
                self.file = os.memfd_create("rmapbench", MEMFD[kind])
                os.ftruncate(self.file, size)
            self.start = self._map()
        except (OSError, Unmeasurable):
            self.free()
            raise

    def _map(self) -> int:
        flags = system.MAP_PRIVATE | system.MAP_ANONYMOUS
        nothing = mmap(0, self._reservation, flags | system.MAP_NORESERVE, prot=system.PROT_NONE)
        self._reserved, start = nothing, (nothing + PMD) & -PMD
        if self.file >= 0:
            flags = system.MAP_PRIVATE if self.kind.endswith("_private") else system.MAP_SHARED
        elif self.hugetlb:
            flags |= system.MAP_HUGETLB
        if self.hugetlb:
            flags |= system.MAP_NORESERVE  # pages are taken as they are touched
        return mmap(start, self.size, flags, self.file, offset=files.LEAD if self.on_disk else 0)

    @property
    def hugetlb(self) -> bool:
        """Is it of the hugetlb pool?"""
        return self.kind.startswith("hugetlb")

    @property
    def on_disk(self) -> bool:
        """Is it of a file system's file?"""
        return self.kind in files.KINDS

    @property
    def folio(self) -> int:
        """Bytes of a folio."""
        return PAGE << self.order

    def populate(self, by_pmd: bool) -> None:
        """Give every page a folio; order 9 is mapped by PMDs or, file memory only, by PTEs."""
        self.filled = True
        if self.file >= 0:
            self._fill_file()
            # Without the advice, faults map large folios by PTEs.
            self.advise_huge(by_pmd)
            if self.kind in ("shmem", "hugetlb_shared"):
                populate(self.start, self.size, system.MADV_POPULATE_WRITE)
            else:
                populate(self.start, self.size, system.MADV_POPULATE_READ)
            if self.kind.endswith("_private"):
                touch(self.start, PAGE)  # the first private page brings the anon_vma that fork copies for
            return
        self.advise_huge(self.order > 0)
        if self.kind == "anon":
            touch(self.start, self.size)  # as a process does; the kernel's own way leaves other traces
        else:
            populate(self.start, self.size, system.MADV_POPULATE_WRITE)
        self.advise_huge(False)  # so that khugepaged leaves it alone

    def advise_huge(self, wanted: bool) -> None:
        """Allow large folios in this VMA, or forbid them."""
        if not self.hugetlb:
            madvise(self.start, self.size, system.MADV_HUGEPAGE if wanted else system.MADV_NOHUGEPAGE)

    def _fill_file(self) -> None:
        """Allocate the file's folios: by reading it, or through a mapping that goes away again."""
        if self.on_disk:
            files.fill(self.file, self.order, self.size)
        if self.kind not in ("shmem", "shmem_private"):
            return
        filler = mmap(0, self._reservation, system.MAP_PRIVATE | system.MAP_ANONYMOUS | system.MAP_NORESERVE,
                      prot=system.PROT_NONE)  # fmt: skip
        start = (filler + PMD) & -PMD
        mmap(start, self.size, system.MAP_SHARED, self.file)
        madvise(start, self.size, system.MADV_HUGEPAGE if self.order else system.MADV_NOHUGEPAGE)
        populate(start, self.size, system.MADV_POPULATE_WRITE)
        munmap(filler, self._reservation)

    @contextlib.contextmanager
    def grown(self, extra: int) -> Iterator[None]:
        """Anonymous memory larger by `extra` bytes of such folios, for the block."""
        if not extra:
            yield
            return
        end, flags = self.start + self.nominal, system.MAP_PRIVATE | system.MAP_ANONYMOUS
        mmap(end, extra, flags)
        madvise(end, extra, system.MADV_HUGEPAGE if self.order else system.MADV_NOHUGEPAGE)
        populate(end, extra, system.MADV_POPULATE_WRITE)
        madvise(end, extra, system.MADV_NOHUGEPAGE)
        self._resize(self.nominal + extra)
        try:
            yield
        finally:
            self._resize(self.nominal)
            mmap(end, extra, flags | system.MAP_NORESERVE, prot=system.PROT_NONE)

    def _resize(self, size: int) -> None:
        self.size, self.pages = size, size // PAGE
        self.by_ptes = False  # not all of it, at least
        self.drop_userfault()

    def drop_userfault(self) -> None:
        """Close the userfaultfd; whoever goes on with the memory clears the bits first (`disarm`)."""
        if self.userfault >= 0:
            os.close(self.userfault)
        self.userfault = -1

    def renew(self) -> None:
        """Start anew: no pages, not armed."""
        empties, counts = self.empties, self.counts
        file = os.dup(self.file) if self.file >= 0 else -1
        self.free()
        if file >= 0:
            os.ftruncate(file, 0)
            os.ftruncate(file, self.size + (files.LEAD if self.on_disk else 0))
        self.__init__(self.kind, self.order, self.size, file)  # type: ignore[misc]
        self.empties, self.counts = empties, counts

    @contextlib.contextmanager
    def another(self) -> Iterator[Mapping]:
        """Memory like this one without pages, for the block; a disk's file is the same file."""
        file = os.dup(self.file) if self.on_disk else -1
        with mapped(self.kind, self.order, self.size, file) as other:
            other.counts = self.counts
            yield other

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """A fork in the block does as if this memory were not there."""
        madvise(self.start, self.size, system.MADV_DONTFORK)
        try:
            yield
        finally:
            madvise(self.start, self.size, system.MADV_DOFORK)

    def free(self) -> None:
        """Give everything back; also after parts of it were unmapped or moved."""
        if self._reserved:
            munmap(self._reserved, self._reservation)
        self._reserved = 0
        self.drop_userfault()
        if self.file >= 0:
            os.close(self.file)
        self.file = -1


@contextlib.contextmanager
def mapped(kind: str, order: int, size: int, file: int = -1) -> Iterator[Mapping]:
    """A mapping (of an open file, which it then owns) that is freed at the end of the block."""
    mapping = Mapping(kind, order, size, file)
    try:
        yield mapping
    finally:
        mapping.free()


def populate(start: int, size: int, advice: int) -> None:
    """Fault everything in, in chunks; by touching it where the kernel lacks the advice (before 5.14)."""
    for at in range(start, start + size, CHUNK):
        length = min(CHUNK, start + size - at)
        try:
            madvise(at, length, advice)
        except Unmeasurable as error:
            if ctypes.get_errno() != 22:
                raise Unmeasurable(f"{error} while filling {size >> 20} MiB") from None
            touch(at, length) if advice == system.MADV_POPULATE_WRITE else read(at, length)


def every(start: int, size: int, step: int) -> memoryview:
    """One byte every `step` bytes of memory."""
    return memoryview((ctypes.c_char * size).from_address(start)).cast("B")[::step]


def touch(start: int, size: int) -> None:
    """Write a byte to every page."""
    view = every(start, size, PAGE)
    view[:] = b"\1" * len(view)


def read(start: int, size: int) -> None:
    """Read a byte of every page."""
    every(start, size, PAGE).tobytes()


def sweep(start: int, size: int) -> None:
    """Read every byte, as a process does that uses its memory; what a proof looked up leaves the caches."""
    _memchr(start, 0xFF, size)  # which is nowhere in it


# Folio sizes


def sizes(shmem: bool, thp: str = THP) -> dict[int, str]:
    """By folio order the file that allows it; before 6.8 (shmem: 6.11) the one file there is, for order 9."""
    name = "shmem_enabled" if shmem else "enabled"
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for entry in os.listdir(thp):  # noqa: PTH208  (no pathlib in the process that forks)
            kib = entry.removeprefix("hugepages-").removesuffix("kB")
            if kib.isdigit() and os.access(f"{thp}/{entry}/{name}", os.F_OK):
                found[(int(kib) * 1024 // PAGE).bit_length() - 1] = f"{thp}/{entry}/{name}"
    if not found and os.access(f"{thp}/{name}", os.F_OK):
        found[PMD_ORDER] = f"{thp}/{name}"
    return dict(sorted(found.items()))


def select_order(kind: str, order: int, thp: str = THP) -> None:
    """Let faults in memory that is advised huge give folios of this order and of no other.

    Order 0 needs nothing: its memory is advised not to be huge. Saving the settings is the caller's duty.
    """
    shmem = kind.startswith("shmem")
    if order == 0 or not (shmem or kind == "anon"):
        return
    allowing = sizes(shmem, thp)
    if order not in allowing:
        raise Unmeasurable(f"this kernel has no {kind} folios of order {order}")
    for at, path in allowing.items():
        allowed = "advise" if shmem else "madvise"
        write(path, allowed if at == order else "never")


@contextlib.contextmanager
def reserved(size: int, change: bool = True, pool: str = HUGETLB) -> Iterator[None]:
    """Room for so many bytes of hugetlb memory in the pool, given back afterwards.

    Without `change` it must be there: touching a page that the pool does not have kills the process.
    """
    pages, before = size // PMD, 0
    if pages:
        before = int(contents(f"{pool}/nr_hugepages"))
        got = int(contents(f"{pool}/free_hugepages"))
    if pages and change:
        write(f"{pool}/nr_hugepages", str(before + max(0, pages - got)))
        got = int(contents(f"{pool}/free_hugepages"))
    try:
        if pages and got < pages:
            raise Unmeasurable(f"the hugetlb pool gave {2 * got} MiB of {2 * pages}")
        yield
    finally:
        if pages and change:
            write(f"{pool}/nr_hugepages", str(before))
