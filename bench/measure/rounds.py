"""Which rounds count: the drop rule by the yardstick that every round times (measurement.md, section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_ROUNDS = 30  # a process with fewer rounds left is replaced, or left out
SLOWER = 0.03  # above the quiet level: the machine was busy with something else
QUIET = 10  # percentile of all rounds that is taken for the quiet level


def kept_rounds(yardstick: Sequence[Sequence[float | None] | np.ndarray]) -> list[np.ndarray]:
    """For each process a mask of the rounds to keep; `yardstick` has its times, one row a process.

    A round counts if its yardstick is at most 3 % above the 10th percentile over all processes; all count
    where the yardstick itself failed and left no times.
    """
    rows = [np.asarray(row, dtype=float) for row in yardstick]
    times = np.concatenate([row[~np.isnan(row)] for row in rows]) if rows else np.array([])
    if not times.size:
        return [np.ones(row.size, dtype=bool) for row in rows]
    limit = float(np.percentile(times, QUIET)) * (1 + SLOWER)
    return [row <= limit for row in rows]
