"""Two kernels on one machine: absolute figures of their result files, the boot as unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.boots import LEAST_BOOTS
from bench.judge.estimate import Estimate, Interval, estimate_difference, t_interval
from bench.judge.gate import SAME_MACHINE, margin_of
from bench.judge.generations import is_plain
from bench.judge.guests import FIRST_WORKLOAD
from bench.judge.holm import holm
from bench.judge.pairs import unfit
from bench.judge.policy import Policy
from bench.judge.stats import Samples
from bench.judge.verdict import Claims, Verdict, decide
from bench.results import Results

LANE = "live"
KERNEL = ("kernel_release", "kernel_version")


@dataclass(frozen=True, eq=False)
class File:
    """One result file with the name it was given."""

    name: str
    results: Results

    def fact(self, key: str) -> str:
        """A fact of its metadata; empty if it is not there."""
        return str(self.results.metadata.get(key, ""))

    @property
    def kernel(self) -> tuple[str, ...]:
        """Release and build of the kernel that it measured."""
        return tuple(self.fact(key) for key in KERNEL)

    @cached_property
    def samples(self) -> Samples:
        """Its figures."""
        return Samples(self.results)


@dataclass(frozen=True, eq=False)
class Side:
    """The files of one kernel. Those of a boot count once; where that is not known, all are of one boot."""

    files: tuple[File, ...]

    @cached_property
    def boots(self) -> dict[str, list[File]]:
        """Files by boot."""
        found: dict[str, list[File]] = {}
        for file in self.files:
            found.setdefault(file.fact("boot_id"), []).append(file)
        return found

    def logs(self, case: Case) -> tuple[float, ...]:
        """Of each boot that measured the case the logarithm of its cost, the mean over the boot's files."""
        figures = (
            [math.log(file.samples.summary(case).value) for file in files if case in file.samples]
            for files in self.boots.values()
        )
        return tuple(float(np.mean(logs)) for logs in figures if logs)


@dataclass(frozen=True)
class Change:
    """What a case costs under both kernels, in seconds per base page, and what may be said of that."""

    case: Case
    base: float
    new: float
    estimate: Estimate  # of the log ratio
    interval: Interval | None
    boots: tuple[int, int]  # of base and new
    why_not: str = ""  # it is shown only
    tests: Claims | None = None  # where there are boots enough
    verdict: Verdict | None = None

    @property
    def change(self) -> float:
        """As a fraction of the base."""
        return self.new / self.base - 1


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """Both sides and every case that they have in common, order 0 first."""

    base: Side
    new: Side
    changes: tuple[Change, ...]
    alone: int  # cases that one side only has

    @property
    def boots(self) -> tuple[int, int]:
        """Of base and new."""
        return len(self.base.boots), len(self.new.boots)

    @property
    def alternated(self) -> bool:
        """Were the kernels measured in turn? Otherwise the machine's drift looks like a difference."""
        before, after = (sorted(file.fact("date") for file in side.files) for side in (self.base, self.new))
        return before[0] <= after[-1] and after[0] <= before[-1]


def sides(first: Sequence[File], second: Sequence[File] = ()) -> tuple[Side, Side]:
    """Base and new: as given, or without a second group by their kernels, the first file's being the base.

    UsageError where files cannot be compared.
    """
    _check_lane(first, second)
    if second:
        return Side(tuple(first)), Side(tuple(second))
    kernel = first[0].kernel
    kernels = list(dict.fromkeys(file.kernel for file in first))
    if len(kernels) == 1:
        raise UsageError(
            f"all files are of kernel {' '.join(kernel)}; to compare them nevertheless, name the new ones "
            "first: rmapbench report NEW.json --base BASE.json"
        )
    if len(kernels) > 2:
        said = "; ".join(" ".join(one) for one in kernels)
        raise UsageError(f"the files are of {len(kernels)} kernels ({said}); compare two at a time")
    base = tuple(file for file in first if file.kernel == kernel)
    return Side(base), Side(tuple(file for file in first if file.kernel != kernel))


def _check_lane(*groups: Sequence[File]) -> None:
    files = [file for group in groups for file in group]
    for file in files:
        if file.fact("lane") != LANE:
            raise UsageError(
                f"{file.name}: is of lane {file.fact('lane') or 'unknown'!r}; kernels are compared by files "
                f"of `rmapbench run --lane {LANE}`, or in one file of the vm lane by --base kernel=NAME"
            )
        one, other = files[0].fact(SAME_MACHINE), file.fact(SAME_MACHINE)
        if one != other:
            raise UsageError(
                f"{file.name}: its {SAME_MACHINE} is {other or 'unknown'!r}, that of {files[0].name} "
                f"{one or 'unknown'!r}: absolute figures of two machines say nothing about two kernels; "
                "measure both kernels on one machine"
            )
        one, other = (known.fact("workload") or FIRST_WORKLOAD for known in (files[0], file))
        if one != other:
            raise UsageError(
                f"{file.name}: was measured by workload {other}, {files[0].name} by {one}: figures of one "
                "kernel would differ already; measure both kernels with one release of rmapbench"
            )


def compare(base: Side, new: Side, policy: Policy, filters: Filters | None = None) -> BeforeAfter:
    """Every case that both sides have; verdicts where there are boots enough, after Holm over those."""
    before, after = (dict.fromkeys(_cases(side)) for side in (base, new))
    common = [case for case in before if case in after]
    if not common:
        raise UsageError("the files of the two kernels have no case in common; measure the same on both")
    chosen = filters.select(common) if filters else common
    found = [_change(base, new, case, policy) for case in chosen]
    tested = [change for change in found if change.tests]
    adjusted = holm([change.tests.above for change in tested if change.tests])
    verdicts = {change.case: _decided(change, p) for change, p in zip(tested, adjusted)}
    judged = (replace(change, verdict=verdicts.get(change.case)) for change in found)
    ordered = sorted(judged, key=lambda change: change.case.order)
    return BeforeAfter(base, new, tuple(ordered), len(before.keys() ^ after.keys()))


def _cases(side: Side) -> Iterable[Case]:
    return (case for file in side.files for case in file.results.runs if is_plain(case))


def _change(base: Side, new: Side, case: Case, policy: Policy) -> Change:
    old, logs = base.logs(case), new.logs(case)
    estimate = estimate_difference(logs, old)
    boots = len(old), len(logs)
    interval = t_interval(estimate) if min(boots) > 1 else None
    before, after = (math.exp(float(np.mean(values))) for values in (old, logs))
    some = next(file.results for file in new.files if case in file.results.runs)
    found = Change(case, before, after, estimate, interval, boots, unfit(some, case))
    if min(boots) < LEAST_BOOTS or found.why_not:
        return found
    limit = math.log1p(margin_of(some, policy, case).value)
    return replace(found, tests=Claims.of_two(estimate, logs, old, limit))


def _decided(change: Change, adjusted: float) -> Verdict | None:
    return decide(change.tests, adjusted) if change.tests else None
