"""Evidence: what a pair's samples say about its margin, within one run, between two, or of exact counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.judge.boots import LEAST_BOOTS, Boots
from bench.judge.estimate import Estimate, difference, t_interval
from bench.judge.flags import flags
from bench.judge.pairs import Pair
from bench.judge.policy import Margin
from bench.judge.stats import Comparison, Note, Samples, compare, paired_logs
from bench.judge.stats_margin import ALPHA
from bench.judge.stats_rank import attainable_p
from bench.judge.verdict import Claims

LACKING = "UNMEASURABLE"
FLOOR = 0.05e-9  # seconds a page: what no code placement and no clock tells from nothing
CLOCK_STEPS = 3  # a batch


@dataclass(frozen=True)
class Evidence:
    """A comparison, the estimate behind it, its tests against the margin, and what casts doubt on it."""

    pair: Pair
    margin: Margin
    comparison: Comparison
    estimate: Estimate
    tests: Claims
    doubts: tuple[Note, ...]
    processes: int
    boots: Boots | None = None  # of counts

    @property
    def limit(self) -> float:
        """The margin as a log ratio."""
        return math.log1p(self.margin.value)

    @property
    def usable(self) -> bool:
        """Are there processes, or boots, enough for ranks to reach the level of the tests?"""
        return self.boots.enough if self.boots else attainable_p(self.processes) <= ALPHA

    @property
    def too_few(self) -> Note:
        """What is lacking where there are not."""
        if self.boots:
            base, new = self.boots.number
            return Note(LACKING, f"a verdict takes {LEAST_BOOTS} boots in either file", f"{base} and {new}")
        return Note(LACKING, "too few processes with enough quiet rounds", str(self.processes))


def within(samples: Samples, pair: Pair, margin: Margin) -> Evidence | None:
    """Of a pair in one run; None if a side of it is missing."""
    if pair.case not in samples or pair.base not in samples:
        return None
    margin = above_floor(samples, pair, margin)
    limit = math.log1p(margin.value)
    found = samples.compare(pair.case, pair.base)
    processes = len(paired_logs(samples[pair.case], samples[pair.base]))
    logs = found.log_ratios if processes else ()
    tests = Claims.of(found.estimate, logs, limit)
    doubts = tuple(flags(samples, pair, limit))
    return Evidence(pair, margin, found, found.estimate, tests, doubts, processes)


def between(samples: Samples, old: Samples, pair: Pair, margin: Margin) -> Evidence | None:
    """Of how a pair's ratio differs from the one it had in an older run; None if that lacks it."""
    new, before = within(samples, pair, margin), within(old, pair, margin)
    if new is None or before is None:
        return None
    logs, other = new.comparison.log_ratios, before.comparison.log_ratios
    estimate = difference(new.estimate, before.estimate)
    processes = min(new.processes, before.processes)
    interval = t_interval(estimate) if attainable_p(processes) <= ALPHA else None
    found = replace(
        new.comparison, ratio=math.exp(estimate.mean), interval=interval, estimate=estimate,
        sd=estimate.error * math.sqrt(processes), notes=(*new.comparison.notes, *before.comparison.notes),
    )  # fmt: skip
    tests = Claims.of_two(estimate, logs, other, new.limit)
    doubts = (*new.doubts, *before.doubts)
    return replace(new, comparison=found, estimate=estimate, tests=tests, doubts=doubts, processes=processes)


def counted(samples: Samples, old: Samples, pair: Pair, margin: Margin) -> Evidence | None:
    """Of instructions against those in an older run, boot against boot; None if a side is missing."""
    if pair.case not in samples or pair.base not in old:
        return None
    margin, boots = above_floor(old, pair, margin), Boots.of(old[pair.base], samples[pair.case])
    found = compare(samples[pair.case], old[pair.base], paired=False)
    interval = t_interval(found.estimate) if boots.enough else None
    processes = min(boots.number)
    sd = found.estimate.error * math.sqrt(processes)
    found = replace(found, interval=interval, sd=sd, notes=())
    base, new = (tuple(map(math.log, side)) for side in (boots.base, boots.new))
    limit = math.log1p(margin.value)
    tests = Claims.of_two(found.estimate, new, base, limit)
    return Evidence(pair, margin, found, found.estimate, tests, (), processes, boots)


def above_floor(samples: Samples, pair: Pair, margin: Margin) -> Margin:
    """The margin, or the absolute floor as a part of the base where that is more."""
    run = samples.results.runs[pair.base][0]
    step = float(samples.results.metadata.get("clock_step_ns", 1)) * 1e-9
    steps = CLOCK_STEPS * step / (run.loops * float(run.metadata.get("pages", 1)))
    least = max(FLOOR, steps) / samples.summary(pair.base).value
    return margin if least <= margin.value else Margin(least, "the absolute floor")
