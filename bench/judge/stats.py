"""Estimates with intervals: what a case costs, and how two cases compare (measurement.md, section 2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, stdtrit

from bench.case import Case
from bench.measure.rounds import MIN_ROUNDS, kept_rounds
from bench.results import Results

LEVEL = 0.95
LEAST_PROCESSES = 5  # fewer give an estimate without an interval
STATE_MARGIN = 0.01  # of a log ratio: how far dropping rounds may move an estimate


class Note(NamedTuple):
    """Something to know about a figure: a word for programs, a sentence for people, what this figure adds."""

    word: str
    text: str
    detail: str = ""


UNPAIRED = Note("UNPAIRED", "not measured in the same rounds: drift is not cancelled")


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of a case in seconds per base page, and masks of the rounds that count, by process."""

    case: Case
    values: Mapping[int, np.ndarray]
    kept: Mapping[int, np.ndarray]

    @cached_property
    def medians(self) -> dict[int, float]:
        """Per process the median of the rounds that count, in seconds; disturbed processes left out."""
        return {p: float(np.median(v[self.kept[p]])) for p, v in self.values.items() if self.usable(p)}

    def usable(self, process: int) -> bool:
        """Are enough rounds left: MIN_ROUNDS, or half of what was measured where that is less?"""
        mask = self.kept[process]
        return int(mask.sum()) >= max(1, min(MIN_ROUNDS, mask.size // 2))


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


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
    log_ratios: tuple[float, ...]  # one a process; empty if unpaired
    rounds: int
    dropped: int
    unfiltered: float  # the ratio if no round is dropped
    paired: bool
    notes: tuple[Note, ...] = ()

    @property
    def change(self) -> float:
        """The difference as a fraction of the base: 0.01 is 1 % dearer."""
        return self.ratio - 1

    @property
    def change_interval(self) -> Interval | None:
        """The interval of `change`."""
        return self.interval and Interval(self.interval.low - 1, self.interval.high - 1)

    def has(self, word: str) -> bool:
        """Is there a note of that word: FEW, STATE, UNPAIRED, LEFT-OUT, UNMEASURABLE?"""
        return any(note.word == word for note in self.notes)


class Samples(Mapping[Case, Sample]):
    """All samples of a result file; the drop rule is applied once a group."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._masks: dict[Case, dict[int, np.ndarray]] = {}
        self._made: dict[Case, Sample] = {}

    def __getitem__(self, case: Case) -> Sample:
        if case not in self._made:
            values = {run.process: np.asarray(run.values) for run in self.results.runs[case]}
            masks = self._group_masks(case.group)
            kept = {p: _fitting(masks.get(p), value) for p, value in values.items()}
            self._made[case] = Sample(case, values, kept)
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
        together = not self.results.unpaired and case.group == base.group
        return compare(self[case], self[base], paired=together)


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
    return [float(np.median(values)) for values in sample.values.values()]


def _rounds(sample: Sample) -> tuple[int, int]:
    masks = sample.kept.values()
    return sum(mask.size for mask in masks), sum(int(mask.sum()) for mask in masks)


def median_interval(ordered: np.ndarray) -> Interval | None:
    """Order statistics between which the median lies with at least 95 %; None with fewer than six."""
    n = len(ordered)
    outside = int(np.count_nonzero(bdtr(np.arange(n), n, 0.5) <= (1 - LEVEL) / 2))
    return Interval(float(ordered[outside - 1]), float(ordered[n - outside])) if outside else None


# Comparing


class Estimate(NamedTuple):
    """Of a log ratio: mean, standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float


def compare(sample: Sample, base: Sample, paired: bool = True, margin: float = STATE_MARGIN) -> Comparison:
    """`sample` against `base`; `margin` of a log ratio is where dropping rounds raises STATE."""
    logs = tuple(paired_logs(sample, base).values()) if paired else ()
    every = tuple(paired_logs(sample, base, dropping=False).values()) if paired else ()
    if every:
        estimate, unfiltered, used = estimate_mean(logs or every), _mean(every), len(logs)
        notes = _left_out(used, max(len(sample.values), len(base.values)))
    else:
        a, b = _logs(sample), _logs(base)
        estimate, unfiltered = estimate_difference(a, b), _mean(_all_logs(sample)) - _mean(_all_logs(base))
        used, notes = min(len(a), len(b)), [UNPAIRED]
    if used < LEAST_PROCESSES and not any(note.word == "UNMEASURABLE" for note in notes):
        notes.append(Note("FEW", f"fewer than {LEAST_PROCESSES} processes give no interval", f"{used}"))
    if abs(unfiltered - estimate.mean) > margin:
        notes.append(_state(unfiltered, estimate.mean))
    interval = t_interval(estimate) if used >= LEAST_PROCESSES else None
    rounds, kept = _rounds(sample)
    return Comparison(
        sample.case, base.case, math.exp(estimate.mean), interval, _deviation(logs, estimate), logs or every,
        rounds, rounds - kept, math.exp(unfiltered), bool(every), tuple(notes),
    )  # fmt: skip


def paired_logs(sample: Sample, base: Sample, dropping: bool = True) -> dict[int, float]:
    """Per process that both have, the median over rounds of ln(sample / base) of the same round."""
    medians = {}
    for process, values in sample.values.items():
        other = base.values.get(process)
        if other is not None and other.shape == values.shape and (sample.usable(process) or not dropping):
            logs = np.log(values / other)
            medians[process] = float(np.median(logs[sample.kept[process]] if dropping else logs))
    return medians


def _logs(sample: Sample) -> np.ndarray:
    return np.log(list(sample.medians.values() or _all_medians(sample)))


def _all_logs(sample: Sample) -> np.ndarray:
    return np.log(_all_medians(sample))


def _mean(logs: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(logs))


def estimate_mean(logs: Sequence[float]) -> Estimate:
    """Mean of the processes' log ratios."""
    n = len(logs)
    error = float(np.std(logs, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(_mean(logs), error, n - 1)


def estimate_difference(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Difference of the means of two independent sets, with Welch's degrees of freedom."""
    if min(len(a), len(b)) < 2:
        return Estimate(_mean(a) - _mean(b), math.nan, math.nan)
    va, vb = float(np.var(a, ddof=1)) / len(a), float(np.var(b, ddof=1)) / len(b)
    spread = va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)
    freedom = (va + vb) ** 2 / spread if spread else len(a) + len(b) - 2
    return Estimate(_mean(a) - _mean(b), math.sqrt(va + vb), freedom)


def t_interval(estimate: Estimate, level: float = LEVEL) -> Interval:
    """Two-sided interval of a ratio from an estimate of its logarithm."""
    reach = float(stdtrit(estimate.freedom, (1 + level) / 2)) * estimate.error
    return Interval(math.exp(estimate.mean - reach), math.exp(estimate.mean + reach))


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


def _state(unfiltered: float, filtered: float) -> Note:
    text = "the machine's other work matters: figures with the disturbed rounds differ"
    return Note("STATE", text, f"{math.expm1(unfiltered):+.1%} for {math.expm1(filtered):+.1%}")
