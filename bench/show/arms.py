"""The two arms of a table's row, for styles that show one beside the other."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.judge.stats import Comparison, Samples, Summary
from bench.show.report import Section
from bench.show.rows import Row


@dataclass(frozen=True)
class Arms:
    """What a row compares: costs before and after."""

    before: Summary | None
    after: Summary | None
    comparison: Comparison | None


def arms_of(row: Row) -> Arms:
    """Per-page and batched; where they are the same code or one is missing, the base and the variant."""
    if row.base:
        return Arms(row.base_value, row.value, row.comparison)
    return Arms(row.per_page, row.batched, row.comparison)


def compared(section: Section) -> list[Row]:
    """The rows that compare something; all if none does."""
    return [row for row in section.rows if row.comparison] or list(section.rows)


def spread(samples: Samples, summary: Summary) -> float:
    """Standard deviation over processes, as a fraction of the cost."""
    medians = list(samples[summary.case].medians.values())
    return statistics.stdev(medians) / summary.value if len(medians) > 1 else 0.0
