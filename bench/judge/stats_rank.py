"""Ranks as a second opinion: Wilcoxon's tests on the processes, which no outlier moves.

Note: the Hodges-Lehmann estimate that goes with them adds nothing. It is the median of the means of all pairs
of processes, and where the signed ranks reject a margin more than half of these lie beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def attainable_p(processes: int) -> float:
    """The smallest p that the signed-rank test of so many processes can give."""
    return 0.5**processes


def signed_rank_p_above(logs: Sequence[float], margin: float) -> float:
    """Exact one-sided p of Wilcoxon's signed-rank test, if log ratios lie around `margin` at most.

    Note: not scipy.stats.wilcoxon, whose import takes 0.9 s of a gate's 1.5; a test compares them.
    """
    differences = np.asarray(logs) - margin
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    doubled = _doubled_ranks(np.abs(differences))
    ways = np.ones(1)
    for rank in doubled:  # number of ways, each as likely, to reach a sum of ranks
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    reached = int(doubled[differences > 0].sum())
    return float(ways[reached:].sum() / ways.sum())


def _doubled_ranks(sizes: np.ndarray) -> np.ndarray:
    """Twice the ranks, ties getting their mean: whole numbers."""
    below = (sizes[:, None] > sizes[None, :]).sum(axis=1)
    level = (sizes[:, None] == sizes[None, :]).sum(axis=1)
    return np.asarray(2 * below + level + 1)


def signed_rank_p_below(logs: Sequence[float], margin: float) -> float:
    """The same for log ratios around `margin` at least."""
    return signed_rank_p_above([-log for log in logs], -margin)


def mann_whitney_p_above(logs: Sequence[float], base: Sequence[float], margin: float) -> float:
    """One-sided p of the Mann-Whitney test, if `logs` lie at most `margin` above `base`."""
    from scipy.stats import mannwhitneyu  # only where two files are compared: it takes 0.9 s to import

    return float(mannwhitneyu(np.asarray(logs) - margin, base, alternative="greater").pvalue)


def mann_whitney_p_below(logs: Sequence[float], base: Sequence[float], margin: float) -> float:
    """The same for `logs` at least `margin` above `base`."""
    return mann_whitney_p_above(base, logs, -margin)
