"""Operation counts as stacked bars, beside the time measured of the same case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.counts import Counts
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.chart_style import BLACK, BLUE, GREY, ORANGE, SETTINGS, SKY, VERMILION, canvas, legend
from bench.show.figures import Figures
from bench.show.report import selected
from bench.show.rows import Subject, rank, variant_of
from bench.show.table import size

ROW, FRAME = 0.2, 1.1  # inches
MOST = 40  # bars
ORDERS = (0, 4, 9)  # unless filters name others
# What is stacked: counts, label, colour, hatch; locked operations first, as they cost most.
PARTS = (
    ("locked_used", "locked, result used", VERMILION, ""),
    ("locked_unused", "locked", ORANGE, "//"),
    ("fences", "fences", BLACK, ""),
    ("stores", "stores", BLUE, ".."),
    ("loads", "loads", SKY, ""),
    ("statistics", "statistics", GREY, "xx"),
)


def counts_chart(results: Results, counts: Counts, filters: Filters | None = None) -> Figure:
    """Counts a page to the left, time a page to the right; UsageError if no case has both."""
    every = _chosen(results, counts, filters)
    chosen, whole = every[:MOST], len(every)
    with matplotlib.rc_context(SETTINGS):
        some = f", {MOST} of {whole} cases" if whole > MOST else ""
        title = f"operations a page (left), and what they take (right){some}"
        figure = canvas(9.0, ROW * len(chosen) + FRAME, title)
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (3, 2)})
        _bars(left, chosen, counts)
        _times(right, chosen, Samples(results))
        left.set_yticks(range(len(chosen)), [_label(case) for case in chosen], fontsize=6.5)
        left.set_ylim(len(chosen) - 0.4, -0.6)
        legend(figure, [left])
    return figure


def _chosen(results: Results, counts: Counts, filters: Filters | None) -> list[Case]:
    both = [case for case in selected(results, filters) if case.name in counts]
    if not (filters and filters.values("order")):
        both = [case for case in both if case.order in ORDERS]
    if not both:
        raise UsageError("no case of the file has counts; count the same cases with `rmapbench count -o`")
    return sorted(both, key=_place)


def _place(case: Case) -> tuple[object, ...]:
    """Cases of a call together, smallest folio first; in a group by variant and path."""
    return Subject(case.group.but(order=None), "").name, case.order, rank(variant_of(case)), case.get("path")


def _label(case: Case) -> str:
    words = [Subject(case.group.but(order=None), "").name, variant_of(case), case.get("path")]
    return " ".join(filter(None, [*words, size(case.order)]))


def _bars(axes: Axes, cases: Sequence[Case], counts: Counts) -> None:
    y, left = np.arange(len(cases)), np.zeros(len(cases))
    for key, label, color, hatch in PARTS:
        width = np.array([_a_page(counts[case.name], key, case) for case in cases])
        axes.barh(
            y, width, 0.7, left, color=color, hatch=hatch, edgecolor="white", linewidth=0.4, label=label
        )
        left = left + width
    axes.set_xlabel("operations a page")
    axes.grid(axis="y", visible=False)


def _a_page(counted: Mapping[str, int], key: str, case: Case) -> float:
    return counted[key] / (1 << case.order)


def _times(axes: Axes, cases: Sequence[Case], samples: Samples) -> None:
    costs, figures = [samples.summary(case) for case in cases], Figures(samples)
    values = [1e9 * cost.value for cost in costs]
    axes.barh(range(len(cases)), values, 0.7, color="#BBBBBB", edgecolor="#444444", linewidth=0.5)
    for y, cost in enumerate(costs):
        axes.text(1e9 * cost.value, y, f" {figures.plain(cost.value)}", va="center", fontsize=6)
    axes.set_xlabel(figures.unit)
    axes.set_xlim(0, 1.15 * max(values))
    axes.tick_params(labelleft=False)
    axes.grid(axis="y", visible=False)
