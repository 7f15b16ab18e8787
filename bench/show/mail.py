"""Tables for a cover letter: plain ASCII of at most 72 columns, in three styles that its readers know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.case import Filters
from bench.judge.controls import controls
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.arms import NEW, OLD, arms_of, change_words, compared, heads, mark, marked
from bench.show.figures import Figures
from bench.show.mail_lkp import lkp_table
from bench.show.mail_mmtests import mmtests_table
from bench.show.report import Section, order_0_lines, sections_of, unpaired
from bench.show.rows import Row
from bench.show.table import NONE, interval, wrap
from bench.show.tested_on import tested_on

Style = Callable[[Samples, Section], str]


def mail_table(samples: Samples, section: Section) -> str:
    """Folio Size | per-page | batched | Change, as cover letters of mm series have it."""
    (old, new), rows, figures = heads(section), compared(section), Figures(samples)
    head = f"{'Folio Size':>11} | {old[:14]:>8} | {new[:14]:>8} |  Change | 95 % interval"
    widths = [len(cell) - 2 for cell in head.split("|")[1:3]]
    lines = [_mail_line(figures, row, widths) + mark(section, row) for row in rows]
    title = wrap(f"{section.subject.title}, {figures.unit}")
    rule = "-" * max(map(len, (head, *lines)))
    return "\n".join([title, "", head, rule, *lines, *marked(section)]) + "\n"


def _mail_line(figures: Figures, row: Row, widths: Sequence[int]) -> str:
    found = arms_of(row)
    bounds = interval(found.comparison.change_interval) if found.comparison else NONE
    costs = [figures.plain(cost.value) if cost else NONE for cost in (found.before, found.after)]
    cells = [f"{_kib(row):>11}", *(f"{cost:>{width}}" for cost, width in zip(costs, widths))]
    return " | ".join([*cells, f"{change_words(found.comparison):>7}", bounds])


def _kib(row: Row) -> str:
    """64KiB; with how it is mapped where that is not by PTEs."""
    words = row.label.split(" ")[1:]
    return " ".join([f"{4 << row.order}KiB", *words])


STYLES: dict[str, Style] = {"mail": mail_table, "mmtests": mmtests_table, "lkp": lkp_table}
SAID = {
    "mail": f"{OLD} makes a call for each page, {NEW} one for each folio; negative: faster.",
    "mmtests": "As mmtests has it: a positive percentage is faster, * marks what differs for sure.",
    "lkp": "As LKP has it: +- is the deviation over processes where it is 1 % or more; negative: faster.",
}


def render_mail(results: Results, style: str, again: str, filters: Filters | None = None) -> str:
    """The tables in a style, and the block that says where they come from and how to repeat them."""
    samples, sections = sections_of(results, filters)
    parts = [*_head(results, sections, style), *(STYLES[style](samples, section) for section in sections)]
    found = controls(samples)
    groups = dict.fromkeys(row.group for section in sections for row in section.rows)
    block = tested_on(samples, [found[group] for group in groups], sections, again)
    return "\n".join([*parts, block])


def _head(results: Results, sections: Sequence[Section], style: str) -> Iterator[str]:
    lines = [*order_0_lines(sections), *unpaired(results), SAID[style]]
    yield "\n".join(map(wrap, lines)) + "\n"
