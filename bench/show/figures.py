"""How a figure is written: nanoseconds, or instructions with their spread over boots."""

from __future__ import annotations

from collections.abc import Iterable

from bench.judge.stats import Comparison, Samples, Summary
from bench.results import Results
from bench.show.table import NONE, nanoseconds

GUESTS = "vm"  # the lane and level whose machines are guests
PAIRED = (
    "a cost is the median over all rounds, a change that of the ratios within rounds, which leaves out "
    "drift: the two need not agree"
)
APART = 0.005  # from there on a reader sees that they do not


class Figures:
    """Writes the figures of one result file."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.counted = samples.results.counted

    @property
    def unit(self) -> str:
        """What a figure is."""
        return "instructions a page" if self.counted else "ns a page"

    @property
    def explained(self) -> str:
        """For a title: the unit, and what stands beside each figure."""
        return f"{self.unit} (+- half the range over boots)" if self.counted else self.unit

    def cell(self, summary: Summary | None) -> str:
        """A figure; of instructions with its spread."""
        if summary is None:
            return NONE
        if not self.counted:
            return nanoseconds(summary.value)
        spread = self.spread(summary)
        return instructions(summary.value) + ("" if spread is None else f" +-{100 * spread:.2f}%")

    def plain(self, seconds: float) -> str:
        """A figure without its spread."""
        return instructions(seconds) if self.counted else nanoseconds(seconds)

    def spread(self, summary: Summary) -> float | None:
        """Half the range over processes as a fraction of the figure; None of one process."""
        medians = self.samples[summary.case].medians.values()
        return (max(medians) - min(medians)) / 2 / summary.value if len(medians) > 1 else None


def instructions(seconds: float) -> str:
    """Four digits, without exponent; a billionth of a second is an instruction."""
    count = seconds * 1e9
    return f"{count:.{max(0, 4 - len(str(int(count)))) if count >= 1 else 3}f}"


def apart(samples: Samples, comparisons: Iterable[Comparison]) -> list[str]:
    """Why costs and changes do not agree, where one can see that they do not."""
    for found in comparisons:
        new, old = (samples.summary(case).value for case in (found.case, found.base))
        if abs(new / old - 1 - found.change) >= APART:
            return [PAIRED]
    return []


def unit_of(results: Results) -> str:
    """What figures are repeated over."""
    return "boots" if results.metadata.get("lane") == GUESTS else "processes"
