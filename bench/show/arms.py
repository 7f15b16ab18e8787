"""The two arms of a table's row, for styles that show one beside the other."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.judge.stats import Comparison, Samples, Summary
from bench.show.report import Section
from bench.show.rows import Row
from bench.show.table import NONE, wrap

OLD, NEW = "per-page", "batched"


@dataclass(frozen=True)
class Arms:
    """What a row compares: costs before and after, and the variant that is the base, if it is one."""

    before: Summary | None
    after: Summary | None
    against: str
    comparison: Comparison | None


def arms_of(row: Row) -> Arms:
    """Per-page and batched; where they are the same code or one is missing, the base and the variant."""
    if row.base:
        return Arms(row.base_value, row.value, row.base, row.comparison)
    return Arms(row.per_page, row.batched, "", row.comparison)


def compared(section: Section) -> list[Row]:
    """The rows that compare something; all if none does."""
    return [row for row in section.rows if row.comparison] or list(section.rows)


def spread(samples: Samples, summary: Summary) -> float:
    """Standard deviation over processes, as a fraction of the cost."""
    medians = list(samples[summary.case].medians.values())
    return statistics.stdev(medians) / summary.value if len(medians) > 1 else 0.0


def significant(comparison: Comparison | None) -> bool:
    """Does the interval leave out no change at all?"""
    bounds = comparison.change_interval if comparison else None
    return bounds is not None and not bounds.low <= 0 <= bounds.high


def heads(section: Section) -> tuple[str, str]:
    """What the two arms are called: if every row compares variants, by their names."""
    bases = {row.base for row in compared(section)}
    if bases - {""} and len(bases) == 1 and section.subject.variant:
        return bases.pop(), section.subject.variant
    return OLD, NEW


def mark(section: Section, row: Row) -> str:
    """A reference where a row compares something else than its column says."""
    return f" [{_others(section).index(_what(row)) + 1}]" if _what(row) in _others(section) else ""


def marked(section: Section) -> list[str]:
    """What the references mean."""
    variant = section.subject.variant or "this"
    return [wrap(f"[{n}] {variant} {what}") for n, what in enumerate(_others(section), 1)]


def _others(section: Section) -> list[str]:
    if heads(section) != (OLD, NEW):
        return []
    return list(dict.fromkeys(_what(row) for row in compared(section) if row.base))


def _what(row: Row) -> str:
    same = ", as batched and per-page are the same code" if row.same_code else ""
    return f"against {row.base}{same}" if row.base else ""


def change_words(comparison: Comparison | None) -> str:
    """-16.2%; what rounds to nothing has a plus."""
    return f"{round(100 * comparison.change, 1) + 0.0:+.1f}%" if comparison else NONE
