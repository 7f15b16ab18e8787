"""When to stop measuring: when the intervals are narrow, never when they say what somebody likes.

Each group of cases is decided by itself, so that one that is slow to decide does not hold up the others.
The rule sees the spread of the processes and their number. It does not see on which side of anything an
estimate lies, so that looking after every process makes no false alarm more likely (measurement that goes on
until it is significant ends significant).
"""

from __future__ import annotations

from bench.case import Case
from bench.judge.controls import Controls, controls
from bench.judge.evidence import Evidence, within
from bench.judge.gate import margin_of
from bench.judge.pairs import gated, pairs
from bench.judge.policy import Policy
from bench.judge.stats import Samples
from bench.judge.stats_margin import ALPHA, reach
from bench.results import Results

# Of the margin, that the strictest bound, Holm's, may lie from the estimate: twice the margin is then seen 99
# times in 100, and no difference is shown to be within it.
SHARE = 0.6


def undecided(results: Results, policy: Policy) -> set[Case]:
    """The groups in which a judged interval, or that of the A/A control, is too wide to decide."""
    samples = Samples(results)
    judged = gated(pairs(results))
    found = [within(samples, pair, margin_of(results, policy, pair.case)) for pair in judged]
    evidence = [item for item in found if item]
    known, alpha = controls(samples), ALPHA / max(1, len(evidence))
    return {
        item.pair.case.group for item in evidence if not _decided(item, known[item.pair.case.group], alpha)
    }


def _decided(item: Evidence, group: Controls, alpha: float) -> bool:
    return _narrow(item, alpha) and _control_is_narrow(group, item)


def _narrow(item: Evidence, alpha: float) -> bool:
    return item.usable and reach(item.estimate, alpha) <= SHARE * item.limit


def _control_is_narrow(group: Controls, item: Evidence) -> bool:
    """Groups without a control will never have one."""
    return group.twin is None or reach(group.twin.estimate) <= SHARE * item.limit
