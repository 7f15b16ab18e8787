"""Charts over folio order: batched against per-page as a ratio, and what each costs a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.controls import Controls, controls
from bench.judge.stats import Samples, Summary
from bench.results import Results
from bench.show.chart_style import (
    SETTINGS,
    Style,
    folio_axis,
    legend,
    mark_contpte,
    panels,
    ribbon,
    style_of_path,
    style_of_variant,
)
from bench.show.figures import Figures
from bench.show.report import selected
from bench.show.rows import Row, Subject, rows_of, subjects
from bench.show.table import interval, percent

TITLE = 42  # characters of a panel's title on a line
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
            ratio_panel(panel, members, found, variants)
            mark_contpte(panel, results, [row.group for rows in members.values() for row in rows])
        legend(figure, axes)
    return figure


def ratio_panel(
    axes: Axes, members: Sections, found: Mapping[Case, Controls], variants: Sequence[str]
) -> None:
    """Batched over per-page of the sections, with the band of their A/A controls."""
    said = _order_0(next(iter(members.values()))) if len(members) == 1 else ""
    axes.set_title(f"{next(iter(members)).name}{said}")
    folio_axis(axes, sorted({row.order for rows in members.values() for row in rows}))
    axes.axhline(1, color="#444444", linewidth=0.5, zorder=1)
    _control_band(axes, {row.order: found[row.group] for rows in members.values() for row in rows})
    for subject, rows in members.items():
        _ratio_line(axes, subject.variant, rows, variants)
    axes.set_ylim(0, max(1.15, axes.get_ylim()[1]))
    axes.set_ylabel("ratio")


def _order_0(rows: Sequence[Row]) -> str:
    """The smallest folio's change in figures: too small to see, and the first question."""
    row = next((row for row in rows if row.order == 0 and row.comparison), None)
    if row is None or row.comparison is None:
        return ""
    what = f"same code; against {row.base}" if row.same_code else "batched / per-page"
    bounds = interval(row.comparison.change_interval)
    return f"\n{row.label}: {what} {percent(row.comparison.change)} {bounds}"


def _control_band(axes: Axes, by_order: Mapping[int, Controls]) -> None:
    """The interval of the A/A control around 1: what no difference looks like here."""
    twins = {order: c.twin.interval for order, c in sorted(by_order.items()) if c.twin and c.twin.interval}
    if twins:
        x, low, high = _widened(
            list(twins), [i.low for i in twins.values()], [i.high for i in twins.values()]
        )
        # The edge keeps a band visible that is narrower than a line.
        axes.fill_between(x, low, high, color="#AAAAAA", zorder=1.5, linewidth=1.5, label="A/A control, 95 %")


def _widened(x: list[float], low: list[float], high: list[float]) -> tuple[list[float], ...]:
    """Bands reach half an order beyond the first and last point, so that one point is visible."""
    return [x[0] - 0.3, *x, x[-1] + 0.3], [low[0], *low, low[-1]], [high[0], *high, high[-1]]


def _ratio_line(axes: Axes, variant: str, rows: Sequence[Row], variants: Sequence[str]) -> None:
    style = style_of_variant(variant, variants)
    measured = {row.order: row.comparison for row in rows if row.per_page and row.batched and row.comparison}
    same = [row.order for row in rows if row.same_code]
    ratios = {**dict.fromkeys(same, 1.0), **{order: found.ratio for order, found in measured.items()}}
    _line(axes, style, ratios, same, variant or "batched / per-page")
    ribbon(axes, style, {order: found.interval for order, found in measured.items()})


def _line(axes: Axes, style: Style, points: Mapping[int, float], same: Sequence[int], label: str) -> None:
    """Points over orders; hollow where the batched path is the per-page code."""
    x, solid = sorted(points), [order for order in sorted(points) if order not in same]
    axes.plot(x, [points[order] for order in x], linestyle=style.line, color=style.color, zorder=3)
    y = [points[order] for order in solid]
    axes.plot(solid, y, style.marker, color=style.color, markersize=4, clip_on=False, zorder=4)
    axes.plot([], [], linestyle=style.line, marker=style.marker, color=style.color, markersize=4, label=label)
    if same:
        y = [points[order] for order in same]
        axes.plot(same, y, style.marker, markersize=6.5, mfc="none", mec=style.color, mew=1.2, zorder=4)
        axes.plot([], [], "s", markersize=6.5, mfc="none", mec="#444444", mew=1.2, label="hollow: same code")


def cost_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Nanoseconds a page against folio size by path, a panel for each call and variant."""
    samples = Samples(results)
    by_subject = _of_several_sizes(subjects(selected(results, filters)))
    several = len({subject.variant for subject in by_subject}) > 1
    with matplotlib.rc_context(SETTINGS):
        known = any(samples.summary(case).interval for cases in by_subject.values() for case in cases)
        bounds = ", 95 % interval" if known else ""
        figure, axes = panels(len(by_subject), f"cost of a page{_in(by_subject)}{bounds}")
        for panel, (subject, cases) in zip(axes, by_subject.items()):
            panel.set_title(textwrap.fill(subject.title if several else subject.name, TITLE))
            cost_panel(panel, samples, cases)
        legend(figure, axes)
    return figure


def _of_several_sizes(by_subject: Mapping[Subject, list[Case]]) -> Mapping[Subject, list[Case]]:
    """Those that make a line; all if none does: a point alone says no more than the table."""
    found = {
        subject: cases for subject, cases in by_subject.items() if len({case.order for case in cases}) > 1
    }
    return found or by_subject


def _in(by_subject: Mapping[Subject, object]) -> str:
    variants = sorted({subject.variant for subject in by_subject} - {""})
    return f" in {variants[0]}" if len(variants) == 1 else ""


def cost_panel(axes: Axes, samples: Samples, cases: Sequence[Case]) -> None:
    """What a page costs on each path of one call and variant."""
    by_path: dict[str, dict[int, Summary]] = {}
    for case in cases:
        by_path.setdefault(case.get("path"), {})[case.order] = samples.summary(case)
    shared = [case for case in cases if samples.results.note(case, "same_code") and case.get("path") == "pte"]
    same = [case.order for case in shared]
    folio_axis(axes, sorted({case.order for case in cases}))
    mark_contpte(axes, samples.results, cases)
    for path, costs in by_path.items():
        style = style_of_path(path)
        both = {order: by_path["pte"][order] for order in same} if path == "ptes" else {}
        points = {order: 1e9 * cost.value for order, cost in {**costs, **both}.items()}
        _line(axes, style, points, same if path == "ptes" else (), style.label)
        ribbon(axes, style, {order: cost.interval for order, cost in costs.items()}, 1e9)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel(Figures(samples).unit)
