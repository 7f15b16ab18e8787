"""How kernels are declared, compiled and reached: prototypes, @kernel, C-ABI entries, numba's cache."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kernels import trace

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT") == "1"
ROOT = Path(__file__).parent
# Only C entries are ever called (kernels.entry): numba's wrappers would double the time of compiling.
_INLINED: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


class KernelError(Exception):
    """A variant file breaks a rule of this module; the message says which function and how."""


class Prototype(NamedTuple):
    """Argument names of a C function of 64-bit scalars, and whether it returns an int (else void)."""

    args: tuple[str, ...]
    returns: bool = False

    def __str__(self) -> str:
        return f"{'int' if self.returns else 'void'} ({', '.join(self.args)})"


PTES = Prototype(("folio", "page", "nr_pages", "vma"))
PTE = PMD = Prototype(("folio", "page", "vma"))
ANON_PTES = Prototype(("folio", "page", "nr_pages", "vma", "address", "flags"))
ANON_PTE = ANON_PMD = Prototype(("folio", "page", "vma", "address", "flags"))
NEW_ANON = Prototype(("folio", "vma", "address", "flags"))
# The destination vma is an argument from v6.15 on; earlier generations take and ignore it, so that one
# caller serves them all (an unused register costs the callee nothing).
DUP_PTES = Prototype(("folio", "page", "nr_pages", "dst_vma"))
DUP_PTE = DUP_PMD = Prototype(("folio", "page", "dst_vma"))
TRY_DUP_PTES = Prototype(("folio", "page", "nr_pages", "dst_vma", "src_vma"), returns=True)
TRY_DUP_PTE = TRY_DUP_PMD = Prototype(("folio", "page", "dst_vma", "src_vma"), returns=True)
TRY_SHARE = Prototype(("folio", "page"), returns=True)
MOVE = Prototype(("folio", "vma"))
HUGETLB_ADD_NEW = Prototype(("folio", "vma", "address"))
HUGETLB_ADD_ANON = Prototype(("folio", "vma", "address", "flags"))
HUGETLB_TRY_DUP = Prototype(("folio", "vma"), returns=True)
HUGETLB_TRY_SHARE = Prototype(("folio",), returns=True)
HUGETLB = Prototype(("folio",))
PAGE_ADD_ANON = Prototype(("page", "vma", "address", "flags"))
PAGE_ADD_NEW_ANON = Prototype(("page", "vma", "address"))
PAGE_RMAP = Prototype(("page", "vma", "compound"))
PAGE_DUP = Prototype(("page", "compound"))
PAGE_TRY_DUP = Prototype(("page", "compound", "vma"), returns=True)
PAGE_TRY_SHARE = Prototype(("page",), returns=True)
FILE_RANGE = Prototype(("folio", "page", "nr_pages", "vma", "compound"))

# Every function a variant may define: the interface of 6.8 and later, then what only 6.7 has (spec 6.14).
INTERFACE: dict[str, Prototype] = {
    "folio_add_new_anon_rmap": NEW_ANON,
    "folio_add_anon_rmap_pte": ANON_PTE,
    "folio_add_anon_rmap_ptes": ANON_PTES,
    "folio_add_anon_rmap_pmd": ANON_PMD,
    "folio_try_dup_anon_rmap_pte": TRY_DUP_PTE,
    "folio_try_dup_anon_rmap_ptes": TRY_DUP_PTES,
    "folio_try_dup_anon_rmap_pmd": TRY_DUP_PMD,
    "folio_try_share_anon_rmap_pte": TRY_SHARE,
    "folio_try_share_anon_rmap_pmd": TRY_SHARE,
    "folio_add_file_rmap_pte": PTE,
    "folio_add_file_rmap_ptes": PTES,
    "folio_add_file_rmap_pmd": PMD,
    "folio_dup_file_rmap_pte": DUP_PTE,
    "folio_dup_file_rmap_ptes": DUP_PTES,
    "folio_dup_file_rmap_pmd": DUP_PMD,
    "folio_remove_rmap_pte": PTE,
    "folio_remove_rmap_ptes": PTES,
    "folio_remove_rmap_pmd": PMD,
    "folio_move_anon_rmap": MOVE,
    "hugetlb_add_new_anon_rmap": HUGETLB_ADD_NEW,
    "hugetlb_add_anon_rmap": HUGETLB_ADD_ANON,
    "hugetlb_try_dup_anon_rmap": HUGETLB_TRY_DUP,
    "hugetlb_try_share_anon_rmap": HUGETLB_TRY_SHARE,
    "hugetlb_add_file_rmap": HUGETLB,
    "hugetlb_remove_rmap": HUGETLB,
    "page_add_anon_rmap": PAGE_ADD_ANON,
    "page_add_new_anon_rmap": PAGE_ADD_NEW_ANON,
    "page_add_file_rmap": PAGE_RMAP,
    "folio_add_file_rmap_range": FILE_RANGE,
    "page_dup_file_rmap": PAGE_DUP,
    "page_try_dup_anon_rmap": PAGE_TRY_DUP,
    "page_try_share_anon_rmap": PAGE_TRY_SHARE,
    "page_remove_rmap": PAGE_RMAP,
    "hugepage_add_anon_rmap": HUGETLB_ADD_ANON,
    "hugepage_add_new_anon_rmap": HUGETLB_ADD_NEW,
}


class Single:
    """A per-page function that is the batched one called with nr_pages = 1, as the kernel's macros do."""

    def __init__(self, ptes: Any) -> None:
        self.ptes = ptes
        args: Prototype = ptes.prototype
        self.prototype = Prototype(tuple(a for a in args.args if a != "nr_pages"), args.returns)
        self.position = args.args.index("nr_pages")


