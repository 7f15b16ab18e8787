"""All charts of a result file, written as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.case import Filters
from bench.errors import UsageError, taken
from bench.judge.counts import Counts
from bench.results import Results
from bench.show.chart_counts import counts_chart
from bench.show.chart_forest import forest_chart
from bench.show.chart_kernels import kernels_chart
from bench.show.chart_order import cost_chart, ratio_chart
from bench.show.chart_published import published_chart
from bench.show.chart_sizes import memory_chart, threads_chart
from bench.show.chart_style import save
from bench.show.chart_variants import variants_chart

Chart = Callable[[Results, Filters | None], Figure]
CHARTS: dict[str, Chart] = {
    "ratio": ratio_chart,
    "cost": cost_chart,
    "variants": variants_chart,
    "memory": memory_chart,
    "threads": threads_chart,
    "published": published_chart,
    "kernels": kernels_chart,
    "forest": forest_chart,
}
# What a run draws by itself; the others take seconds, and `rmapbench chart` draws them from the file.
AT_ONCE = {name: CHARTS[name] for name in CHARTS if name not in ("variants", "published", "forest")}
FORMATS = ("png", "svg")


def draw_all(
    results: Results,
    directory: str | Path,
    stem: str,
    filters: Filters | None = None,
    formats: Sequence[str] = FORMATS,
    force: bool = False,
    counts: Counts | None = None,
    charts: Mapping[str, Chart] = CHARTS,
) -> list[Path]:
    """Write each of `charts` that the file has figures for, `<stem>-<chart>.<format>`; the paths written.

    With `counts` also that of operation counts. UsageError, before anything is written, if a file exists
    and `force` is not given, or none can be drawn.
    """
    figures = _drawn(results, filters, counts, charts)
    paths = {Path(directory) / f"{stem}-{name}.{kind}": name for name in figures for kind in formats}
    for path in paths:
        if path.exists() and not force:
            raise taken(path)
    return [save(figures[name], path, force) for path, name in paths.items()]


def _drawn(
    results: Results, filters: Filters | None, counts: Counts | None, charts: Mapping[str, Chart]
) -> dict[str, Figure]:
    """The charts by name that the file allows."""
    wanted = dict(charts)
    if counts is not None:
        wanted["counts"] = lambda results, filters: counts_chart(results, counts, filters)
    figures: dict[str, Figure] = {}
    reasons = []
    for name, draw in wanted.items():
        try:
            figures[name] = draw(results, filters)
        except UsageError as error:
            reasons.append(str(error))
    if not figures:
        raise UsageError(reasons[0])
    return figures
