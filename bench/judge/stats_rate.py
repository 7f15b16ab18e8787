"""The share of trials that ended in some way, with its exact interval."""

from __future__ import annotations

from scipy.special import betaincinv

from bench.judge.stats import LEVEL, Interval


def rate_interval(hits: int, of: int) -> Interval:
    """Clopper and Pearson's interval of a share; from 0 to 1 if nothing was tried."""
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(hits, of - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, of - hits, 1 - tail)) if hits < of else 1.0
    return Interval(low, high)
