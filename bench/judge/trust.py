"""Trust: whether the controls of a group allow its verdicts to be believed."""

from __future__ import annotations

import math

from bench.judge.controls import Controls
from bench.judge.stats import Comparison, Note, estimate_mean
from bench.judge.stats_margin import ALPHA, p_above, p_below

WORD = "UNTRUSTED"


def distrust(controls: Controls, margin: float) -> Note | None:
    """Why the verdicts of the group are not to be believed, None if they are; `margin` is a fraction."""
    if controls.twin is None:
        return Note(WORD, "no A/A control was measured")
    if not equivalent(controls.twin, math.log1p(margin)):
        detail = f"{controls.twin.change:+.2%}, margin {margin:.1%}"
        return Note(WORD, "the A/A control, the same code twice, is not shown to be equal", detail)
    if controls.positive is None:
        return Note(WORD, "no positive control was measured, or its true size is not known")
    if not controls.positive.holds:
        detail = f"{controls.positive.comparison.change:+.1%}, true {controls.positive.true:+.1%}"
        return Note(WORD, "the positive control, a known difference, is not seen at its size", detail)
    return None


def equivalent(comparison: Comparison, margin: float) -> bool:
    """Is the log ratio shown to lie between minus and plus `margin` (two one-sided tests)?"""
    if len(comparison.log_ratios) < 2:
        return False
    estimate = estimate_mean(comparison.log_ratios)
    return p_below(estimate, margin) <= ALPHA and p_above(estimate, -margin) <= ALPHA
