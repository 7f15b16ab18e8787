"""System calls through ctypes, each checked, and the numbers of the kernel's interface."""

from __future__ import annotations

import ctypes
import os
from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE")
PMD = 2 << 20  # bytes a PMD maps with 4 KiB pages

# As linux/mman.h has them.
PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS = 0x01, 0x02, 0x10, 0x20
MAP_NORESERVE, MAP_HUGETLB = 0x4000, 0x40000
MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE = 4, 8, 10, 11, 12
MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_PAGEOUT = 14, 15, 21
MADV_POPULATE_READ, MADV_POPULATE_WRITE = 22, 23  # since 5.14
MREMAP_MAYMOVE_FIXED = 1 | 2
MPOL_MF_MOVE = 2
PR_SET_PDEATHSIG = 1
SIGKILL = 9

# By machine, else as asm-generic/unistd.h has them: aarch64 and what came after it.
SYSCALLS = {
    "x86_64": {"userfaultfd": 323, "move_pages": 279},
    "generic": {"userfaultfd": 282, "move_pages": 239},
}
_NUMBERS = SYSCALLS.get(os.uname().machine, SYSCALLS["generic"])
NR_USERFAULTFD, NR_MOVE_PAGES = _NUMBERS["userfaultfd"], _NUMBERS["move_pages"]

_libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: the lock of the interpreter is kept during a call
_word, _int, _address = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "mmap": (_word, (_word, _word, _int, _int, _int, ctypes.c_long)),
    "munmap": (_int, (_word, _word)),
    "madvise": (_int, (_word, _word, _int)),
    "mprotect": (_int, (_word, _word, _int)),
    "mremap": (_word, (_word, _word, _word, _int, _word)),
    "ioctl": (_int, (_int, ctypes.c_ulong, _address)),
    "memchr": (_word, (_word, _int, _word)),
    "prctl": (_int, (_int, ctypes.c_ulong)),
    "syscall": (ctypes.c_long, ()),
}


def raw(name: str) -> Any:
    """The C function itself, for timed calls; its result is to be given to `checked` afterwards."""
    function = getattr(_libc, name)
    function.restype, arguments = _PROTOTYPES[name]
    if arguments:
        function.argtypes = arguments
    return function


class Unmeasurable(Exception):
    """This cannot be measured here and now; the message says why."""


def checked(result: int, what: str) -> int:
    """The result of a call; Unmeasurable with the system's reason if it failed."""
    if result in (-1, ctypes.c_size_t(-1).value):
        code = ctypes.get_errno()
        raise Unmeasurable(f"{what}: {os.strerror(code)}")
    return result


_mmap, _munmap, _madvise = raw("mmap"), raw("munmap"), raw("madvise")


def mmap(
    at: int, size: int, flags: int, fd: int = -1, prot: int = PROT_READ | PROT_WRITE, offset: int = 0
) -> int:
    """Map memory at an address (0: anywhere), of a file from an offset on."""
    fixed = MAP_FIXED if at else 0
    return checked(_mmap(at, size, prot, flags | fixed, fd, offset), f"mmap of {size >> 20} MiB")


def munmap(at: int, size: int) -> None:
    """Unmap memory."""
    checked(_munmap(at, size), "munmap")


def madvise(at: int, size: int, advice: int) -> None:
    """Advise; advices are the MADV_ constants above."""
    checked(_madvise(at, size, advice), f"madvise({advice})")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    checked(raw("prctl")(PR_SET_PDEATHSIG, SIGKILL), "prctl")


def contents(path: str) -> str:
    """The text of a control file; Unmeasurable where it cannot be read."""
    try:
        with open(path) as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise Unmeasurable(f"{path}: cannot be read ({error.strerror})") from None


def write(path: str, text: str) -> None:
    """Write a control file; Unmeasurable where that is not permitted."""
    try:
        with open(path, "w") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        raise Unmeasurable(f"{path}: cannot be written ({error.strerror})") from None
