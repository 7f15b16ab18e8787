"""All charts of a result file, written as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.case import Filters
from bench.errors import UsageError
from bench.results import Results
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
}
FORMATS = ("png", "svg")


def draw_all(
    results: Results,
    directory: str | Path,
    stem: str,
    filters: Filters | None = None,
    formats: Sequence[str] = FORMATS,
    force: bool = False,
) -> list[Path]:
    """Write every chart that the file has figures for as `<stem>-<chart>.<format>`; the paths written.

    UsageError, before anything is written, if a file exists and `force` is not given, or none can be drawn.
    """
    figures: dict[str, Figure] = {}
    reasons = []
    for name, draw in CHARTS.items():
        try:
            figures[name] = draw(results, filters)
        except UsageError as error:
            reasons.append(str(error))
    if not figures:
        raise UsageError(reasons[0])
    paths = {Path(directory) / f"{stem}-{name}.{kind}": name for name in figures for kind in formats}
    for path in paths:
        if path.exists() and not force:
            raise UsageError(f"{path}: exists already; choose another name or overwrite it with --force")
    return [save(figures[name], path, force) for path, name in paths.items()]
