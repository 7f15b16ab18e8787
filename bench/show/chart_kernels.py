"""Chart of kernels beside each other: what an operation costs a page at each folio size, a line a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.generations import kernel_order
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.chart_style import (
    SETTINGS,
    Style,
    folio_axis,
    legend,
    mark_contpte,
    panels,
    style_of_variant,
)
from bench.show.figures import Figures
from bench.show.rows import Subject, is_plain
from bench.show.table import percent

PATHS = {"default": ("-", "as it is"), "folio": ("-", "as it is"), "pmd": (":", "PMD-mapped")}


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
    found = {case.get("kernel"): case for case in cases if case.order == 0}
    if len(kernels) < 2 or {kernels[0], kernels[-1]} - found.keys():
        return ""
    old, new = found[kernels[0]], found[kernels[-1]]
    if old.get("machine") != new.get("machine"):  # instructions of different machines
        return ""
    plain, change = Figures(samples).plain, samples.compare(new, old).change
    values = [plain(samples.summary(case).value) for case in (old, new)]
    return f"\n4K: {values[0]} to {values[1]}, {percent(change)}"


def _panel(axes: Axes, samples: Samples, cases: Sequence[Case], kernels: Sequence[str]) -> None:
    lines: dict[tuple[str, str], dict[int, float]] = {}
    for case in cases:
        value = 1e9 * samples.summary(case).value
        lines.setdefault((case.get("kernel"), case.get("path")), {})[case.order] = value
    folio_axis(axes, sorted({case.order for case in cases}))
    mark_contpte(axes, samples.results, cases)
    machines = {case.get("kernel"): case.get("machine") for case in cases}
    for (kernel, path), points in sorted(lines.items(), key=lambda item: kernels.index(item[0][0])):
        label = f"{kernel} ({machines[kernel]})" if machines[kernel] else kernel
        _line(axes, path, points, style_of_variant(kernel, kernels), label)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel(Figures(samples).unit)


def _line(axes: Axes, path: str, points: Mapping[int, float], style: Style, kernel: str) -> None:
    line, said = PATHS[path]
    x = sorted(points)
    label = kernel if line == "-" else f"{kernel}, {said}"
    filled = style.color if line == "-" else "none"
    axes.plot(
        x, [points[order] for order in x], line, marker=style.marker, color=style.color, markersize=4.5,
        markerfacecolor=filled, clip_on=False, zorder=4, label=label,
    )  # fmt: skip
