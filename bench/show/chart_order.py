"""Charts over folio order: batched against per-page as a ratio, and what each costs a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.controls import Controls, controls
from bench.judge.stats import Samples, Summary
from bench.results import Results
from bench.show.chart_style import SETTINGS, folio_axis, legend, panels, style_of_path, style_of_variant
from bench.show.report import selected
from bench.show.rows import Row, Subject, rows_of, subjects

Sections = dict[Subject, list[Row]]


def ratio_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Batched over per-page against folio size, a panel a call; UsageError if no call has both."""
    samples = Samples(results)
    cases = subjects(selected(results, filters))
    sections = {subject: rows_of(samples, found) for subject, found in cases.items()}
    families: dict[Case, Sections] = {}
    for subject, rows in sections.items():
        if any(row.per_page and row.batched for row in rows):
            families.setdefault(subject.family, {})[subject] = rows
    if not families:
        raise UsageError("no call was measured both per-page and batched; run path=pte,ptes for a ratio")
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panels(len(families), "batched / per-page: cost of a page, 95 % interval")
        found = controls(samples)
        variants = [subject.variant for subject in sections]
        for panel, members in zip(axes, families.values()):
            _ratio_panel(panel, members, found, variants)
        legend(figure, axes)
    return figure


def _ratio_panel(
    axes: Axes, members: Sections, found: Mapping[Case, Controls], variants: Sequence[str]
) -> None:
    axes.set_title(next(iter(members)).name)
    orders = sorted({row.order for rows in members.values() for row in rows})
    folio_axis(axes, orders)
    axes.axhline(1, color="#444444", linewidth=0.8, zorder=1)
    _control_band(axes, {row.order: found[row.group] for rows in members.values() for row in rows})
    for subject, rows in members.items():
        _ratio_line(axes, subject.variant, rows, variants)
    axes.set_ylim(0, max(1.15, axes.get_ylim()[1]))
    axes.set_ylabel("ratio")


def _control_band(axes: Axes, by_order: Mapping[int, Controls]) -> None:
    """The interval of the A/A control around 1: what no difference looks like here."""
    twins = {order: c.twin.interval for order, c in sorted(by_order.items()) if c.twin and c.twin.interval}
    if twins:
        x, low, high = _widened(
            list(twins), [i.low for i in twins.values()], [i.high for i in twins.values()]
        )
        axes.fill_between(x, low, high, color="#BBBBBB", zorder=1, linewidth=0, label="A/A control, 95 %")


def _widened(x: list[float], low: list[float], high: list[float]) -> tuple[list[float], ...]:
    """Bands reach half an order beyond the first and last point, so that one point is visible."""
    return [x[0] - 0.3, *x, x[-1] + 0.3], [low[0], *low, low[-1]], [high[0], *high, high[-1]]


def _ratio_line(axes: Axes, variant: str, rows: Sequence[Row], variants: Sequence[str]) -> None:
    style = style_of_variant(variant, variants)
    points = [(row.order, row.comparison) for row in rows if row.per_page and row.batched and row.comparison]
    x, y = [order for order, _ in points], [found.ratio for _, found in points]
    axes.plot(x, y, style.line, marker=style.marker, color=style.color, label=variant, markersize=4, zorder=3)
    bounds = [(order, found.interval) for order, found in points if found.interval]
    low, high = [i.low for _, i in bounds], [i.high for _, i in bounds]
    axes.fill_between([order for order, _ in bounds], low, high, color=style.color, alpha=0.25, zorder=2)
    if any(row.same_code for row in rows):
        hollow = {"markerfacecolor": "white", "markeredgecolor": style.color, "linestyle": ""}
        axes.plot([0], [1], marker=style.marker, label=f"{variant}: same code", zorder=3, **hollow)


def cost_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Nanoseconds a page against folio size by path, a panel for each call and variant."""
    samples = Samples(results)
    by_subject = subjects(selected(results, filters))
    several = len({subject.variant for subject in by_subject}) > 1
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panels(len(by_subject), f"cost of a page{_in(by_subject)}, 95 % interval")
        for panel, (subject, cases) in zip(axes, by_subject.items()):
            panel.set_title(f"{subject.name}, {subject.variant}" if several else subject.name)
            _cost_panel(panel, samples, cases)
        legend(figure, axes)
    return figure


def _in(by_subject: Mapping[Subject, object]) -> str:
    variants = sorted({subject.variant for subject in by_subject} - {""})
    return f" in {variants[0]}" if len(variants) == 1 else ""


def _cost_panel(axes: Axes, samples: Samples, cases: Sequence[Case]) -> None:
    by_path: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.order):
        by_path.setdefault(case.get("path"), []).append(case)
    folio_axis(axes, sorted({case.order for case in cases}))
    for path, members in by_path.items():
        _cost_line(axes, path, [case.order for case in members], [samples.summary(case) for case in members])
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel("ns a page")


def _cost_line(axes: Axes, path: str, orders: Sequence[int], costs: Sequence[Summary]) -> None:
    style = style_of_path(path)
    y = [1e9 * cost.value for cost in costs]
    axes.plot(orders, y, style.line, marker=style.marker, color=style.color, label=style.label, markersize=4)
    bounds = [(order, cost.interval) for order, cost in zip(orders, costs) if cost.interval]
    low, high = [1e9 * i.low for _, i in bounds], [1e9 * i.high for _, i in bounds]
    axes.fill_between([order for order, _ in bounds], low, high, color=style.color, alpha=0.25, linewidth=0)
