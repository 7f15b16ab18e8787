"""Chart of fork and zap at 1 GiB beside what the mailing list published for them."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.stats import Comparison, Samples
from bench.results import Results
from bench.show.chart_style import GREY, SETTINGS, folio_axis, legend, panels, ribbon, style_of_variant
from bench.show.published import SAME_AS, Published, load
from bench.show.rows import is_plain, rank

MEMORY = "1GiB"
# What was published -> the state of the scenario that models it.
STATES = {"fork": "", "zap": "munmap-last"}
Ratios = dict[str, dict[int, Comparison]]  # variant -> order -> batched against per-page


def published_chart(results: Results, filters: Filters | None = None) -> Figure:
    """Batched over per-page against folio size, ours by variant and theirs; UsageError without such cases."""
    samples = Samples(results)
    ours = {op: _ratios(samples, op, filters) for op in STATES}
    if not all(ours.values()):
        raise UsageError(f"no fork and zap to draw; run them with memory={MEMORY} path=pte,ptes")
    theirs = load()
    with matplotlib.rc_context(SETTINGS):
        figure, axes = panels(len(STATES), f"batched / per-page at {MEMORY}: the model, and as published")
        for panel, (op, ratios) in zip(axes, ours.items()):
            _panel(panel, op, ratios, [row for row in theirs if _is_same(row, op)])
        legend(figure, axes)
    return figure


def _ratios(samples: Samples, op: str, filters: Filters | None) -> Ratios:
    found: Ratios = {}
    for case in samples.results.runs:
        if not (_is_one(case, op) and case.get("path") == "ptes" and (not filters or filters.match(case))):
            continue
        single = case.but(path="pte")
        if single in samples:
            found.setdefault(case.get("variant"), {})[case.order] = samples.compare(case, single)
    return dict(sorted(found.items(), key=lambda item: rank(item[0])))


def _is_one(case: Case, op: str) -> bool:
    known = case.op == op and case.get("state") == STATES[op] and case.get("memory") == MEMORY
    whole = case.meaning("kind") == "anon" and case.meaning("pattern") == "full"
    return known and whole and is_plain(case)


def _is_same(row: Published, op: str) -> bool:
    """Posted with both times, of one operation over the same memory."""
    known = row.operation == SAME_AS.get(op, op) and row.memory == MEMORY
    return known and row.ratio is not None


def _panel(
    axes: Axes, op: str, ours: Mapping[str, Mapping[int, Comparison]], theirs: list[Published]
) -> None:
    axes.set_title({"fork": "fork", "zap": "munmap, last mapper"}[op])
    folio_axis(axes, sorted({row.order for row in theirs} | {o for line in ours.values() for o in line}))
    axes.axhline(1, color="#444444", linewidth=0.5, zorder=1)
    for variant, line in ours.items():
        style, at = style_of_variant(variant, list(ours)), sorted(line)
        ratios = [line[order].ratio for order in at]
        ribbon(axes, style, {order: found.interval for order, found in line.items()})
        axes.plot(
            at,
            ratios,
            linestyle=style.line,
            marker=style.marker,
            color=style.color,
            markersize=4,
            label=variant,
        )
    label = f"published, {theirs[0].machine}" if theirs else "published"
    at = [row.order for row in theirs]
    axes.plot(at, [row.ratio or 0 for row in theirs], "-", marker="*", color=GREY, linewidth=2, label=label)
    axes.set_ylim(0, 1.15)
    axes.set_ylabel("ratio")
