"""Forest plot of a gate: each judged change with its interval, its margin and its verdict."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Filters
from bench.errors import Untrusted, UsageError
from bench.judge import policy
from bench.judge.gate import Judged, Ruling, judge
from bench.judge.verdict import Verdict
from bench.results import Results
from bench.show.chart_style import BLACK, BLUE, GREEN, GREY, SETTINGS, VERMILION, WINE, Style, canvas, legend
from bench.show.gate import badness, short_name
from bench.show.gate_lines import FINE

ROW, FRAME = 0.2, 0.75  # inches
MOST = {False: 30, True: 12}  # rows of order 0 and of larger folios that are shown even if they are fine
STYLES = {
    Verdict.REGRESSED: Style(VERMILION, "X", "-", "REGRESSED"),
    Verdict.UNTRUSTED: Style(WINE, "D", ":", "UNTRUSTED"),
    Verdict.MISSING: Style(WINE, "x", ":", "MISSING"),
    Verdict.UNMEASURABLE: Style(WINE, "P", ":", "UNMEASURABLE"),
    Verdict.INCONCLUSIVE: Style(GREY, "s", "--", "INCONCLUSIVE"),
    Verdict.OK: Style(BLACK, "o", "-", "OK"),
    Verdict.FASTER: Style(BLUE, "<", "-", "FASTER"),
}


def forest_chart(results: Results, filters: Filters | None = None) -> Figure:
    """The verdicts of the tree's own policy; UsageError where there is nothing to judge."""
    try:
        return forest_of(judge(results, policy.load(), filters))
    except Untrusted as error:
        raise UsageError(str(error)) from None


def forest_of(ruling: Ruling) -> Figure:
    """Order 0 above, the larger folios below, worst first."""
    small = [item for item in ruling.judged if item.pair.case.order == 0]
    large = [item for item in ruling.judged if item.pair.case.order > 0]
    parts = [
        (name, _chosen(items)) for name, items in (("order 0", small), ("larger folios", large)) if items
    ]
    with matplotlib.rc_context(SETTINGS):
        heights = [ROW * len(items) + FRAME for _, items in parts]
        figure = canvas(7.2, sum(heights) + 0.5, "verdicts: change with 95 % interval; dashed: margin")
        panels = figure.subplots(len(parts), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for axes, (name, items) in zip(panels, parts):
            whole = len(small if name == "order 0" else large)
            axes.set_title(name + (f", the worst {len(items)} of {whole}" if len(items) < whole else ""))
            _panel(axes, items)
        legend(figure, panels)
    return figure


def _chosen(items: Sequence[Judged]) -> list[Judged]:
    """The worst, and everything that is not fine."""
    ordered, most = sorted(items, key=badness), MOST[items[0].pair.case.order > 0]
    return [item for n, item in enumerate(ordered) if n < most or item.verdict not in FINE][: 2 * MOST[False]]


def _panel(axes: Axes, items: Sequence[Judged]) -> None:
    for y, item in enumerate(items):
        _row(axes, item, y)
    axes.axvline(0, color="#444444", linewidth=0.6, zorder=1)
    axes.set_yticks(range(len(items)), [short_name(item) for item in items], fontsize=7)
    axes.set_ylim(len(items) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("change, %")


def _row(axes: Axes, item: Judged, y: int) -> None:
    style, found, margin = STYLES[item.verdict], item.comparison, 100 * item.margin.value
    axes.plot([margin, margin], [y - 0.5, y + 0.5], "--", color=GREEN, linewidth=0.9, zorder=2)
    beside = axes.get_yaxis_transform()
    axes.text(1.01, y, style.label, transform=beside, va="center", fontsize=6.5, color=style.color)
    if found is None:
        return
    if bounds := found.change_interval:
        axes.plot(
            [100 * bounds.low, 100 * bounds.high],
            [y, y],
            linestyle=style.line,
            color=style.color,
            linewidth=1.6,
        )
    point = ([100 * found.change], [y], style.marker)
    axes.plot(*point, color=style.color, markersize=5, linestyle="", label=style.label, zorder=4)
