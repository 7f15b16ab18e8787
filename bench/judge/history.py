"""Figures of the same pairs over many result files, and where they changed for good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.case import Filters
from bench.errors import UsageError
from bench.judge.pairs import Pair, pairs
from bench.judge.stats import Comparison, Samples
from bench.results import Results, load

SAME = ("lane", "figure", "cpu_model_name")  # metadata that files of one history share
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
    """A pair's ratio in one file."""

    file: File
    comparison: Comparison


@dataclass(frozen=True)
class Series:
    """A pair over time; `changes` are indexes of points that begin a new level."""

    pair: Pair
    points: tuple[Point, ...]
    changes: tuple[int, ...] = ()

    @property
    def levels(self) -> list[float]:
        """The ratio's mean between changes, as fractions that differ from 1."""
        logs = _logs(self.points)
        ends = [0, *self.changes, len(logs)]
        return [math.expm1(float(np.mean(logs[a:b]))) for a, b in pairwise(ends)]


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
    newest = _kind(found[-1])
    for file in found:
        if _kind(file) != newest:
            differing = next(key for key, a, b in zip(SAME, _kind(file), newest) if a != b)
            left[file.path.name] = f"its {differing} is not that of the newest file"
    return [file for file in found if file.path.name not in left], left


def _kind(file: File) -> tuple[str, ...]:
    return tuple(str(file.results.metadata.get(key, "")) for key in SAME)


def series(files: Sequence[File], filters: Filters | None = None) -> list[Series]:
    """A series for each pair of the newest file; filters select its cases."""
    wanted = [pair for pair in pairs(files[-1].results, filters) if not pair.why_not]
    points: dict[tuple[object, object], list[Point]] = {(pair.case, pair.base): [] for pair in wanted}
    for file in files:
        samples = Samples(file.results)
        for pair in wanted:
            if pair.case in samples and pair.base in samples:
                compared = samples.compare(pair.case, pair.base)
                points[pair.case, pair.base].append(Point(file, compared))
    found = (Series(pair, tuple(points[pair.case, pair.base])) for pair in wanted)
    return [Series(item.pair, item.points, changes(item.points)) for item in found if item.points]


def changes(points: Sequence[Point]) -> tuple[int, ...]:
    """Where the level changed, by PELT on the log ratios; none in fewer than LEAST files."""
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
    return np.log([point.comparison.ratio for point in points])
