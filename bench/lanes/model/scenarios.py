"""Scenarios: callers of the rmap calls, the state they begin in, and the forms they exist in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.case import Case
from bench.lanes.model.patterns import PATTERNS
from kernels.calls import resolve
from kernels.mm_types import HPAGE_PMD_ORDER
from kernels.variants import VariantFile

ALL_PATTERNS = tuple(PATTERNS)
ANY_ORDER = tuple(range(HPAGE_PMD_ORDER + 1))
# Shapes of code that were rejected, kept to be seen: judged only where somebody asks for the path.
ON_REQUEST = ("scan-first",)


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
    leaves: tuple[int, int] = (1, 0)  # of each mapped page: PTEs in A and in the child afterwards
    prototype: str = ""  # what about it exists in no kernel

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


def _fork(kind: str, state: str | None, **more: object) -> Scenario:
    one, many = ((_DUP[kind], "pte"),), ((_DUP[kind], "ptes"),)
    forms = _forms("fork", "fork", pte=one, ptes=many)
    forms["scan-first"] = Form("fork", "fork_scan_first", one)
    return Scenario("fork", kind, state, forms, leaves=(1, 1), **more)  # type: ignore[arg-type]


def _zap(how: str, kind: str, shared: bool, **more: object) -> Scenario:
    name = "munmap" if how == "madvise" else how  # the same code
    forms = _forms("zap", name, pte=(("remove", "pte"),), ptes=(("remove", "ptes"),))
    also = ("B",) if shared else ()
    state = f"{how}-{'shared' if shared else 'last'}"
    exclusive = kind == "anon" and not shared
    return Scenario("zap", kind, state, forms, also=also, exclusive=exclusive, leaves=(0, 0), **more)  # type: ignore[arg-type]


def _zaps() -> Iterator[Scenario]:
    for how in ("munmap", "madvise", "exit"):
        patterns = ALL_PATTERNS if how == "munmap" else ("full",)
        for shared in (False, True):
            yield _zap(how, "anon", shared, patterns=patterns)
    yield _zap("munmap", "file", False, patterns=("full", "dirty"))


SCENARIOS = (
    _fork("anon", None, patterns=ALL_PATTERNS),
    _fork("anon", "shared", exclusive=False, also=("C",)),
    _fork("anon", "pinned", pinned=True),
    _fork("file", "private", exclusive=False),
    *_zaps(),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def sensible(pattern: str, order: int) -> bool:
    """Is the pattern other than `full` at this order?"""
    return order > 0 or pattern not in ("mixed", "unaligned")
