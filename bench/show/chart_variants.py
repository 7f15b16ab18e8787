"""Chart of the variants side by side at order 0: cost of a page, and change against each one's base."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.chart_style import SETTINGS, legend, panels, style_of_path
from bench.show.figures import Figures
from bench.show.rows import Subject, is_plain, rank, variant_of
from bench.show.table import NONE, percent

APART = 0.4  # between two paths of one variant, in rows
LEAST_SPAN = 0.06  # of the figures themselves: less than that is not worth a whole axis


def variants_chart(results: Results, filters: Filters | None = None) -> Figure:
    """A panel a call, a row a variant, a point a path; UsageError if nothing was measured at order 0."""
    plain = [case for case in results.runs if is_plain(case) and variant_of(case)]
    chosen = [case for case in (filters.select(plain) if filters else plain) if case.order == 0]
    if not chosen:
        raise UsageError("nothing was measured at order 0; run order=0 to compare variants there")
    samples, families = Samples(results), _families(chosen)
    variants = sorted({variant_of(case) for case in chosen}, key=rank)
    height = 0.9 + 0.24 * len(variants)
    with matplotlib.rc_context(SETTINGS):
        title = "order 0: cost of a page by variant, 95 % interval; right: change against its base"
        figure, axes = panels(len(families), title, height)
        for panel, (family, cases) in zip(axes, families.items()):
            panel.set_title(family)
            variants_panel(panel, samples, cases, variants)
        legend(figure, axes)
    return figure


def _families(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(Subject(case.group.but(order=None), "").name, []).append(case)
    return found


def variants_panel(axes: Axes, samples: Samples, cases: Sequence[Case], variants: Sequence[str]) -> None:
    """The variants' costs of one call, a row a variant."""
    paths = sorted({case.get("path") for case in cases})
    for case in cases:
        offset = APART * (paths.index(case.get("path")) - (len(paths) - 1) / 2)
        _point(axes, samples, case, variants.index(variant_of(case)) + offset)
    axes.set_yticks(range(len(variants)), variants, fontsize=7)
    spec = axes.get_subplotspec()
    axes.tick_params(labelleft=spec is None or spec.is_first_col())
    axes.set_ylim(len(variants) - 0.5, -0.5)
    _at_least_wide(axes)
    axes.set_xlabel(Figures(samples).unit)


def _at_least_wide(axes: Axes) -> None:
    """Leave room at the sides, and do not blow up differences that are nothing to look at."""
    low, high = axes.get_xlim()
    middle = (low + high) / 2
    half = max(0.56 * (high - low), LEAST_SPAN / 2 * middle)
    axes.set_xlim(middle - half, middle + half)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _point(axes: Axes, samples: Samples, case: Case, y: float) -> None:
    style, cost = style_of_path(case.get("path")), samples.summary(case)
    if cost.interval:
        bounds = [1e9 * cost.interval.low, 1e9 * cost.interval.high]
        axes.plot(bounds, [y, y], color=style.color, linewidth=1.4, solid_capstyle="butt")
    point = [1e9 * cost.value]
    axes.plot(point, [y], style.marker, color=style.color, markersize=4.5, label=style.label, linestyle="")
    beside = axes.get_yaxis_transform()
    axes.text(1.02, y, _change(samples, case), transform=beside, va="center", fontsize=6, color=style.color)


def _change(samples: Samples, case: Case) -> str:
    """Against the base variant on the same path; a dash where there is none."""
    other = case.of_other(str(samples.results.note(case, "base") or ""))
    if other == case or other not in samples:
        return NONE
    return percent(samples.compare(case, other).change)
