"""Estimates with intervals: what a case costs, and how two cases compare.

The process is the unit: its values are correlated, and pooled they would make intervals too narrow. Of a pair
the logarithm of the ratio within each round counts, which no drift reaches: of these the median a process,
and of the processes the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr

from bench.case import Case
from bench.judge.estimate import (
    LEVEL,
    Estimate,
    Interval,
    estimate_difference,
    over_placements,
    t_interval,
)
from bench.measure.rounds import MIN_ROUNDS, kept_rounds
from bench.results import Results

LEAST_PROCESSES = 5  # fewer give an estimate without an interval
STATE_MARGIN = 0.01  # of a log ratio: how far dropping rounds may move an estimate


class Note(NamedTuple):
    """Something to know about a figure: a word for programs, a sentence for people, what this figure adds."""

    word: str
    text: str
    detail: str = ""


DISTURBED = "the machine's other work matters: figures with the disturbed rounds differ"
UNPAIRED = Note("UNPAIRED", "not measured in the same rounds: drift is not cancelled")


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of a case in seconds per base page, and masks of the rounds that count, by process."""

    case: Case
    values: Mapping[int, np.ndarray]
    kept: Mapping[int, np.ndarray]
    placements: Mapping[int, object] = field(default_factory=dict)  # of code, by process, if they vary it

    @cached_property
    def medians(self) -> dict[int, float]:
        """Per process the median of the rounds that count, in seconds; disturbed processes left out."""
        usable = [process for process in self.values if self.usable(process)]
        return dict(zip(usable, _medians([self.values[p] for p in usable], [self.kept[p] for p in usable])))

    def usable(self, process: int) -> bool:
        """Are enough rounds left: MIN_ROUNDS, or half of what was measured where that is less?"""
        mask = self.kept[process]
        return int(mask.sum()) >= max(1, min(MIN_ROUNDS, mask.size // 2))


@dataclass(frozen=True)
class Summary:
    """What a case costs: the median over processes of their medians, in seconds per base page."""

    case: Case
    value: float
    interval: Interval | None
    processes: int
    rounds: int  # measured, over all processes
    dropped: int  # of these, by the yardstick


@dataclass(frozen=True)
class Comparison:
    """How `case` compares with `base`: ratio of costs, 1 being equal, and where it comes from."""

    case: Case
    base: Case
    ratio: float
    interval: Interval | None
    sd: float  # of the log ratio over processes; nan for one process
    log_ratios: tuple[float, ...]  # one a process, less what placements do; empty if unpaired
    rounds: int
    dropped: int
    unfiltered: float  # the ratio if no round is dropped
    estimate: Estimate  # of the log ratio
    notes: tuple[Note, ...] = ()

    @property
    def change(self) -> float:
        """The difference as a fraction of the base: 0.01 is 1 % dearer."""
        return self.ratio - 1

    @property
    def change_interval(self) -> Interval | None:
        """The interval of `change`."""
        return self.interval and Interval(self.interval.low - 1, self.interval.high - 1)


class Samples(Mapping[Case, Sample]):
    """All samples of a result file; the drop rule is applied once a group."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._masks: dict[Case, dict[int, np.ndarray]] = {}
        self._made: dict[Case, Sample] = {}
        self._compared: dict[tuple[Case, Case], Comparison] = {}

    def __getitem__(self, case: Case) -> Sample:
        if case not in self._made:
            values = {run.process: np.asarray(run.values) for run in self.results.runs[case]}
            masks = self._group_masks(case.group)
            kept = {p: _fitting(masks.get(p), value) for p, value in values.items()}
            runs = self.results.runs[case]
            placements = {r.process: r.metadata["placement"] for r in runs if "placement" in r.metadata}
            self._made[case] = Sample(case, values, kept, placements)
        return self._made[case]

    def __iter__(self) -> Iterator[Case]:
        return iter(self.results.runs)

    def __len__(self) -> int:
        return len(self.results.runs)

    def _group_masks(self, group: Case) -> dict[int, np.ndarray]:
        if group not in self._masks:
            runs = self.results.runs.get(group.but(control="yardstick"), [])
            rows = kept_rounds([run.values for run in runs])
            self._masks[group] = {run.process: mask for run, mask in zip(runs, rows)}
        return self._masks[group]

    def summary(self, case: Case) -> Summary:
        """What the case costs; KeyError if it is not in the file."""
        return summarize(self[case])

    def compare(self, case: Case, base: Case) -> Comparison:
        """`case` against `base`, in pairs where both were measured in the same rounds."""
        if (case, base) not in self._compared:
            together = not self.results.unpaired and case.group == base.group
            self._compared[case, base] = compare(self[case], self[base], paired=together)
        return self._compared[case, base]


def _fitting(mask: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    return mask if mask is not None and mask.shape == values.shape else np.ones(values.shape, bool)


def summarize(sample: Sample) -> Summary:
    """Median over processes of their medians, with its order-statistic interval."""
    medians = np.sort(list(sample.medians.values() or _all_medians(sample)))
    rounds, kept = _rounds(sample)
    return Summary(
        sample.case, float(np.median(medians)), median_interval(medians), len(medians), rounds, rounds - kept
    )


def _all_medians(sample: Sample) -> list[float]:
    """Where no process has enough quiet rounds: all rounds are better than nothing."""
    return _medians(list(sample.values.values()))


def _rounds(sample: Sample) -> tuple[int, int]:
    masks = sample.kept.values()
    return sum(mask.size for mask in masks), sum(int(mask.sum()) for mask in masks)


def median_interval(ordered: np.ndarray) -> Interval | None:
    """Order statistics between which the median lies with at least 95 %; None with fewer than six."""
    n = len(ordered)
    outside = int(np.count_nonzero(bdtr(np.arange(n), n, 0.5) <= (1 - LEVEL) / 2))
    return Interval(float(ordered[outside - 1]), float(ordered[n - outside])) if outside else None


# Comparing


def compare(sample: Sample, base: Sample, paired: bool = True) -> Comparison:
    """`sample` against `base`, in pairs of the same round if `paired`."""
    kept = paired_logs(sample, base) if paired else {}
    every = paired_logs(sample, base, dropping=False) if paired else {}
    logs: tuple[float, ...] = ()
    if every:
        estimate, logs = over_placements(kept or every, sample.placements)
        unfiltered, used = over_placements(every, sample.placements)[0].mean, len(kept)
        notes = _left_out(used, max(len(sample.values), len(base.values)))
    else:
        a, b = _logs(sample), _logs(base)
        estimate, unfiltered = estimate_difference(a, b), _mean(_all_logs(sample)) - _mean(_all_logs(base))
        used, notes = min(len(a), len(b)), [UNPAIRED]
    if used < LEAST_PROCESSES and not any(note.word == "UNMEASURABLE" for note in notes):
        notes.append(Note("FEW", f"fewer than {LEAST_PROCESSES} processes give no interval", f"{used}"))
    if abs(unfiltered - estimate.mean) > STATE_MARGIN:
        notes.append(differing("STATE", DISTURBED, unfiltered, estimate.mean))
    interval = t_interval(estimate) if used >= LEAST_PROCESSES else None
    rounds, counted = _rounds(sample)
    return Comparison(
        sample.case, base.case, math.exp(estimate.mean), interval, _deviation(logs, estimate), logs,
        rounds, rounds - counted, math.exp(unfiltered), estimate, tuple(notes),
    )  # fmt: skip


def paired_logs(sample: Sample, base: Sample, dropping: bool = True) -> dict[int, float]:
    """Per process that both have, the median over rounds of ln(sample / base) of the same round."""
    processes = [
        process
        for process, values in sample.values.items()
        if process in base.values
        and base.values[process].shape == values.shape
        and (sample.usable(process) or not dropping)
    ]
    logs = [np.log(sample.values[process] / base.values[process]) for process in processes]
    kept = [sample.kept[process] for process in processes] if dropping else None
    return dict(zip(processes, _medians(logs, kept)))


def _medians(rows: Sequence[np.ndarray], kept: Sequence[np.ndarray] | None = None) -> list[float]:
    """The median of each row, of what its mask keeps.

    Note: all rows at once, as a file has thousands; numpy's median of a row takes ten times as long.
    """
    if len({row.size for row in rows}) != 1:
        return [float(np.median(row[kept[at]] if kept else row)) for at, row in enumerate(rows)]
    ordered = np.sort(np.where(kept, rows, np.inf) if kept else rows, axis=1)
    number = np.sum(kept, axis=1) if kept else np.full(len(rows), ordered.shape[1])
    at = np.arange(len(rows))
    return list(map(float, (ordered[at, (number - 1) // 2] + ordered[at, number // 2]) / 2))


def _logs(sample: Sample) -> np.ndarray:
    return np.log(list(sample.medians.values() or _all_medians(sample)))


def _all_logs(sample: Sample) -> np.ndarray:
    return np.log(_all_medians(sample))


def _mean(logs: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(logs))


def _deviation(logs: Sequence[float], estimate: Estimate) -> float:
    """Standard deviation over processes; unpaired, that of the difference, scaled to one process."""
    return estimate.error * math.sqrt(len(logs) or max(estimate.freedom + 1, 1))


def _left_out(used: int, whole: int) -> list[Note]:
    if used == whole:
        return []
    if used < LEAST_PROCESSES <= whole:
        text = f"fewer than {LEAST_PROCESSES} processes had enough quiet rounds: no interval"
        return [Note("UNMEASURABLE", text, f"{used} of {whole}")]
    text = "processes with too few quiet rounds, or with rounds that do not match, were left out"
    return [Note("LEFT-OUT", text, f"{whole - used} of {whole}")]


def differing(word: str, text: str, other: float, estimate: float) -> Note:
    """A note with what another estimate of a log ratio says, and what the estimate itself."""
    return Note(word, text, f"{math.expm1(other):+.1%} for {math.expm1(estimate):+.1%}")
