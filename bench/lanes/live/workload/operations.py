"""The operations: what a process does to memory, each timed alone, and the rmap calls it makes the kernel do.

Each takes a mapping and a path and gives its time and, where it knows it itself, that of the same without
pages. Calls are named as in mm/rmap.c and linux/rmap.h of a kernel that batches (6.9 and later).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from . import system
from .ksm import ksm
from .memory import Mapping, every, mapped
from .proof import pagemap, take
from .system import NR_MOVE_PAGES, PAGE, PMD, Unmeasurable, contents
from .timing import (
    Operation,
    Timed,
    in_child,
    now,
    realtime,
    stopwatch,
    with_and_without,
)
from .userfault import continuing, protect_firsts, register

_munmap, _madvise, _mprotect, _mremap = (system.raw(f) for f in ("munmap", "madvise", "mprotect", "mremap"))
_syscall = system.raw("syscall")
FORKS = 5  # of the same memory
CHILDREN = 2  # whose counts are taken of the same memory
LEAST_GONE = 0.95  # of the pages, that reclaim or migration must have taken for its time to count


def fork(mapping: Mapping, path: str) -> Timed:
    """fork(2), not the first of this memory: folio_try_dup_anon_rmap_*.

    Of files it is folio_dup_file_rmap_pte and _ptes, of hugetlb pages hugetlb_try_dup_anon_rmap.
    """
    _fork()  # the first one after arming is dearer: it write-protects PTEs, and meets them cold
    return with_and_without(mapping, lambda: _fork(mapping.counts), FORKS)


def first_fork(mapping: Mapping, path: str) -> Timed:
    """The first fork(2), which also write-protects every PTE: folio_try_dup_anon_rmap_*."""
    with mapping.left_out():
        _fork()  # the first one of the process write-protects its own pages
    return with_and_without(mapping, _fork)


def _fork(tick: bool = True) -> int:
    """Nanoseconds of a fork; after waiting for a tick others have used the caches, and it takes 4 % more."""
    with realtime(tick):
        before = now()
        child = os.fork()
        if not child:
            os._exit(0)
        after = now()
        os.waitpid(child, 0)
    return after - before


def unmap_after_fork(mapping: Mapping, path: str) -> Timed:
    """munmap(2) in a child, of memory its parent still maps: folio_remove_rmap_*, not the last mapping."""
    return _in_children(mapping, path, _unmap)


def _unmap(mapping: Mapping) -> None:
    if _munmap(mapping.start, mapping.size):
        raise Unmeasurable("munmap failed")


def leave(mapping: Mapping, path: str) -> Timed:
    """A child's exit, of memory its parent still maps: folio_remove_rmap_*, not the last mapping."""
    return _in_children(mapping, path, None)


def _in_children(mapping: Mapping, path: str, work: Callable[[Mapping], None] | None) -> Timed:
    children = CHILDREN if mapping.counts and mapping.filled else 1
    return min((in_child(mapping, path, work) for _ in range(children)), key=lambda timed: timed.gross)


def munmap(mapping: Mapping, path: str) -> Timed:
    """munmap(2): folio_remove_rmap_*, of hugetlb hugetlb_remove_rmap; the last mapping, folios are freed."""
    return Timed(stopwatch(_munmap, mapping.start, mapping.size))


def dontneed(mapping: Mapping, path: str) -> Timed:
    """One madvise(MADV_DONTNEED): folio_remove_rmap_*, the last mapping."""
    return Timed(stopwatch(_madvise, mapping.start, mapping.size, system.MADV_DONTNEED))


def pte_dontneed(mapping: Mapping, path: str) -> Timed:
    """madvise(MADV_DONTNEED) page by page: folio_remove_rmap_pte, or _ptes of one page of several."""
    call, pages = _madvise, range(mapping.start, mapping.start + mapping.size, PAGE)
    with realtime():
        before = now()
        for page in pages:
            call(page, PAGE, system.MADV_DONTNEED)
        after = now()
    return Timed(after - before)


