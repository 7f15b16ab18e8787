"""Charts over the size of the mapped memory and over the number of threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters, natural
from bench.errors import UsageError
from bench.judge.stats import Samples
from bench.lanes.amounts import amount
from bench.results import Results
from bench.show.chart_style import SETTINGS, legend, panels, style_of_path
from bench.show.report import selected
from bench.show.rows import Subject, variant_of
from bench.show.table import size

HOT = "hot"
Lines = dict[str, dict[str, Case]]  # path -> value of the key -> case


def memory_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Nanoseconds a page against the memory mapped, a panel for each operation, variant and folio size."""
    return _chart(results, filters, "memory", "cost of a page over the memory mapped", _cost)


def threads_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Pages a microsecond of all threads together against their number; level where threads only wait."""
    return _chart(results, filters, "threads", "throughput of all threads together", _throughput)


def _chart(
    results: Results,
    filters: Filters | None,
    key: str,
    title: str,
    draw: Callable[[Axes, Samples, Lines, Sequence[str]], None],
) -> Figure:
    found = _panels(selected(results, filters), key)
    if not found:
        raise UsageError(f"nothing was measured with several {key}; run {key}= with several values")
    samples = Samples(results)
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panels(len(found), f"{title}, 95 % interval")
        for panel, (name, lines) in zip(axes, found.items()):
            panel.set_title(name)
            values = sorted({value for line in lines.values() for value in line}, key=_rank)
            panel.set_xticks(range(len(values)), values)
            panel.set_xlabel(key)
            draw(panel, samples, lines, values)
            panel.set_ylim(0, panel.get_ylim()[1] * 1.05)
        legend(figure, axes)
    return figure


def _panels(cases: Sequence[Case], key: str) -> dict[str, Lines]:
    """Panels by title; only what has several values of the key."""
    found: dict[str, Lines] = {}
    for case in cases:
        family = Subject(case.group.but(order=None, **{key: None}), "")
        title = f"{family.name}, {variant_of(case)}, {size(case.order)}"
        found.setdefault(title, {}).setdefault(case.get("path"), {})[case.meaning(key)] = case
    return {title: lines for title, lines in found.items() if any(len(line) > 1 for line in lines.values())}


def _rank(value: str) -> tuple[object, ...]:
    """Hot first, then sizes by their bytes; numbers by themselves."""
    if value == HOT:
        return (0, 0)
    if nbytes := amount(value):
        return (1, nbytes)
    return (1, *natural(value)[0][1:2])  # type: ignore[index]


def _cost(axes: Axes, samples: Samples, lines: Lines, values: Sequence[str]) -> None:
    _draw(axes, samples, lines, values, lambda case, seconds: 1e9 * seconds)
    axes.set_ylabel("ns a page")


def _throughput(axes: Axes, samples: Samples, lines: Lines, values: Sequence[str]) -> None:
    _draw(axes, samples, lines, values, lambda case, seconds: int(case.meaning("threads")) * 1e-6 / seconds)
    axes.set_ylabel("pages a µs, all threads")


def _draw(
    axes: Axes,
    samples: Samples,
    lines: Mapping[str, Mapping[str, Case]],
    values: Sequence[str],
    figure_of: Callable[[Case, float], float],
) -> None:
    """A line a path with its interval; a control may not be drawn as one."""
    for path, line in lines.items():
        style = style_of_path(path)
        at = [values.index(value) for value in sorted(line, key=_rank)]
        cases = [line[values[x]] for x in at]
        points = [figure_of(case, samples.summary(case).value) for case in cases]
        axes.plot(
            at, points, linestyle=style.line, marker=style.marker, color=style.color, markersize=4,
            label=style.label,
        )  # fmt: skip
        known = [(x, case, samples.summary(case).interval) for x, case in zip(at, cases)]
        bounds = [(x, case, found) for x, case, found in known if found]
        low = [figure_of(case, found.low) for _, case, found in bounds]
        high = [figure_of(case, found.high) for _, case, found in bounds]
        axes.fill_between([x for x, _, _ in bounds], low, high, color=style.color, alpha=0.25, linewidth=0)
