"""Write-protect bits by userfaultfd, with which the running kernel is made to batch pages or not.

The kernel batches only consecutive PTEs whose bits agree. Path `pte` sets the bit on every second page, so
neighbours differ and every batch is of one; path `ptes` sets it on all. Both issue the same calls: one for
each pair of pages, which sets the bit of the first or of both. (One that sets all bits, and others that clear
the odd ones, makes a later munmap of single pages 8 % cheaper on one path.) Path `default` leaves memory
alone; of memory that is used again all bits are cleared first.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from .files import KINDS
from .memory import PMD_ORDER, Mapping
from .system import NR_USERFAULTFD, PAGE, PMD, PROT_READ, PROT_WRITE, Unmeasurable, checked, raw

# linux/userfaultfd.h
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_WRITEPROTECT = 0xC018AA3F, 0xC020AA00, 0xC018AA06
UFFDIO_CONTINUE = 0xC020AA07
UFFD_API, REGISTER_MODE_WP, REGISTER_MODE_MINOR, WRITEPROTECT_MODE_WP = 0xAA, 2, 4, 1
FEATURE_PAGEFAULT_FLAG_WP, FEATURE_WP_HUGETLBFS_SHMEM = 1 << 0, 1 << 12
FEATURE_MINOR_SHMEM = 1 << 10  # since 5.14
FEATURE_WP_ASYNC = 1 << 15  # since 6.7: of any memory, because nobody is told of writes
USER_MODE_ONLY = 1  # needs no privilege, since 5.11
PROTECTED = {"pte": PAGE, "ptes": 2 * PAGE}  # by path, how much of each pair of pages gets the bit

_ioctl, _mprotect, _syscall = raw("ioctl"), raw("mprotect"), raw("syscall")


def open_userfault(features: int = FEATURE_PAGEFAULT_FLAG_WP) -> int:
    """A userfaultfd with these features; Unmeasurable with the reason where there is none."""
    fd = checked(_syscall(NR_USERFAULTFD, os.O_CLOEXEC | USER_MODE_ONLY), "userfaultfd")
    asked = (ctypes.c_uint64 * 3)(UFFD_API, features, 0)
    what = "UFFDIO_CONTINUE" if features == FEATURE_MINOR_SHMEM else "write-protection"
    try:
        checked(_ioctl(fd, UFFDIO_API, ctypes.addressof(asked)), f"userfaultfd with {what}")
    except Unmeasurable:
        os.close(fd)
        raise
    return fd


def missing(kind: str) -> str:
    """Why the paths pte and ptes cannot be told apart for such memory; empty if they can."""
    return _missing(_features(kind))


def missing_continue() -> str:
    """Why cached pages cannot be mapped by UFFDIO_CONTINUE; empty if they can."""
    return _missing(FEATURE_MINOR_SHMEM)


def _missing(features: int) -> str:
    try:
        os.close(open_userfault(features))
    except Unmeasurable as error:
        return str(error)
    return ""


def _features(kind: str) -> int:
    """What write-protecting memory of this kind takes."""
    if kind == "anon":
        return FEATURE_PAGEFAULT_FLAG_WP
    return FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_HUGETLBFS_SHMEM | (FEATURE_WP_ASYNC if kind in KINDS else 0)


def register(mapping: Mapping) -> int:
    """A userfaultfd of this process that may write-protect the mapping."""
    return _registered(open_userfault(_features(mapping.kind)), mapping, REGISTER_MODE_WP)


def _registered(fd: int, mapping: Mapping, mode: int) -> int:
    """The userfaultfd, responsible for the mapping; closed if that cannot be."""
    asked = (ctypes.c_uint64 * 4)(mapping.start, mapping.size, mode, 0)
    try:
        checked(_ioctl(fd, UFFDIO_REGISTER, ctypes.addressof(asked)), "UFFDIO_REGISTER")
    except Unmeasurable:
        os.close(fd)
        raise
    return fd


def continuing(mapping: Mapping) -> Callable[[], int]:
    """A call that maps all pages that the mapping's file has cached; nothing else maps them."""
    mapping.userfault = _registered(open_userfault(FEATURE_MINOR_SHMEM), mapping, REGISTER_MODE_MINOR)
    asked = (ctypes.c_uint64 * 4)(mapping.start, mapping.size, 0, 0)
    return lambda: _ioctl(mapping.userfault, UFFDIO_CONTINUE, ctypes.addressof(asked))


def protect_firsts(fd: int, start: int, size: int, mode: int = WRITEPROTECT_MODE_WP) -> None:
    """Change the bit of the first page of every PMD, which makes the kernel map it by PTEs."""
    asked = (ctypes.c_uint64 * 3)(start, PAGE, mode)
    at = ctypes.addressof(asked)
    for here in range(start, start + size, PMD):
        asked[0] = here
        _ioctl(fd, UFFDIO_WRITEPROTECT, at)


def arm(mapping: Mapping, path: str) -> None:
    """Bring PTEs and their bits into the state that the path asks for; of this process's own memory.

    A child does not inherit the bits: it arms again, with a userfaultfd of its own.
    """
    disarm(mapping)
    if mapping.order == PMD_ORDER and mapping.kind == "anon" and path != "pmd" and not mapping.by_ptes:
        map_by_ptes(mapping)
        mapping.by_ptes = True
    if path in PROTECTED:
        mapping.userfault = register(mapping)
        if _set_bits(mapping, PROTECTED[path]):
            raise Unmeasurable("userfaultfd could not write-protect every page")


def disarm(mapping: Mapping) -> None:
    """Clear all bits and give the userfaultfd up, which alone leaves them as they are before Linux 6.9."""
    if mapping.userfault < 0:
        return
    # What the memory was grown by may be a VMA of its own, and before 6.3 a call is for one.
    extra = mapping.size - mapping.nominal
    for start, size in ((mapping.start, mapping.nominal), (mapping.start + mapping.nominal, extra)):
        if size:
            asked = (ctypes.c_uint64 * 3)(start, size, 0)
            checked(_ioctl(mapping.userfault, UFFDIO_WRITEPROTECT, ctypes.addressof(asked)), "clearing bits")
    mapping.drop_userfault()


def _set_bits(mapping: Mapping, length: int) -> int:
    """Set the bits of so many bytes of each pair of pages with a call each; how many calls failed."""
    asked = (ctypes.c_uint64 * 3)(0, length, WRITEPROTECT_MODE_WP)
    at, fd, failed = ctypes.addressof(asked), mapping.userfault, 0
    for here in range(mapping.start, mapping.start + mapping.size, 2 * PAGE):
        asked[0] = here
        failed += _ioctl(fd, UFFDIO_WRITEPROTECT, at) != 0
    return failed


def map_by_ptes(mapping: Mapping) -> None:
    """Map PMD-mapped folios by PTEs, without splitting folio or VMA."""
    try:
        fd = register(mapping)
    except Unmeasurable:
        _map_by_ptes_mprotect(mapping)
        return
    for mode in (WRITEPROTECT_MODE_WP, 0):
        protect_firsts(fd, mapping.start, mapping.size, mode)
    os.close(fd)


def _map_by_ptes_mprotect(mapping: Mapping) -> None:
    """The same without userfaultfd: VMAs are split and merge again."""
    for at in range(mapping.start, mapping.start + mapping.size, PMD):
        checked(_mprotect(at, PAGE, PROT_READ), "mprotect")
    checked(_mprotect(mapping.start, mapping.size, PROT_READ | PROT_WRITE), "mprotect")