def fault(mapping: Mapping, path: str) -> Timed:
    """A first write to every folio: folio_add_new_anon_rmap, of hugetlb hugetlb_add_new_anon_rmap."""
    mapping.advise_huge(mapping.order > 0)
    mapping.filled = True
    timed = _stores(mapping, mapping.folio)
    mapping.advise_huge(False)
    return timed


def _stores(mapping: Mapping, step: int) -> Timed:
    """Write a byte every step; then once more, when nothing faults any more."""
    # Not in real time: at seconds of faults the kernel would throttle it.
    view = every(mapping.start, mapping.size, step)
    data = b"\2" * len(view)
    before = now()
    view[:] = data
    between = now()
    view[:] = data
    return Timed(between - before, now() - between)


def cow_byte(mapping: Mapping, path: str) -> Timed:
    """A byte written to every page while a child lives: folio_add_new_anon_rmap and folio_remove_rmap_pte."""
    end, start = os.pipe()
    child = os.fork()
    if not child:
        os.close(start)
        os.read(end, 1)
        os._exit(0)
    try:
        return _stores(mapping, PAGE)
    finally:
        os.close(start)
        os.waitpid(child, 0)
        os.close(end)


def reuse_byte(mapping: Mapping, path: str) -> Timed:
    """A byte written to every page after the child is gone: folio_move_anon_rmap where a folio is reused."""
    _fork()
    return _stores(mapping, PAGE)


def split_pmd(mapping: Mapping, path: str) -> Timed:
    """PMD-mapped folios remapped by PTEs: folio_add_anon_rmap_ptes of 512 pages and folio_remove_rmap_pmd."""
    mapping.userfault = register(mapping)
    return Timed(*_twice(lambda: protect_firsts(mapping.userfault, mapping.start, mapping.size)))


def _twice(work: Callable[[], object]) -> tuple[int, int]:
    """Nanoseconds of the work, and of the same again when it finds everything done."""
    with realtime():  # which waits for a tick: the clock is read afterwards
        times = [now()]
        for _ in range(2):
            work()
            times.append(now())
    return times[1] - times[0], times[2] - times[1]


def mprotect(mapping: Mapping, path: str) -> Timed:
    """mprotect(2) to read-only: no rmap call."""
    return Timed(stopwatch(_mprotect, mapping.start, mapping.size, system.PROT_READ))


def mremap(mapping: Mapping, path: str) -> Timed:
    """mremap(2) to where page tables cannot be moved whole: no rmap call."""
    room = mapping.size + 2 * PMD
    flags = system.MAP_PRIVATE | system.MAP_ANONYMOUS | system.MAP_NORESERVE
    reserved = system.mmap(0, room, flags, prot=system.PROT_NONE)
    try:
        how = (mapping.size, mapping.size, system.MREMAP_MAYMOVE_FIXED, _beside_a_pmd(reserved))
        return Timed(stopwatch(_mremap, mapping.start, *how))
    finally:
        system.munmap(reserved, room)


def _beside_a_pmd(reserved: int) -> int:
    """Where a move's target begins: 64 KiB before a PMD boundary, and not before the reservation."""
    return ((reserved + 2 * PMD) & -PMD) - PMD // 32


def pageout(mapping: Mapping, path: str) -> Timed:
    """madvise(MADV_PAGEOUT), to swap: folio_try_share_anon_rmap_pte and folio_remove_rmap_pte."""
    took = stopwatch(_madvise, mapping.start, mapping.size, system.MADV_PAGEOUT)
    _must_be_gone(mapping, "swapped out")
    return Timed(took)


def lazyfree(mapping: Mapping, path: str) -> Timed:
    """madvise(MADV_PAGEOUT) of what MADV_FREE gave up: folio_remove_rmap_pte or _ptes, the last mapping."""
    if mapping.filled:
        system.madvise(mapping.start, mapping.size, system.MADV_FREE)
    took = stopwatch(_madvise, mapping.start, mapping.size, system.MADV_PAGEOUT)
    _must_be_gone(mapping, "reclaimed")
    return Timed(took)


