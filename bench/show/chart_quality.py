"""Chart of the gate's own quality: how often it goes red, beside two tests without margin and controls."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.judge.quality import Record
from bench.show.chart_style import BLUE, GREY, SETTINGS, VERMILION, Style, canvas, legend
from bench.show.quality import Row, rows

ROW, FRAME = 0.55, 1.3  # inches
JUDGES = {
    "gate": Style(BLUE, "o", "-", "this gate"),
    "mann_whitney": Style(VERMILION, "s", "--", "Mann-Whitney at 5 %"),
    "pyperf": Style(GREY, "D", ":", "pyperf compare_to"),
}


def quality_chart(record: Record) -> Figure:
    """A row for each kind of gate, the share of gates that went red with its 95 % interval."""
    found = rows(record)
    if not found:
        raise UsageError(f"{record.path}: no gate was tried yet; try some before drawing them")
    with matplotlib.rc_context(SETTINGS):
        figure = canvas(7.2, ROW * len(found) + FRAME, "how often a gate at order 0 goes red, 95 % interval")
        axes = figure.subplots()
        for y, row in enumerate(found):
            for place, judge in enumerate(JUDGES):
                _mark(axes, row, judge, y + 0.22 * (place - 1))
        _frame(axes, found)
        legend(figure, [axes])
    return figure


def _mark(axes: Axes, row: Row, judge: str, y: float) -> None:
    style, rate = JUDGES[judge], row.rates[judge]
    bounds = [100 * rate.interval.low, 100 * rate.interval.high]
    axes.plot(bounds, [y, y], linestyle=style.line, color=style.color, linewidth=1.6)
    point = ([100 * rate.share], [y], style.marker)
    axes.plot(*point, color=style.color, markersize=4.5, linestyle="", label=style.label, clip_on=False)


def _frame(axes: Axes, found: Sequence[Row]) -> None:
    labels = [f"{row.name}\n{row.rates['gate'].of} gates" for row in found]
    axes.set_yticks(range(len(found)), labels, fontsize=7)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(-1, 101)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("gates that went red, %")
    if sum(row.same for row in found) in range(1, len(found)):
        axes.axhline(sum(row.same for row in found) - 0.5, color="#444444", linewidth=0.6)
