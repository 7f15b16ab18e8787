"""Chart of a history: each ratio, or count, over result files, with its levels between changes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.judge.history import File, Series
from bench.show.chart_style import BLACK, BLUE, SETTINGS, VERMILION, legend, panels
from bench.show.history import label_of

MOST = 24  # panels
LEAST_SPAN = 1.0  # percent of the y axis: less is nothing to look at
PAIRS = "change against each pair's base"


def history_chart(files: Sequence[File], found: Sequence[Series]) -> Figure:
    """A panel a pair, those that changed first, then order 0; UsageError if there is none."""
    if not found:
        raise UsageError("no pair to draw; see `rmapbench list`")
    chosen = sorted(found, key=lambda item: (not item.changes, item.pair.case.order > 0))[:MOST]
    with matplotlib.rc_context(SETTINGS):
        more = (
            f", {len(chosen)} of {len(found)}{'' if found[0].own else ' pairs'}"
            if len(chosen) < len(found)
            else ""
        )
        said = "counts, and changes against each pair's base," if found[0].own else PAIRS
        figure, axes = panels(len(chosen), f"{said} over {len(files)} files{more}", 2.0)
        for panel, item in zip(axes, chosen):
            panel.set_title(label_of(item), fontsize=7.5)
            _panel(panel, files, item)
        legend(figure, axes)
    return figure


def _panel(axes: Axes, files: Sequence[File], item: Series) -> None:
    x = [files.index(point.file) for point in item.points]
    y = [_height(item, point.value) for point in item.points]
    bounds = [point.reach for point in item.points]
    reach = [(_height(item, b.low), _height(item, b.high)) if b else (v, v) for b, v in zip(bounds, y)]
    bars = "range over boots" if item.own else "95 % interval"
    axes.vlines(x, *np.array(reach).T, color=BLUE, linewidth=1.4, label=bars)
    axes.plot(x, y, "o", color=BLACK, markersize=3.5, label="a file")
    ends = [0, *item.changes, len(x)]
    for level, start, end in zip(item.levels, ends, ends[1:]):
        height = [_height(item, level)] * 2
        axes.plot([x[start] - 0.4, x[end - 1] + 0.4], height, "-", color="#777777", label="level")
    for at in item.changes:
        axes.axvline(x[at] - 0.5, color=VERMILION, linestyle="--", linewidth=1.2, label="changed for good")
    _fit(axes, files, LEAST_SPAN * (y[0] / 100 if item.own else 1))
    axes.set_ylabel("instructions a page" if item.own else "%")


def _height(item: Series, value: float) -> float:
    """Instructions, or percents of change."""
    return 1e9 * value if item.own else 100 * (value - 1)


def _fit(axes: Axes, files: Sequence[File], least: float) -> None:
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(high - low, least) / 2
    axes.set_ylim(middle - half, middle + half)
    shown = sorted({0, len(files) - 1})
    axes.set_xticks(shown, [files[n].date[:10] or files[n].path.name[:12] for n in shown], fontsize=6)
    axes.set_xlim(-0.7, len(files) - 0.3)
