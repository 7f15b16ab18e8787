"""Pairs: which two cases of a result file are held against each other, and which of them a gate judges.

Judged are the newest generation in the file and every user's variant: batched against per-page at every
order, and against their base, generations at order 0 only. Older generations are shown: history is a
finding, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.generations import GENERATIONS, is_plain, rank, shown_by_default, variant_of
from bench.results import Results

PATH, BASE = "path", "base"
OLDER = "an older generation"
OWN_COST = "the system call from Python costs as much as the work"
NO_CALL = "it makes no rmap call"
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
LEAST_NET = 0.1  # of what was measured, that must be the operation's own


@dataclass(frozen=True)
class Pair:
    """A case and what it is compared with; `why_not` says why it is shown and not judged."""

    case: Case
    base: Case
    why_not: str = ""

    @property
    def about(self) -> str:
        """Is it batched against per-page (PATH), or a variant against its base (BASE)?"""
        return PATH if variant_of(self.case) == variant_of(self.base) else BASE

    @property
    def name(self) -> str:
        """The case, and what of the other one differs: .../path=ptes/order=4 against path=pte."""
        keys = [(key, value) for key, value in self.base.keys if self.case.get(key) != value]
        return f"{self.case.name} against {' '.join(f'{key}={value}' for key, value in keys)}"


def pairs(results: Results, filters: Filters | None = None) -> list[Pair]:
    """Every pair in the file whose case the filters select, also those of which one side is missing."""
    plain = [case for case in (*results.runs, *_failed(results)) if is_plain(case)]
    if not plain:
        raise UsageError("the file holds no case to judge; see its failed cases with `rmapbench report`")
    chosen = filters.select(plain) if filters else plain
    judged = set(shown_by_default(variant_of(case) for case in plain))
    file = _File(results, set(plain), _bases(results), judged)
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

    def why_not(self, case: Case) -> str:
        """Why the case is not judged; empty if it is. A lane may say so of its own, by metadata."""
        if variant_of(case) not in self.judged:
            return OLDER
        for small in (case.order == 0, False):
            if reason := NOT_JUDGED.get((case.level, case.op, small)):
                return reason
        return self._mostly_empty(case) or str(self.results.note(case, "not_gated") or "")

    def _mostly_empty(self, case: Case) -> str:
        """Is the figure a small rest of two large ones, with and without what is measured?"""
        gross, empty = (self.results.note(case, key) for key in ("gross", "empty"))
        if not gross or empty is None or float(gross) - float(empty) >= LEAST_NET * float(gross):
            return ""
        return "less than a tenth of what was measured is the operation's own"


def _bases(results: Results) -> dict[str, str]:
    plain = (case for case in results.runs if is_plain(case))
    return {variant_of(case): str(results.note(case, "base") or "") for case in plain}


def _of(case: Case, file: _File) -> Iterator[Pair]:
    other = case.but(path="pte")
    if case.get("path") == "ptes" and other in file.plain and not file.results.note(other, "same_code"):
        yield Pair(case, other, file.why_not(case))
    variant = variant_of(case)
    base = file.bases.get(variant, "")
    users = variant not in GENERATIONS
    if not base or base == variant or not (users or (case.order == 0 and base in file.bases)):
        return
    other = case.but(variant=base)
    # A base that is in the file, but not with this case, never had it: what was planned and is missing
    # without a reason is counted by absent().
    if other in file.plain or base not in file.bases:
        yield Pair(case, other, file.why_not(case))


def gated(found: Iterable[Pair]) -> list[Pair]:
    """Those that are judged."""
    return [pair for pair in found if not pair.why_not]


def absent(results: Results) -> int:
    """How many cases were planned of which the file holds neither values nor a reason why not."""
    expected = int(results.metadata.get("expected_cases", 0))
    return max(0, expected - len(results.runs) - len(results.failed))
