"""Scenarios: callers of the rmap calls, the state they begin in, and the forms they exist in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.case import Case
from bench.lanes.model.patterns import PATTERNS
from kernels.calls import resolve
from kernels.mm_types import HPAGE_PMD_ORDER
from kernels.variants import VariantFile

ALL_PATTERNS = tuple(PATTERNS)
ANY_ORDER = tuple(range(HPAGE_PMD_ORDER + 1))
# Shapes of code that were rejected, kept to be seen: judged only where somebody asks for the path.
ON_REQUEST = ("scan-first",)
_Words = dict[str, tuple[str, ...]]
_DUPS: _Words = {"anon": ("TRY_DUP", "TRY_DUP_ONE", "ADD_NEW"), "file": ("DUP", "DUP_ONE")}
_REMOVES: _Words = {"anon": ("REMOVE", "REMOVE_ONE"), "file": ("REMOVE", "REMOVE_ONE")}
_ADDS: _Words = {"anon": ("ADD_ANON", "ADD_ANON_ONE"), "file": ("ADD_FILE", "ADD_FILE_ONE")}
# Operation -> kind -> words of a scene: only what is called is compiled.
CALLED: dict[str, _Words] = {
    "fork": _DUPS,
    "zap": _REMOVES,
    "fault": {"anon": ("ADD_NEW",)},
    "fault_around": _ADDS,
    "split_pmd": {"anon": (*_ADDS["anon"], "ADD_NEW", "REMOVE_PMD")},
    "swap_in": _ADDS,
    "unmap_migrate": {"anon": (*_REMOVES["anon"], "TRY_SHARE")},
    "restore_migrate": _ADDS,
    "share": {"anon": ("TRY_SHARE",)},
    "contpte/fork": _DUPS,
    "contpte/munmap": _REMOVES,
    "contend": {"file": (*_ADDS["file"], *_REMOVES["file"])},
}
# What is said of batched forms of callers that no kernel through 7.1 batches.
PROTOTYPE = "prototype: no kernel through 7.1 batches this caller"


@dataclass(frozen=True)
class Form:
    """One way to write the caller: a kernel of kernels.scenario, and the calls it cannot do without."""

    module: str
    function: str
    calls: tuple[tuple[str, str], ...]
    orders: tuple[int, ...] = ANY_ORDER

    def exists(self, file: VariantFile, order: int) -> bool:
        """Has the variant the calls, and does the form make sense at this order?"""
        return order in self.orders and all(resolve(file, *call) for call in self.calls)


@dataclass(frozen=True)
class Scenario:
    """A caller in one state. `start`: what vma A holds before it; `also`: vmas that map the pages too."""

    op: str
    kind: str
    state: str | None
    forms: Mapping[str, Form] = field(hash=False)
    start: str = "mapped"
    exclusive: bool = True
    also: tuple[str, ...] = ()
    pinned: bool = False
    patterns: tuple[str, ...] = ("full",)
    undoes_itself: bool = False
    shares_pages: bool = False  # threads work on the same folios
    threads: bool = False  # may be asked for with threads=
    leaves: tuple[int, int] = (1, 0)  # of each mapped page: PTEs in A and in the child afterwards
    prototype: str = ""  # what about it exists in no kernel

    def entries_left(self, npages: int, order: int) -> tuple[int, int]:
        """Entries that are not empty afterwards, in A's tables and in the child's."""
        by_pmd = self.start == "pmd" or (self.start == "new" and order == HPAGE_PMD_ORDER)
        folios = npages >> HPAGE_PMD_ORDER
        if by_pmd:
            return (npages, folios) if self.start == "pmd" else (folios, 0)
        return self.leaves[0] * npages, self.leaves[1] * npages

    @property
    def alike(self) -> bool:
        """Does it take folios of one order only, mapped whole?"""
        return self.start in ("new", "pmd")

    @property
    def cuts(self) -> bool:
        """May its range begin and end in the middle of a block?"""
        return self.op == "contpte"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a scene that name the calls it makes (kernels.callers)."""
        return CALLED[f"{self.op}/{self.state}" if self.op == "contpte" else self.op][self.kind]

    @property
    def uses_child(self) -> bool:
        """Does it write the child's tables (or PMD entries, which lie there)?"""
        return self.leaves[1] > 0 or self.start == "pmd"

    @property
    def name(self) -> str:
        """Operation, kind and state."""
        return "/".join(part for part in (self.op, self.kind, self.state) if part)

    def case(self, variant: str, path: str, order: int, pattern: str, **more: object) -> Case:
        """The case of one form."""
        keys: dict[str, object] = {"state": self.state, "variant": variant, "path": path, "order": order}
        keys |= {"kind": None if self.kind == "anon" else self.kind}
        keys |= {"pattern": None if pattern == "full" else pattern, **more}
        return Case.of("scenario", self.op, **keys)

    def orders(self, file: VariantFile) -> tuple[int, ...]:
        """Folio orders of the kind in the variant."""
        return file.anon_orders if self.kind == "anon" else file.file_orders


def _forms(module: str, name: str, **paths: tuple[tuple[str, str], ...]) -> dict[str, Form]:
    return {path: Form(module, f"{name}_{path}", calls) for path, calls in paths.items()}


