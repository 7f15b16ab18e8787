"""Exact counts compared: no interval, every difference is one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.case import Case, Filters
from bench.errors import Untrusted, UsageError
from bench.judge.policy import Margin, Policy
from bench.judge.verdict import Verdict, exit_code

Counts = Mapping[str, Mapping[str, int]]  # by case name, then by what is counted
LANE = "model"
COUNTED = {
    "locked_used": "U",
    "locked_unused": "N",
    "fences": "fence",
    "loads": "loads",
    "pte_loads": "pte",
    "stores": "stores",
    "lines": "lines",
    "statistics": "stat",
    "deferred_split": "split",
    "tlb": "tlb",
}
NEWER = {"pte_loads"}  # files of counts that were written before have none
SNIFFED = 4096  # bytes that tell a file of counts from one of times


@dataclass(frozen=True)
class Difference:
    """One count of a case that is not what it was."""

    key: str
    old: int
    new: int

    def __str__(self) -> str:
        return f"{self.key} {self.old} -> {self.new}"


@dataclass(frozen=True)
class CountJudged:
    """A case with its verdict; `note` says why there is no difference to show."""

    name: str
    verdict: Verdict
    margin: Margin
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class CountRuling:
    """All verdicts on counts, and cases that the baseline does not know."""

    judged: tuple[CountJudged, ...]
    new: tuple[str, ...]
    against: str

    @property
    def stale(self) -> bool:
        """Does the baseline no longer say what is true, though nothing got worse?"""
        return bool(self.new) or any(item.verdict == Verdict.FASTER for item in self.judged)

    def exit_code(self, strict: bool = False) -> int:
        """What the program ends with; under `strict` a stale baseline is like INCONCLUSIVE."""
        stale = [Verdict.INCONCLUSIVE] if self.stale else []
        return exit_code([*stale, *(item.verdict for item in self.judged)], strict)


def holds_counts(path: Path) -> bool:
    """Does the file look like one of `rmapbench count -o`? Says no where it cannot be read."""
    try:
        with path.open("rb") as file:
            return b'"locked_used"' in file.read(SNIFFED)
    except OSError:
        return False


def load(path: Path) -> Counts:
    """The counts in a file that `rmapbench count -o` wrote."""
    try:
        counts = json.loads(path.read_text(), object_pairs_hook=_once)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); give a file of `rmapbench count -o`"
        ) from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: is not JSON; write such a file with `rmapbench count -o`") from None
    wellformed = isinstance(counts, dict) and all(map(_wellformed, counts.values()))
    if not counts or not wellformed:
        raise UsageError(f"{path}: holds no counts; write such a file with `rmapbench count -o`")
    for name in counts:
        Case.parse(name)
    return dict(counts)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object, refused if it names something twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the file of counts holds {twice!r} twice; write it anew with `rmapbench count -o`")
    return found


def _wellformed(numbers: object) -> bool:
    if not isinstance(numbers, dict) or not set(COUNTED) - NEWER <= set(numbers) <= set(COUNTED):
        return False
    return all(map(_is_count, numbers.values()))


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def differences(now: Mapping[str, int], before: Mapping[str, int]) -> Iterator[Difference]:
    """What differs between two cases' counts, of what both have."""
    both = [key for key in COUNTED if key in before and key in now]
    return (Difference(key, before[key], now[key]) for key in both if before[key] != now[key])


def judge_counts(now: Counts, before: Counts, against: str, policy: Policy, filters: Filters) -> CountRuling:
    """REGRESSED where a count is larger than before by more than its margin, OK, or FASTER."""
    names = [name for name in before if not filters or filters.match(Case.parse(name))]
    if not names:
        raise Untrusted(f"nothing to judge: the filters select no case of {against}; leave some out")
    judged = [_judged(name, now, before, policy) for name in names]
    return CountRuling(tuple(judged), tuple(name for name in now if name not in before), against)


def _judged(name: str, now: Counts, before: Counts, policy: Policy) -> CountJudged:
    margin = policy.margin("counts", LANE, Case.parse(name))
    if name not in now:
        return CountJudged(name, Verdict.MISSING, margin, note="only in the baseline")
    found = tuple(differences(now[name], before[name]))
    if any(item.new - item.old > margin.value for item in found):
        return CountJudged(name, Verdict.REGRESSED, margin, found)
    fewer = found and all(item.new < item.old for item in found)
    return CountJudged(name, Verdict.FASTER if fewer else Verdict.OK, margin, found)