def pte_of(ptes: Any) -> Single:
    """The `_pte` form of a `_ptes` kernel where a generation has no separate code for it."""
    return Single(ptes)


def kernel(prototype: Prototype) -> Callable[[Callable[..., Any]], Any]:
    """Declare a function with this C prototype; it is compiled when its address is first asked for."""

    def declare(function: Callable[..., Any]) -> Any:
        code = function.__code__
        if code.co_varnames[: code.co_argcount] != prototype.args:
            line = f"{code.co_filename}:{code.co_firstlineno}"
            raise KernelError(f"{line}: {function.__name__} must have the prototype {prototype}")
        declared: Any = helper(function)
        declared.prototype = prototype
        return declared

    return declare


def helper(function: Callable[..., Any]) -> Any:
    """Declare a function that kernels call; always inlined into them."""
    if INTERPRETED:
        return function
    from numba import njit

    return njit(**_INLINED)(function)


def side_effect(function: Callable[..., Any]) -> Any:
    """Declare a void helper that is called out of line and counted apart from the call (statistics...)."""
    if not INTERPRETED:
        from kernels.entry import out_of_line

        return out_of_line(helper(function))

    @functools.wraps(function)
    def marked(*args: int) -> Any:
        with trace.apart(function.__name__):
            return function(*args)

    return marked


_interpreted: dict[int, Callable[..., Any]] = {}  # what stands for an address when nothing is compiled
_entries: dict[tuple[Any, int], Any] = {}  # entries in use: a dropped dispatcher frees its machine code


def address_of(function: Any, pad: int = 0) -> int:
    """Address of the kernel's C entry; `pad` (bytes, a multiple of 16) moves its code (another placement)."""
    if INTERPRETED:
        _interpreted[id(function)] = function
        return id(function)
    from kernels.entry import entry

    key = (function, pad)
    if key not in _entries:
        _entries[key] = entry(function, pad)
    return int(_entries[key]())


def interpreted_at(address: int) -> Callable[..., Any]:
    """The Python function that stands at an address given out by `address_of` when interpreted."""
    return _interpreted[address]


def callable_of(function: Any) -> Callable[..., int]:
    """The kernel as a Python callable taking the arguments of its prototype."""
    if isinstance(function, Single):
        batched, at = callable_of(function.ptes), function.position
        return lambda *args: batched(*args[:at], 1, *args[at:])
    if INTERPRETED:
        return lambda *args: function(*args) or 0
    import ctypes

    prototype: Prototype = function.prototype
    result = ctypes.c_int64 if prototype.returns else None
    entry = ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * len(prototype.args))(address_of(function))
    return lambda *args: entry(*args) or 0


def digest(*extra: Path) -> str:
    """Digest of everything that decides the machine code: the kernels' sources and the compiler's version."""
    from importlib.metadata import version

    hashed = hashlib.sha256(f"{version('numba')} {version('llvmlite')}".encode())
    for path in [*sorted(ROOT.rglob("*.py")), *extra]:
        hashed.update(str(path.name).encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def use_cache(root: Path, *extra: Path) -> Path:
    """Point numba's cache for functions declared from now on at a directory of their own sources' digest.

    numba notices a change in the file of a cached function, but not in another file that it inlines.
    """
    directory = root / digest(*extra)
    if not INTERPRETED:
        from numba import config

        config.CACHE_DIR = str(directory)  # type: ignore[attr-defined]  # set at run time
    return directory
