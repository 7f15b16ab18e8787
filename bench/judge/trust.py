"""Trust: whether the controls of a group allow its verdicts to be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.judge.controls import Controls, farthest
from bench.judge.estimate import Interval
from bench.judge.stats import Comparison, Note
from bench.judge.stats_margin import ALPHA, p_above, p_below

WORD = "UNTRUSTED"


@dataclass(frozen=True)
class Doubt:
    """Why the verdicts of a group are not to be believed, and the log ratio by which they may be off.

    None if nobody knows by how much: a control is missing, or more than noise away from what it must be.
    """

    note: Note
    slack: float | None

    def spares(self, interval: Interval | None, limit: float) -> bool:
        """Does a ratio's interval lie beyond +-`limit`, a log ratio, even if it is off by the slack?"""
        if self.slack is None or interval is None:
            return False
        beyond = limit + self.slack
        return math.log(interval.low) > beyond or math.log(interval.high) < -beyond


def distrust(controls: Controls, margin: float) -> Doubt | None:
    """What the controls leave open, None if they are as they must be; `margin` is a fraction."""
    doubts = [doubt for doubt in (_of_twin(controls, margin), _of_positive(controls)) if doubt]
    unbounded = [doubt for doubt in doubts if doubt.slack is None]
    return max(unbounded or doubts, key=lambda doubt: doubt.slack or 0.0, default=None)


def _of_twin(controls: Controls, margin: float) -> Doubt | None:
    if controls.twin is None:
        return Doubt(Note(WORD, "no A/A control was measured"), None)
    if equivalent(controls.twin, math.log1p(margin)):
        return None
    detail = f"{controls.twin.change:+.2%}, margin {margin:.1%}"
    note = Note(WORD, "the A/A control, the same code twice, is not shown to be equal", detail)
    return Doubt(note, farthest(controls.twin, 0.0))


def _of_positive(controls: Controls) -> Doubt | None:
    if controls.positive is None:
        return Doubt(Note(WORD, "no positive control was measured, or its true size is not known"), None)
    if controls.positive.holds:
        return None
    detail = f"{controls.positive.comparison.change:+.1%}, true {controls.positive.true:+.1%}"
    note = Note(WORD, "the positive control, a known difference, is not seen at its size", detail)
    return Doubt(note, controls.positive.missed_by)


def equivalent(comparison: Comparison, margin: float) -> bool:
    """Is the log ratio shown to lie between minus and plus `margin` (two one-sided tests)?"""
    if len(comparison.log_ratios) < 2:
        return False
    estimate = comparison.estimate
    return p_below(estimate, margin) <= ALPHA and p_above(estimate, -margin) <= ALPHA
