"""Ratios of the same pairs, or counts of the same cases, over many files; where they changed for good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.estimate import Interval
from bench.judge.generations import is_plain
from bench.judge.guests import counterparts, kernels_of
from bench.judge.pairs import Pair, only_shown, own_way_first, pairs
from bench.judge.stats import Samples
from bench.results import Results, load

# Metadata that files of one history share. Counts depend on the guest, whatever CPU it is booted on.
SAME = ("lane", "figure", "cpu_model_name")
SAME_COUNTED = ("lane", "figure", "guest", "qemu")
LEAST = 6  # files that allow a change to be seen
PENALTY = 7.0  # in squared noise times ln(files), of each change: of 20 files, 1.3 % of noises show one
SMALLEST = 0.002  # of a log ratio: noise below this is the clock's step, not stability


@dataclass(frozen=True)
class File:
    """One result file of a history."""

    path: Path
    date: str
    results: Results


@dataclass(frozen=True)
class Point:
    """A pair's ratio in one file, with its interval; or a case's own cost, with its range over boots."""

    file: File
    value: float
    reach: Interval | None


@dataclass(frozen=True)
class Series:
    """A pair, or a case, over time; `changes` are indexes of points that begin a new level."""

    pair: Pair
    points: tuple[Point, ...]
    changes: tuple[int, ...] = ()

    @property
    def own(self) -> bool:
        """Is it the case's own cost, and not a ratio?"""
        return self.pair.case == self.pair.base

    @property
    def levels(self) -> list[float]:
        """The mean value between changes."""
        logs = _logs(self.points)
        ends = [0, *self.changes, len(logs)]
        return [math.exp(float(np.mean(logs[a:b]))) for a, b in pairwise(ends)]


def collect(directory: Path) -> tuple[list[File], dict[str, str]]:
    """The result files in a directory, oldest first, and what was left out and why."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such directory; give one with files that `rmapbench run -o` wrote")
    found, left = [], {}
    for path in sorted(path for path in directory.iterdir() if path.name.endswith((".json", ".json.gz"))):
        try:
            results = load(path)
            found.append(File(path, str(results.metadata.get("date", "")), results))
        except UsageError as error:
            left[path.name] = str(error).removeprefix(f"{path}: ")
    found.sort(key=lambda file: (file.date, file.path.name))
    return _comparable(directory, found, left)


def _comparable(
    directory: Path, found: list[File], left: dict[str, str]
) -> tuple[list[File], dict[str, str]]:
    """The files like the newest: ratios do not carry over to another CPU or lane."""
    if not found:
        raise UsageError(f"{directory}: holds no result file; keep those of `rmapbench run -o` there")
    newest = found[-1].results
    keys = SAME_COUNTED if newest.counted else SAME
    for file in found:
        old = file.results.metadata
        differing = [key for key in keys if str(old.get(key, "")) != str(newest.metadata.get(key, ""))]
        if differing:
            left[file.path.name] = f"its {differing[0]} is not that of the newest file"
    return [file for file in found if file.path.name not in left], left


def series(files: Sequence[File], filters: Filters | None = None) -> list[Series]:
    """A series for each case of the newest file, if it is of counts, and each pair; filters select cases."""
    newest = files[-1].results
    wanted = [*_own(newest, filters), *(pair for pair in pairs(newest, filters) if not pair.why_not)]
    kernels = kernels_of(case for case in newest.runs if is_plain(case))
    points: dict[Pair, list[Point]] = {pair: [] for pair in wanted}
    for file in files:
        samples = Samples(file.results)
        there = counterparts(kernels, kernels_of(case for case in samples if is_plain(case)))
        for pair in wanted:
            case, base = (_called(there, side) for side in (pair.case, pair.base))
            if case in samples and base in samples:
                points[pair].append(_point(file, samples, case, base))
    found = (Series(pair, tuple(points[pair])) for pair in wanted if points[pair])
    return [Series(item.pair, item.points, changes(item.points)) for item in found]


def _own(newest: Results, filters: Filters | None) -> list[Pair]:
    """The cases whose count is followed, order 0 first, each with itself."""
    if not newest.counted:
        return []
    cases = [case for case in newest.runs if is_plain(case) and not only_shown(newest, case)]
    chosen = [case for case in cases if filters is None or filters.match(case)]
    return [Pair(case, case) for case in sorted(chosen, key=lambda c: (c.order > 0, own_way_first(c)))]


def _called(kernels: Mapping[str, str], case: Case) -> Case:
    """The case as a file calls it that has the kernel's counterpart."""
    name = case.get("kernel")
    return case.but(kernel=kernels.get(name, name) or None)


def _point(file: File, samples: Samples, case: Case, base: Case) -> Point:
    if case != base:
        compared = samples.compare(case, base)
        return Point(file, compared.ratio, compared.interval)
    boots = list(samples[case].medians.values())
    reach = Interval(min(boots), max(boots)) if len(boots) > 1 else None
    return Point(file, samples.summary(case).value, reach)


def changes(points: Sequence[Point]) -> tuple[int, ...]:
    """Where the level changed, by PELT on the logarithms; none in fewer than LEAST files."""
    return change_points(_logs(points))


def change_points(logs: np.ndarray) -> tuple[int, ...]:
    """Indexes at which a new level begins, if it explains more than PENALTY times noise and ln(n)."""
    if len(logs) < LEAST:
        return ()
    # Imported here: ruptures takes half a second, and only a history needs it.
    from ruptures import Pelt

    penalty = PENALTY * noise(logs) ** 2 * math.log(len(logs))
    ends = Pelt(model="l2", min_size=1, jump=1).fit(logs.reshape(-1, 1)).predict(pen=penalty)
    return tuple(int(end) for end in ends if end < len(logs))


def noise(logs: np.ndarray) -> float:
    """Standard deviation between neighbours, by the median of their distances: steps hardly move it."""
    apart = np.abs(np.diff(logs))
    return max(SMALLEST, float(np.median(apart)) / (0.6745 * math.sqrt(2)))


def _logs(points: Iterable[Point]) -> np.ndarray:
    return np.log([point.value for point in points])
