"""Tables as mmtests prints them: a metric, a size, an arm a column with its gain in brackets."""

from __future__ import annotations

from bench.judge.stats import Samples
from bench.show.arms import arms_of, compared, heads, mark, marked, significant, spread
from bench.show.figures import Figures
from bench.show.report import Section
from bench.show.rows import Row
from bench.show.table import NONE, wrap

METRICS = ("Median", "CoeffVar")
ARM = 22  # columns


def mmtests_table(samples: Samples, section: Section) -> str:
    """Medians, then coefficients of variation in percent; the base of some rows is named behind them."""
    (old, new), rows, figures = heads(section), compared(section), Figures(samples)
    lines = [" " * 18 + f"{old[: ARM - 1]:>{ARM}}{new[: ARM - 1]:>{ARM}}"]
    lines += [_median(figures, row) + mark(section, row) for row in rows]
    lines += [_variation(samples, row) + mark(section, row) for row in rows]
    title = wrap(f"{section.subject.title}, {figures.unit}")
    return "\n".join([title, "", *lines, *marked(section)]) + "\n"


def _median(figures: Figures, row: Row) -> str:
    found = arms_of(row)
    gain = -100 * found.comparison.change if found.comparison else None
    costs = [figures.plain(cost.value) if cost else NONE for cost in (found.before, found.after)]
    return _line(METRICS[0], row, _cell(costs[0], 0.0), _cell(costs[1], gain, significant(found.comparison)))


def _variation(samples: Samples, row: Row) -> str:
    found = arms_of(row)
    shares = [100 * spread(samples, cost) if cost else None for cost in (found.before, found.after)]
    old, new = shares
    gain = 100 * (1 - new / old) if old and new is not None else None
    cells = [NONE if share is None else f"{share:.2f}" for share in shares]
    return _line(METRICS[1], row, _cell(cells[0], 0.0), _cell(cells[1], gain))


def _line(metric: str, row: Row, *cells: str) -> str:
    return f"{metric:<9} {row.label:<8}{''.join(cells)}"


def _cell(cost: str, gain: float | None, sure: bool = False) -> str:
    """10.73 (   0.00%); between stars if the difference is sure."""
    if cost == NONE or gain is None:
        return f"{cost:>{ARM}}"
    opening, closing = "**" if sure else "()"
    return f"{f'{cost} {opening}{round(gain, 2) + 0.0:>8.2f}%{closing}':>{ARM}}"
