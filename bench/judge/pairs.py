"""Pairs: which two cases of a result file are held against each other, and which of them a gate judges.

Judged are the newest generation selected and every user's variant: batched against per-page at every
order, and against their base, generations at order 0 only. Older generations are shown: history is a
finding, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.generations import is_generation, is_plain, rank, shown_of, variant_of
from bench.results import Results

PATH, BASE, FILE = "path", "base", "file"
OLDER = "an older generation"
OWN_COST = "the system call from Python costs as much as the work"
NO_CALL = "it makes no rmap call"
ON_REQUEST = "a shape that no kernel has; it is judged where its path is named"
FORCED = "write-protect bits made this path; between kernels it is judged where its path is named"
HISTORY = "it depends on what the page allocator did before"
# (level, operation, only at order 0): measured because they are worth seeing.
NOT_JUDGED = {
    ("live", "pte_dontneed", False): OWN_COST,
    ("live", "mremap", False): NO_CALL,
    ("live", "mprotect", False): NO_CALL,
    ("live", "ksm", False): "ksmd merges at its own pace",
    ("vm", "mremap", False): NO_CALL,
    ("vm", "mprotect", False): NO_CALL,
    ("vm", "munmap", True): HISTORY,
    ("vm", "dontneed", True): HISTORY,
}
# Operations whose batched call no caller makes for a small folio: it asks for the size before its only step.
NEVER_SMALL = ("dup_file",)
SMALL = "callers hand small folios to the per-page call"
PATHS = ("default", "ptes", "pte", "pmd", "folio")
LEAST_NET = 0.1  # of what was measured, that must be the operation's own


@dataclass(frozen=True)
class Pair:
    """A case and what it is compared with; `why_not` says why it is shown and not judged."""

    case: Case
    base: Case
    why_not: str = ""
    file: str = ""  # that holds the base, if it is an older one

    @property
    def about(self) -> str:
        """Batched against per-page (PATH), a variant against its base (BASE), or a count that was (FILE)?"""
        if self.file:
            return FILE
        return PATH if variant_of(self.case) == variant_of(self.base) else BASE

    @property
    def name(self) -> str:
        """The case, and what of the other one differs: .../path=ptes/order=4 against path=pte."""
        keys = [f"{key}={value}" for key, value in self.base.keys if self.case.get(key) != value]
        return f"{self.case.name} against {' in '.join(filter(None, (' '.join(keys), self.file)))}"


def pairs(results: Results, filters: Filters | None = None) -> list[Pair]:
    """Every pair in the file whose case the filters select, also those of which one side is missing."""
    plain = [case for case in (*results.runs, *_failed(results)) if is_plain(case)]
    if not plain:
        raise UsageError("the file holds no case to judge; see its failed cases with `rmapbench report`")
    chosen = filters.select(plain) if filters else plain
    judged = set(shown_of(chosen))
    named = frozenset(filters.values("path") if filters else ())
    file = _File(results, set(plain), _bases(results), judged, named)
    found = (pair for case in chosen for pair in _of(case, file))
    return sorted(found, key=lambda pair: (rank(variant_of(pair.case)), pair.case.order > 0))


def _failed(results: Results) -> Iterator[Case]:
    for name in results.failed:
        yield Case.parse(name)


@dataclass(frozen=True)
class _File:
    """What must be known of a file to find the pairs of one case."""

    results: Results
    plain: set[Case]  # measured or failed
    bases: dict[str, str]  # of every variant in the file
    judged: set[str]  # variants
    named: frozenset[str]  # paths that the filters name

    def why_not(self, case: Case) -> str:
        """Why the case is not judged; empty if it is."""
        if variant_of(case) not in self.judged:
            return OLDER
        if self.on_request(case) and case.get("path") not in self.named:
            return ON_REQUEST
        return only_shown(self.results, case)

    def between_kernels(self, case: Case) -> str:
        """The same of a case against its base: `path=pte` of one kernel is not the code of another."""
        forced = case.level == "vm" and case.get("path") in ("pte", "ptes")
        return self.why_not(case) or (FORCED if forced and case.get("path") not in self.named else "")

    def on_request(self, case: Case) -> bool:
        """Is it a shape of code that is kept to be seen, compared with per-page only?"""
        return bool(self.results.note(case, "on_request"))


def only_shown(results: Results, case: Case) -> str:
    """Why a figure is shown only; empty if it is judged. A lane may say so of its own, by metadata."""
    return unfit(results, case) or str(results.note(case, "not_gated") or "")


def own_way_first(case: Case) -> int:
    """Sort key: the path that a kernel takes by itself, then those that make it batch or not."""
    return PATHS.index(case.get("path")) if case.get("path") in PATHS else len(PATHS)


def unfit(results: Results, case: Case) -> str:
    """Why the figure of a running kernel allows no verdict; empty if it does."""
    for small in (case.order == 0, False):
        if reason := NOT_JUDGED.get((case.level, case.op, small)):
            return reason
    # Is it a small rest of two large ones, with and without what is measured?
    gross, empty = (results.note(case, key) for key in ("gross", "empty"))
    if not gross or empty is None or float(gross) - float(empty) >= LEAST_NET * float(gross):
        return ""
    return "less than a tenth of what was measured is the operation's own"


def _bases(results: Results) -> dict[str, str]:
    plain = (case for case in results.runs if is_plain(case))
    return {variant_of(case): str(results.note(case, "base") or "") for case in plain}


def _of(case: Case, file: _File) -> Iterator[Pair]:
    other = case.but(path="pte")
    shape = file.on_request(case)
    if (
        (case.get("path") == "ptes" or shape)
        and other in file.plain
        and not file.results.note(other, "same_code")
    ):
        never = SMALL if case.level == "call" and case.op in NEVER_SMALL and case.order == 0 else ""
        yield Pair(case, other, file.why_not(case) or never)
    if shape:
        return
    variant = variant_of(case)
    base = file.bases.get(variant, "")
    users = not is_generation(case)
    if not base or base == variant or not (users or (case.order == 0 and base in file.bases)):
        return
    other = case.of_other(base)
    # A base that is in the file, but not with this case, never had it: what was planned and is missing
    # without a reason is counted by absent().
    if other in file.plain or base not in file.bases:
        yield Pair(case, other, file.between_kernels(case))


def gated(found: Iterable[Pair]) -> list[Pair]:
    """Those that are judged."""
    return [pair for pair in found if not pair.why_not]


def absent(results: Results) -> int:
    """How many cases were planned of which the file holds neither values nor a reason why not."""
    expected = int(results.metadata.get("expected_cases", 0))
    return max(0, expected - len(results.runs) - len(results.failed))
