"""The controls of each group: does equal look equal, and is a known difference seen at its size?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.case import Case
from bench.judge.estimate import Interval
from bench.judge.stats import Comparison, Samples

# Of a positive control's true size: outside lies a bias of the code's shape, which equal code cannot show.
RECOVERED = Interval(0.6, 1.4)


@dataclass(frozen=True)
class Positive:
    """An arm with locked instructions, or memory, added, against the arm without them."""

    comparison: Comparison
    true: float  # what the addition costs, as a fraction of the arm's cost

    @property
    def recovered(self) -> float:
        """Estimated size over true size; 1 is perfect."""
        return self.comparison.change / self.true

    @property
    def holds(self) -> bool:
        """Was it seen at about its size?"""
        return RECOVERED.low <= self.recovered <= RECOVERED.high

    @property
    def missed_by(self) -> float | None:
        """The log ratio by which noise may keep it from its size; None if it is not noise that does."""
        return farthest(self.comparison, math.log1p(self.true))


@dataclass(frozen=True)
class Controls:
    """What the controls of one group found; None where a control is missing."""

    group: Case
    twin: Comparison | None
    positive: Positive | None

    def equal_within(self, margin: float) -> bool:
        """Does the whole interval of the A/A control lie within +- `margin` (a fraction)?"""
        interval = self.twin.change_interval if self.twin else None
        return interval is not None and -margin <= interval.low and interval.high <= margin


def farthest(found: Comparison, true: float) -> float | None:
    """How far from the true log ratio the interval reaches that has it; None if it has it not."""
    if found.interval is None:
        return None
    below, above = true - math.log(found.interval.low), math.log(found.interval.high) - true
    return max(below, above) if min(below, above) >= 0 else None


def controls(samples: Samples) -> dict[Case, Controls]:
    """The controls of every group in the file, also of those that have none."""
    found = {case.group: Controls(case.group, None, None) for case in samples}
    for case in samples:
        base = case.but(control=None)
        if case.get("control") == "twin" and base in samples:
            found[case.group] = replace(found[case.group], twin=samples.compare(case, base))
        elif case.get("control") == "positive" and base in samples:
            found[case.group] = replace(found[case.group], positive=_positive(samples, case, base))
    return found


def _positive(samples: Samples, case: Case, base: Case) -> Positive | None:
    """None where the file does not say how large the control truly is."""
    more, nominal = (samples.results.note(case, key) for key in ("extra_pages", "pages"))
    if more and nominal:
        return Positive(samples.compare(case, base), float(more) / float(nominal))
    added, pages = (samples.results.note(case, key) for key in ("extra_locked", "pages"))
    yardstick = case.group.but(control="yardstick")
    if not added or not pages or yardstick not in samples:
        return None
    seconds = float(added) / float(pages) * samples.summary(yardstick).value
    return Positive(samples.compare(case, base), seconds / samples.summary(base).value)
