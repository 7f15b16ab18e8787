"""One-sided t tests of a log ratio against a margin, and what a sample of that size can show at all."""

from __future__ import annotations

import math

from scipy.special import nctdtrinc, stdtr, stdtrit

from bench.judge.stats import Estimate

ALPHA = 0.05  # one-sided: an error the judge makes this often, at most
POWER = 0.9
MOST_PROCESSES = 1000  # beyond that, more processes are no advice


def p_above(estimate: Estimate, margin: float) -> float:
    """How likely such an estimate or a larger one is, if the true log ratio is `margin` at most."""
    distance = estimate.mean - margin
    if not estimate.error > 0:  # equal to the last digit in every process, or one process
        return _certain(distance) if estimate.error == 0 else 1.0
    return float(stdtr(estimate.freedom, -distance / estimate.error))


def p_below(estimate: Estimate, margin: float) -> float:
    """How likely such an estimate or a smaller one is, if the true log ratio is `margin` at least."""
    return p_above(estimate._replace(mean=-estimate.mean), -margin)


def _certain(distance: float) -> float:
    return 0.0 if distance > 0 else 1.0


def reach(estimate: Estimate, alpha: float = ALPHA) -> float:
    """How far the one-sided bound lies from the estimate; it does not know on which side of anything."""
    if estimate.error == 0:
        return 0.0
    return float(stdtrit(estimate.freedom, 1 - alpha)) * estimate.error


def detectable(estimate: Estimate, alpha: float = ALPHA) -> float:
    """How far beyond the margin a true log ratio must lie to be seen there with POWER."""
    if estimate.error == 0:
        return 0.0
    limit = float(stdtrit(estimate.freedom, 1 - alpha))
    return float(nctdtrinc(estimate.freedom, 1 - POWER, limit)) * estimate.error


def processes_needed(sd: float, distance: float, alpha: float = ALPHA) -> int | None:
    """Processes that tell, with POWER, a log ratio from one `distance` away; None if too many to name.

    About (z_alpha + z_power)^2 (sd / distance)^2 + 2; this is the exact number, of the noncentral t.
    """
    for n in range(2, MOST_PROCESSES + 1):
        freedom = n - 1
        away = float(nctdtrinc(freedom, 1 - POWER, float(stdtrit(freedom, 1 - alpha))))
        if away * sd <= abs(distance) * math.sqrt(n):
            return n
    return None