def _must_be_gone(mapping: Mapping, what: str) -> None:
    there = sum(entry >> 7 for entry in pagemap(mapping)[7::8]) / mapping.pages
    if mapping.filled and there > 1 - LEAST_GONE:
        raise Unmeasurable(f"only {1 - there:.1%} of the pages were {what}")


def migrate(mapping: Mapping, path: str) -> Timed:
    """move_pages(2) to another node: folio_try_share_anon_rmap_*, folio_remove_rmap_*, folio_add_anon_rmap_*.

    The rmap calls are made page by page, or by PMD. Of hugetlb pages they are hugetlb_try_share_anon_rmap,
    hugetlb_remove_rmap and hugetlb_add_anon_rmap.
    """
    node = _other_node()
    # A page of each folio moves all of it; asked for one by one, some other pages are refused as being moved.
    where = range(mapping.start, mapping.start + mapping.size, mapping.folio)
    pages = (ctypes.c_uint64 * len(where))(*where)
    nodes = (ctypes.c_int * len(where))(*[node] * len(where))
    status = (ctypes.c_int * len(where))()
    count = ctypes.c_ulong(len(where))
    took = stopwatch(_syscall, NR_MOVE_PAGES, 0, count, pages, nodes, status, system.MPOL_MF_MOVE)  # type: ignore[arg-type]
    moved = sum(at == node for at in status) / len(where)
    if mapping.filled and moved < LEAST_GONE:
        raise Unmeasurable(f"only {moved:.1%} of the pages were moved")
    return Timed(took)


def _other_node(nodes: str = "/sys/devices/system/node") -> int:
    """A node with memory that this process does not run on."""
    cpu = f"cpu{min(os.sched_getaffinity(0))}"
    with_memory = _numbers(contents(f"{nodes}/has_memory"))
    others = [node for node in with_memory if not os.access(f"{nodes}/node{node}/{cpu}", os.F_OK)]
    if not others:
        raise Unmeasurable("this machine has one memory node")
    if others == with_memory:
        raise Unmeasurable("this process runs on a node without memory: its memory is already on another")
    return min(others)


def _numbers(text: str) -> list[int]:
    """The numbers of a list such as `0-1,3`."""
    spans = [part.partition("-") for part in text.strip().split(",") if part]
    return [number for first, _, last in spans for number in range(int(first), int(last or first) + 1)]


def fault_around(mapping: Mapping, path: str) -> Timed:
    """A cached file read through a new mapping: folio_add_file_rmap_ptes, or _pmd; hugetlb_add_file_rmap."""
    with mapped(mapping.kind, mapping.order, mapping.size, os.dup(mapping.file)) as view:
        view.advise_huge(path == "pmd")
        view.filled = True
        bytes_of = every(view.start, view.size, view.folio if view.hugetlb else PAGE)
        first, again = _twice(bytes_of.tobytes)
        return Timed(first, again, take(view))


def uffd_continue(mapping: Mapping, path: str) -> Timed:
    """A cached file mapped page by page, by one ioctl(UFFDIO_CONTINUE): folio_add_file_rmap_pte."""
    with mapped(mapping.kind, mapping.order, mapping.size, os.dup(mapping.file)) as view:
        view.advise_huge(False)
        call = continuing(view)
        took = stopwatch(call)
        with realtime():
            before = now()
            call()  # finds a page mapped, and ends
            empty = now() - before
        return Timed(took, empty, take(view))


# Which of them are timed on memory without pages as well; the others know that time themselves.
WITH_BARE: dict[str, Operation] = {
    "unmap_after_fork": unmap_after_fork,
    "exit": leave,
    "munmap": munmap,
    "dontneed": dontneed,
    "pte_dontneed": pte_dontneed,
    "mprotect": mprotect,
    "mremap": mremap,
    "pageout": pageout,
    "lazyfree": lazyfree,
    "migrate": migrate,
}
OPERATIONS: dict[str, Operation] = {
    **WITH_BARE,
    "fork": fork,
    "first_fork": first_fork,
    "fault": fault,
    "cow_byte": cow_byte,
    "reuse_byte": reuse_byte,
    "split_pmd": split_pmd,
    "fault_around": fault_around,
    "uffd_continue": uffd_continue,
    "ksm": ksm,
}
