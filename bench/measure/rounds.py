"""Which rounds count: the drop rule by the yardstick that every round times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_ROUNDS = 30  # a process with fewer rounds left is replaced, or left out
SLOWER = 0.03  # above the quiet level: the machine was busy with something else
QUIET = 10  # percentile of all rounds that is taken for the quiet level
CLOCK_STEPS = 0.1  # above it the usual level may lie: the clock's speed, which all arms feel alike


def kept_rounds(yardstick: Sequence[Sequence[float | None] | np.ndarray]) -> list[np.ndarray]:
    """For each process a mask of the rounds to keep; `yardstick` has its times, one row a process.

    A round counts if its yardstick is at most 3 % above the quiet level; all count where the yardstick
    itself failed and left no times.

    Note: the 10th percentile alone as the quiet level left no interval in 129 of 141 groups of a run whose
    clock changed between two speeds, 6.7 % apart and the slower one usual. With both speeds kept all 141
    have one; 140 A/A controls are equal within the margin, 138 positive controls are seen at their size.
    """
    rows = [np.asarray(row, dtype=float) for row in yardstick]
    times = np.concatenate([row[~np.isnan(row)] for row in rows]) if rows else np.array([])
    if not times.size:
        return [np.ones(row.size, dtype=bool) for row in rows]
    limit = quiet_level(times) * (1 + SLOWER)
    return [row <= limit for row in rows]


def quiet_level(times: np.ndarray) -> float:
    """The 10th percentile, or the median where that is no more than some steps of the clock's speed above."""
    quick, usual = (float(np.percentile(times, percentile)) for percentile in (QUIET, 50))
    return usual if usual <= quick * (1 + CLOCK_STEPS) else quick
