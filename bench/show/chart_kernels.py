"""Chart of kernels beside each other: what an operation costs a page at each folio size, a line a kernel.

A bar is the range over boots; a hollow point is one that no gate judges, and its range says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.generations import kernel_order
from bench.judge.pairs import only_shown
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.chart_style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SETTINGS,
    SKY,
    VERMILION,
    WINE,
    Style,
    folio_axis,
    legend,
    mark_contpte,
    panels,
)
from bench.show.chart_style import PATHS as PATH_STYLES
from bench.show.figures import Figures
from bench.show.rows import Subject, is_plain
from bench.show.table import percent

PATHS = {"default": ("-", "as it is"), "folio": ("-", "as it is"), "pmd": (":", "PMD-mapped")}
PMD_MARKER = PATH_STYLES["pmd"].marker
COLORS = (BLACK, VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY, WINE, GREY)
MARKERS = "sDvoP<X>*"
SIZE, HOLLOW_SIZE = 4.5, 5.5  # of a marker; of one that covers another
RANGE, NOT_JUDGED = "range over boots", "not judged"


@dataclass(frozen=True)
class Point:
    """What a case costs a page, in ns or instructions: the figure, and its least and most over boots."""

    value: float
    low: float
    high: float
    judged: bool

    @classmethod
    def of(cls, samples: Samples, case: Case) -> Point:
        """The case's."""
        boots = [1e9 * value for value in samples[case].medians.values()]
        value = 1e9 * samples.summary(case).value
        low, high = (min(boots), max(boots)) if boots else (value, value)
        return cls(value, low, high, not only_shown(samples.results, case))


def kernels_chart(results: Results, filters: Filters | None = None) -> Figure:
    """A panel an operation; UsageError unless the file has kernels, on the path that they take themselves."""
    plain = [case for case in results.runs if is_plain(case) and case.get("path") in PATHS]
    cases = [case for case in plain if case.get("kernel") and (filters is None or filters.match(case))]
    if not cases:
        raise UsageError("no kernel was measured on path=default; run --lane vm --kernel ... path=default")
    samples, families = Samples(results), dict[Case, list[Case]]()
    for case in cases:
        families.setdefault(case.group.but(order=None, machine=None), []).append(case)
    drawn = {case.get("kernel") for case in cases}
    kernels = [kernel for kernel in kernel_order(results) if kernel in drawn]
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panels(len(families), f"{Figures(samples).unit} by kernel and folio size")
        for panel, (family, members) in zip(axes, families.items()):
            panel.set_title(Subject(family, "").name + _order_0(samples, members, kernels))
            _panel(panel, samples, members, kernels)
        legend(figure, axes)
    return figure


def _order_0(samples: Samples, cases: Sequence[Case], kernels: Sequence[str]) -> str:
    """The first question, in figures: order 0 from the first kernel of the run to the last."""
    found = {case.get("kernel"): case for case in cases if case.order == 0 and case.get("path") != "pmd"}
    if len(kernels) < 2 or {kernels[0], kernels[-1]} - found.keys():
        return ""
    old, new = found[kernels[0]], found[kernels[-1]]
    if old.get("machine") != new.get("machine"):  # instructions of different machines
        return ""
    plain, change = Figures(samples).plain, samples.compare(new, old).change
    values = [plain(samples.summary(case).value) for case in (old, new)]
    return f"\n4K: {values[0]} to {values[1]}, {percent(change)}"


def _panel(axes: Axes, samples: Samples, cases: Sequence[Case], kernels: Sequence[str]) -> None:
    lines: dict[tuple[str, str], dict[int, Point]] = {}
    for case in cases:
        lines.setdefault((case.get("kernel"), case.get("path")), {})[case.order] = Point.of(samples, case)
    folio_axis(axes, sorted({case.order for case in cases}))
    mark_contpte(axes, samples.results, cases)
    machines = {case.get("kernel"): case.get("machine") for case in cases}
    for (kernel, path), points in sorted(lines.items(), key=lambda item: kernels.index(item[0][0])):
        label = f"{kernel} ({machines[kernel]})" if machines[kernel] else kernel
        style = _style(kernel, kernels)
        _line(axes, path, points, style, label)
        _ranges(axes, points, style)
        _hollow(axes, points, PMD_MARKER if path == "pmd" else "o", style.color)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel(Figures(samples).unit)


def _style(kernel: str, kernels: Sequence[str]) -> Style:
    """By its place in the run, so that neighbours differ."""
    at = kernels.index(kernel)
    return Style(COLORS[at % len(COLORS)], MARKERS[at % len(MARKERS)], "-", kernel)


def _line(axes: Axes, path: str, points: Mapping[int, Point], style: Style, kernel: str) -> None:
    line, said = PATHS[path]
    x = sorted(points)
    label = kernel if line == "-" else f"{kernel}, {said}"
    axes.plot(
        x, [points[order].value for order in x], line, color=style.color, markersize=SIZE,
        marker=style.marker if line == "-" else PMD_MARKER, clip_on=False, zorder=4, label=label,
    )  # fmt: skip


def _ranges(axes: Axes, points: Mapping[int, Point], style: Style) -> None:
    """A bar from the least to the most that a boot took, where there was more than one."""
    bars = {order: point for order, point in points.items() if point.high > point.low}
    if not bars:
        return
    low, high = ([getattr(point, end) for point in bars.values()] for end in ("low", "high"))
    axes.vlines(list(bars), low, high, color=style.color, linewidth=1, alpha=0.6, zorder=3)
    axes.plot([], [], "|", color=GREY, markersize=9, label=RANGE)


def _hollow(axes: Axes, points: Mapping[int, Point], marker: str, color: str) -> None:
    """What no gate judges. Crosses and stars have nothing to be hollow in, so it is a ring."""
    x = [order for order, point in sorted(points.items()) if not point.judged]
    if not x:
        return
    y = [points[order].value for order in x]
    axes.plot(
        x, y, marker, color=color, markersize=HOLLOW_SIZE, markerfacecolor="white", clip_on=False, zorder=5,
    )  # fmt: skip
    axes.plot([], [], "o", color=GREY, markersize=HOLLOW_SIZE, markerfacecolor="white", label=NOT_JUDGED)
