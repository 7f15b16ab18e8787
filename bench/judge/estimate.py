"""Estimates of log ratios over processes and code placements: mean, standard error, degrees of freedom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95  # of every interval
LEAST_FREEDOM = 3  # of the spread within placements; with less, placements count as noise


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


class Estimate(NamedTuple):
    """Of a log ratio: mean, standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float


def estimate_mean(logs: Sequence[float]) -> Estimate:
    """Mean of the processes' log ratios."""
    n = len(logs)
    error = float(np.std(logs, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(float(np.mean(logs)), error, n - 1)


def at_placements(logs: Mapping[int, float], placements: Mapping[int, object]) -> dict[object, Estimate]:
    """An estimate a placement, by the spread of processes within placements.

    None where too few processes tell that spread, or placement was not varied.
    """
    blocks: dict[object, list[float]] = {}
    for process, log in logs.items():
        blocks.setdefault(placements.get(process), []).append(log)
    freedom = len(logs) - len(blocks)
    if len(blocks) < 2 or freedom < LEAST_FREEDOM:
        return {}
    squares = sum(float(np.var(block)) * len(block) for block in blocks.values())
    deviation = math.sqrt(squares / freedom)
    return {
        place: Estimate(float(np.mean(block)), deviation / math.sqrt(len(block)), freedom)
        for place, block in blocks.items()
    }


def over_placements(
    logs: Mapping[int, float], placements: Mapping[int, object]
) -> tuple[Estimate, tuple[float, ...]]:
    """The mean over placements of processes' log ratios, and the log ratios without what placements do.

    A process puts code at one of a few places, which alone can make a difference of some percent, and every
    place gets as many processes. So the place is a block: the mean of all places is the estimate, and its
    error is that of processes within a place. Where too few processes tell the spread within places, or
    placement was not varied, places count as part of the processes' spread.
    """
    placed = at_placements(logs, placements)
    if not placed:
        return estimate_mean(list(logs.values())), tuple(logs.values())
    mean = float(np.mean([one.mean for one in placed.values()]))
    error = math.sqrt(sum(one.error**2 for one in placed.values())) / len(placed)
    rest = tuple(mean + log - placed[placements.get(process)].mean for process, log in logs.items())
    return Estimate(mean, error, next(iter(placed.values())).freedom), rest


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Of two independent estimates, with Welch's degrees of freedom."""
    if not min(a.freedom, b.freedom) >= 1:
        return Estimate(a.mean - b.mean, math.nan, math.nan)
    va, vb = a.error**2, b.error**2
    spread = va**2 / a.freedom + vb**2 / b.freedom
    freedom = (va + vb) ** 2 / spread if spread else a.freedom + b.freedom
    return Estimate(a.mean - b.mean, math.sqrt(va + vb), freedom)


def estimate_difference(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> Estimate:
    """Difference of the means of two independent sets, with Welch's degrees of freedom."""
    return difference(estimate_mean(list(a)), estimate_mean(list(b)))


def t_interval(estimate: Estimate) -> Interval:
    """Two-sided interval of a ratio from an estimate of its logarithm."""
    reach = float(stdtrit(estimate.freedom, (1 + LEVEL) / 2)) * estimate.error
    return Interval(math.exp(estimate.mean - reach), math.exp(estimate.mean + reach))
