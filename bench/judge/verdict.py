"""Verdicts: what one comparison with a margin allows to be said, all tests one-sided at 5 %."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.judge.estimate import Estimate
from bench.judge.stats import Note
from bench.judge.stats_margin import ALPHA, p_above, p_below
from bench.judge.stats_rank import (
    mann_whitney_p_above,
    mann_whitney_p_below,
    signed_rank_p_above,
    signed_rank_p_below,
)


class Verdict(StrEnum):
    """In the order in which they are shown: worst first."""

    REGRESSED = "REGRESSED"  # shown to be beyond the margin
    UNTRUSTED = "UNTRUSTED"  # a control of the group failed
    MISSING = "MISSING"  # not in the file
    UNMEASURABLE = "UNMEASURABLE"  # too few processes or quiet rounds
    INCONCLUSIVE = "INCONCLUSIVE"  # neither shown to be beyond the margin nor within it
    OK = "OK"  # shown to be within the margin
    FASTER = "FASTER"  # shown to be faster by more than the margin

    @property
    def severity(self) -> int:
        """Smaller is worse."""
        return list(Verdict).index(self)


UNUSABLE = (Verdict.UNTRUSTED, Verdict.MISSING, Verdict.UNMEASURABLE)


@dataclass(frozen=True)
class Claims:
    """p-values by t and by ranks of three claims: above the margin, below it, and below minus the margin."""

    above: float
    below: float
    faster: float
    rank_above: float
    rank_below: float
    rank_faster: float

    @classmethod
    def of(cls, estimate: Estimate, logs: Sequence[float], margin: float) -> Claims:
        """Of the log ratios of paired processes."""
        ranks = (
            signed_rank_p_above(logs, margin),
            signed_rank_p_below(logs, margin),
            signed_rank_p_below(logs, -margin),
        )
        return cls(*_by_t(estimate, margin), *ranks)

    @classmethod
    def of_two(cls, estimate: Estimate, logs: Sequence[float], old: Sequence[float], margin: float) -> Claims:
        """Of the log ratios of two runs whose processes have nothing to do with each other."""
        ranks = (
            mann_whitney_p_above(logs, old, margin),
            mann_whitney_p_below(logs, old, margin),
            mann_whitney_p_below(logs, old, -margin),
        )
        return cls(*_by_t(estimate, margin), *ranks)


def _by_t(estimate: Estimate, margin: float) -> tuple[float, float, float]:
    return p_above(estimate, margin), p_below(estimate, margin), p_below(estimate, -margin)


def decide(tests: Claims, adjusted: float, doubts: Iterable[Note] = ()) -> Verdict:
    """The verdict; `adjusted` is tests.above after Holm, doubts are flags that forbid REGRESSED.

    Holm is for REGRESSED alone: that all cases are fine needs no correction (intersection-union). The ranks
    must agree at the plain level: with 8 processes their smallest p is 0.004, too large to be adjusted.
    """
    if adjusted <= ALPHA:
        agreed = tests.rank_above <= ALPHA and not list(doubts)
        return Verdict.REGRESSED if agreed else Verdict.INCONCLUSIVE
    if max(tests.faster, tests.rank_faster) <= ALPHA:
        return Verdict.FASTER
    return Verdict.OK if max(tests.below, tests.rank_below) <= ALPHA else Verdict.INCONCLUSIVE


def exit_code(verdicts: Iterable[Verdict], strict: bool = False) -> int:
    """The program's exit code: 3, else 6, else (strict) 5, else 0."""
    found = set(verdicts)
    if Verdict.REGRESSED in found:
        return 3
    if found & set(UNUSABLE):
        return 6
    return 5 if strict and Verdict.INCONCLUSIVE in found else 0
