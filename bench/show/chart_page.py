"""Charts for the page: as SVG inside it, small enough for a narrow screen, text kept as text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from html import escape

import matplotlib
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.controls import Controls
from bench.judge.counts import Counts
from bench.judge.gate import Ruling
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.chart_counts import counts_chart
from bench.show.chart_forest import forest_of
from bench.show.chart_order import cost_panel, ratio_panel
from bench.show.chart_style import SETTINGS, canvas, legend, mark_contpte
from bench.show.chart_variants import variants_panel
from bench.show.report import Section
from bench.show.rows import rank, variant_of

SMALL = (4.3, 3.1)  # inches
TEXT = {**SETTINGS, "svg.fonttype": "none"}  # readable by machines, and a tenth of the bytes
FAMILY = "'DejaVu Sans', Verdana, sans-serif"


def section_charts(
    samples: Samples, section: Section, controls: dict[Case, Controls], prefix: str
) -> Iterator[str]:
    """What belongs to one table: its ratio over folio size, and what a page costs."""
    subject, rows = section.subject, list(section.rows)
    variants = [subject.variant]
    if any(row.per_page and row.batched for row in rows):
        with matplotlib.rc_context(TEXT):
            figure = canvas(*SMALL, "batched / per-page")
            axes = figure.subplots()
            ratio_panel(axes, {subject: rows}, controls, variants)
            mark_contpte(axes, samples.results, [row.group for row in rows])
            yield _finished(figure, f"{prefix}r", f"{subject.title}: batched over per-page by folio size")
    cases = _cases(samples, section)
    if len({case.order for case in cases}) < 2:
        return  # a point alone says no more than the table
    with matplotlib.rc_context(TEXT):
        figure = canvas(*SMALL, "cost of a page")
        axes = figure.subplots()
        axes.set_title(subject.title)
        cost_panel(axes, samples, cases)
        yield _finished(figure, f"{prefix}c", f"{subject.title}: cost of a page by folio size")


def _cases(samples: Samples, section: Section) -> list[Case]:
    """The section's cases, also those that no row compares."""
    groups = {row.group for row in section.rows}
    return [
        case
        for case in samples
        if case.group in groups and variant_of(case) == section.subject.variant and not case.get("control")
    ]


def order_0_chart(samples: Samples, cases: Sequence[Case], title: str, prefix: str) -> str:
    """The variants side by side at order 0; empty if there is one only."""
    variants = sorted({variant_of(case) for case in cases}, key=rank)
    if len(variants) < 2:
        return ""
    with matplotlib.rc_context(TEXT):
        figure = canvas(SMALL[0], 1.3 + 0.24 * len(variants), "order 0 by variant; right: against its base")
        axes = figure.subplots()
        axes.set_title(title)
        variants_panel(axes, samples, cases, variants)
        return _finished(figure, f"{prefix}v", f"{title}: variants at order 0")


def forest_svg(ruling: Ruling) -> str:
    """All verdicts in a picture."""
    with matplotlib.rc_context(TEXT):
        return inline(forest_of(ruling), "forest", "verdicts: change with interval and margin")


def counts_svg(results: Results, counts: Counts, filters: Filters | None) -> str:
    """Operation counts beside times; empty where the file has no case that was counted."""
    try:
        return inline(counts_chart(results, counts, filters), "counts", "operations a page and their time")
    except UsageError:
        return ""


def _finished(figure: Figure, prefix: str, label: str) -> str:
    legend(figure, figure.axes)
    return inline(figure, prefix, label)


def inline(figure: Figure, prefix: str, label: str) -> str:
    """The figure as an element of a page: with ids of its own, without size, named for who cannot see it."""
    file = io.StringIO()
    with matplotlib.rc_context(TEXT):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = svg.replace("'DejaVu Sans'", FAMILY)
    head = f'<svg role="img" aria-label="{escape(label)}"'
    return re.sub(r'<svg( [^>]*?)? height="[^"]*"|<svg', head, svg, count=1).replace("\n", " ")