_DUP = {"anon": "try_dup_anon", "file": "dup_file"}


def _fork(kind: str, state: str | None, **more: Any) -> Scenario:
    one, many = ((_DUP[kind], "pte"),), ((_DUP[kind], "ptes"),)
    forms = _forms("fork", "fork", pte=one, ptes=many)
    forms["scan-first"] = Form("fork", "fork_scan_first", one)
    return Scenario("fork", kind, state, forms, leaves=(1, 1), threads=state is None, **more)


def _zap(how: str, kind: str, shared: bool, **more: Any) -> Scenario:
    name = "munmap" if how == "madvise" else how  # the same code
    forms = _forms("zap", name, pte=(("remove", "pte"),), ptes=(("remove", "ptes"),))
    state = f"{how}-{'shared' if shared else 'last'}"
    more |= {"also": ("B",) if shared else (), "exclusive": kind == "anon" and not shared}
    return Scenario("zap", kind, state, forms, leaves=(0, 0), threads=how == "munmap", **more)


def _zaps() -> Iterator[Scenario]:
    for how in ("munmap", "madvise", "exit"):
        patterns = ALL_PATTERNS if how == "munmap" else ("full",)
        for shared in (False, True):
            yield _zap(how, "anon", shared, patterns=patterns)
    yield _zap("munmap", "file", False, patterns=("full", "dirty"))


_ADD_ONE, _ADD_MANY = (("add_anon", "pte"),), (("add_anon", "ptes"),)
_ADD_NEW = (("add_new_anon", "folio"),)
_UNMAP_ONE = (("remove", "pte"), ("try_share_anon", "pte"))
_UNMAP_MANY = (("remove", "ptes"), ("try_share_anon", "pte"))
PMD_ORDER = (HPAGE_PMD_ORDER,)


def _fault_around(state: str, also: tuple[str, ...] = ()) -> Scenario:
    forms = _forms("fault_around", "fault_around", pte=(("add_file", "pte"),), ptes=(("add_file", "ptes"),))
    return Scenario(
        "fault_around", "file", state, forms, start="unmapped", exclusive=False, also=also, leaves=(1, 0)
    )


def _split_pmd() -> Scenario:
    one, many = (*_ADD_ONE, ("remove", "pmd")), (*_ADD_MANY, ("remove", "pmd"))
    forms = {
        "pte": Form("split_pmd", "split_pmd_pte", one, PMD_ORDER),
        "ptes": Form("split_pmd", "split_pmd_ptes", many, PMD_ORDER),
    }
    return Scenario("split_pmd", "anon", None, forms, start="pmd")


def _contpte(state: str, leaves: tuple[int, int], **paths: tuple[tuple[str, str], ...]) -> Scenario:
    forms = _forms("contpte", f"contpte_{state}", **paths)
    patterns = ("full", "partial", "mixed", "unaligned")
    return Scenario("contpte", "anon", state, forms, leaves=leaves, patterns=patterns)


def _contend(state: str, name: str) -> Scenario:
    one, many = (("add_file", "pte"), ("remove", "pte")), (("add_file", "ptes"), ("remove", "ptes"))
    return Scenario(
        "contend", "file", state, _forms("contend", name, pte=one, ptes=many), start="unmapped",
        exclusive=False, undoes_itself=True, shares_pages=state != "disjoint", threads=True, leaves=(0, 0),
    )  # fmt: skip


SCENARIOS = (
    _fork("anon", None, patterns=ALL_PATTERNS),
    _fork("anon", "shared", exclusive=False, also=("C",)),
    _fork("anon", "pinned", pinned=True),
    _fork("file", "private", exclusive=False),
    *_zaps(),
    Scenario("fault", "anon", None, _forms("fault", "fault", folio=_ADD_NEW), start="new"),
    _fault_around("first"),
    _fault_around("shared", also=("B",)),
    _split_pmd(),
    Scenario(
        "swap_in", "anon", None, _forms("swap_in", "swap_in", pte=_ADD_ONE, ptes=_ADD_MANY), start="swapped"
    ),
    Scenario(
        "unmap_migrate", "anon", None,
        _forms("unmap_migrate", "unmap_migrate", pte=_UNMAP_ONE, ptes=_UNMAP_MANY),
        prototype=PROTOTYPE,
    ),
    Scenario(
        "restore_migrate", "anon", None,
        _forms("restore_migrate", "restore_migrate", pte=_ADD_ONE, ptes=_ADD_MANY),
        start="migrating", prototype=PROTOTYPE,
    ),
    Scenario("share", "anon", None, _forms("share", "share", pte=(("try_share_anon", "pte"),))),
    _contpte("fork", (1, 1), pte=(("try_dup_anon", "pte"),), ptes=(("try_dup_anon", "ptes"),)),
    _contend("disjoint", "contend"),
    _contend("same", "contend"),
    _contend("owners", "contend_owners"),
    _contpte("munmap", (0, 0), pte=(("remove", "pte"),), ptes=(("remove", "ptes"),)),
)  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def sensible(pattern: str, order: int, path: str) -> bool:
    """Is the pattern other than `full` at this order, and one that the path is about?"""
    if path in ON_REQUEST:
        return pattern == "full"
    return order > 0 or pattern not in ("mixed", "unaligned")
