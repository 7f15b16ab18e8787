"""One self-contained HTML page with everything a result file says, the verdict on order 0 at the top."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

from bench.case import Case, Filters
from bench.errors import BenchError
from bench.judge.controls import Controls, controls
from bench.judge.counts import Counts
from bench.judge.gate import Ruling, judge, margin_of
from bench.judge.policy import Policy
from bench.judge.stats import Samples
from bench.results import Results
from bench.show import chart_page
from bench.show.gate import notes_of
from bench.show.gate import tables_of as gate_tables
from bench.show.page_parts import facts, figure_html, folded, heading, notes, table_html, verdict_box
from bench.show.page_style import CSS, POLICY, SCRIPT
from bench.show.report import Column, Section, failed, order_0_lines, sections_of, tables_of, unpaired
from bench.show.rows import Subject, is_plain
from bench.show.table import NONE, Table, interval, percent, size
from bench.show.tested_on import controls_said, machine, reproduction
from bench.show.verdicts import column_of


@dataclass(frozen=True)
class Content:
    """All that the page is made of, computed once."""

    name: str
    results: Results
    samples: Samples
    sections: list[Section]
    controls: dict[Case, Controls]
    ruling: Ruling | None
    why_not: str
    margins: Policy
    filters: Filters | None
    counts: Counts | None
    published: list[Table]
    again: str


def render_page(
    name: str,
    results: Results,
    margins: Policy,
    again: str,
    filters: Filters | None = None,
    counts: Counts | None = None,
    published: list[Table] | None = None,
) -> str:
    """The page of a file called `name`; `again` is the command that makes it."""
    samples, sections = sections_of(results, filters)
    ruling, why_not = _judged(results, margins, filters)
    shown = {row.group for section in sections for row in section.rows}
    found = {group: one for group, one in controls(samples).items() if group in shown}
    content = Content(
        name, results, samples, sections, found, ruling, why_not, margins, filters, counts,
        published or [], again,
    )  # fmt: skip
    parts = [*_top(content), *_verdicts(content), *_calls(content), *_others(content), *_origin(content)]
    return _document(f"rmapbench: {name}", "\n".join(parts))


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{CSS}</style></head>\n'
        f'<body><a class="skip" href="#main">to the verdict</a>\n{body}\n'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _judged(results: Results, margins: Policy, filters: Filters | None) -> tuple[Ruling | None, str]:
    """The ruling, or why there is none: a file can be shown that cannot be judged."""
    try:
        return judge(results, margins, filters), ""
    except BenchError as error:
        return None, str(error)


def _top(content: Content) -> Iterator[str]:
    told = content.results.metadata
    yield f'<header><h1>{escape(content.name)}</h1><p class="muted">{escape(machine(content.results))}; '
    yield f"{escape(str(told.get('lane', 'model')))} lane; {escape(str(told.get('date', '')))}</p></header>"
    yield f'<main id="main">{verdict_box(content.ruling, content.why_not)}'
    yield notes([*order_0_lines(content.sections), *unpaired(content.results)])
    yield notes([f"controls: {controls_said(list(content.controls.values()))}"])
    yield "<nav aria-label='contents'><h2>Contents</h2><ul>"
    links = {
        "verdicts": "Verdicts",
        **_anchors(content),
        "controls": "Controls",
        "origin": "Origin",
    }
    yield "".join(f'<li><a href="#{anchor}">{escape(text)}</a></li>' for anchor, text in links.items())
    yield '</ul></nav><p class="muted hint">Headings of columns sort a table.</p>'


def _anchors(content: Content) -> dict[str, str]:
    return {f"call{n}": section.subject.title for n, section in enumerate(content.sections)}


def _verdicts(content: Content) -> Iterator[str]:
    yield heading(2, "Verdicts", "verdicts")
    if content.ruling is None:
        yield notes([f"none: {content.why_not}"])
        return
    yield figure_html(chart_page.forest_svg(content.ruling), True, "verdicts in a picture")
    words = content.filters.words() if content.filters else []
    more = shlex.join(["rmapbench", "gate", content.name, *words, "--all"])
    for large in (False, True):  # of the larger folios only the worst: each call's own table has the rest
        judged = tuple(item for item in content.ruling.judged if (item.pair.case.order > 0) == large)
        tables = gate_tables(replace(content.ruling, judged=judged, shown=()), not large, more)
        yield from (table_html(table) for table in tables)
    yield notes(notes_of(content.ruling))
    if content.ruling.shown:
        tables = gate_tables(replace(content.ruling, judged=()), False, more)
        yield folded("Shown, not judged, at order 0", [table_html(table) for table in tables])


def _calls(content: Content) -> Iterator[str]:
    yield heading(2, "Calls and operations")
    seen: set[str] = set()
    tables = tables_of(content.samples, content.sections, _verdict_column(content))
    for n, (section, table) in enumerate(zip(content.sections, tables)):
        yield table_html(table, 3, f"call{n}")
        charts = list(chart_page.section_charts(content.samples, section, content.controls, f"c{n}"))
        name = section.subject.name
        if name not in seen:
            charts.append(_side_by_side(content, section.subject, f"c{n}"))
        seen.add(name)
        yield f'<div class="charts">{"".join(figure_html(chart) for chart in charts if chart)}</div>'


def _verdict_column(content: Content) -> list[Column]:
    return [column_of(content.ruling)] if content.ruling else []


def _side_by_side(content: Content, subject: Subject, prefix: str) -> str:
    """Every variant in the file, at order 0."""
    cases = [
        case
        for case in content.samples
        if is_plain(case) and case.order == 0 and case.group.but(order=None) == subject.family
    ]
    return chart_page.order_0_chart(content.samples, cases, subject.name, prefix)


def _others(content: Content) -> Iterator[str]:
    """What is not of one call: published figures, counts, controls."""
    if content.published:
        yield heading(2, "Published figures of other machines")
        yield from (table_html(table) for table in content.published)
    if content.counts and (svg := chart_page.counts_svg(content.results, content.counts, content.filters)):
        yield heading(2, "Operations beside time") + figure_html(svg, True, "operations and time")
    yield heading(2, "Controls", "controls")
    yield table_html(_controls_table(content))


def _controls_table(content: Content) -> Table:
    header = ("group", "size", "equal code", "95 % interval", "known difference, estimated / true", "holds")
    found = sorted(content.controls.values(), key=lambda item: (item.group.order, item.group.name))
    return Table("Every group of cases with its controls", header, tuple(_control(content, c) for c in found))


def _control(content: Content, found: Controls) -> tuple[str, ...]:
    margin = margin_of(content.results, content.margins, found.group).value
    equal = percent(found.twin.change, 2) if found.twin else NONE
    bounds = interval(found.twin.change_interval, 2) if found.twin else NONE
    seen = f"{found.positive.recovered:.2f}" if found.positive else NONE
    holds = found.equal_within(margin) and (found.positive is None or found.positive.holds)
    name = Subject(found.group.but(order=None), "").name
    unknown = found.twin is not None and found.twin.change_interval is None
    return (name, size(found.group.order), equal, bounds, seen, NONE if unknown else "yes" if holds else "no")


def _origin(content: Content) -> Iterator[str]:
    yield heading(2, "Origin", "origin")
    commands = [command for command in (reproduction(content.results), content.again) if command]
    yield f"<pre>{escape(chr(10).join(commands))}</pre>"
    if lacking := failed(content.results):
        yield heading(3, "Cases without figures") + notes(lacking)
    yield heading(3, "Machine and settings")
    yield facts(content.results.metadata) + "</main>"
