"""Pieces of the page: tables, notes, figures and the box with the verdict, each escaped HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from bench.judge.gate import Judged, Ruling
from bench.judge.verdict import UNUSABLE, Verdict
from bench.show.gate import badness, short_name
from bench.show.gate_lines import headline, lines, said_of
from bench.show.table import Table

MARKS = {"good": "\N{CHECK MARK}", "bad": "\N{BALLOT X}", "open": "?"}

# Verdicts that catch the eye; the others are the rule.
KINDS = {
    str(Verdict.REGRESSED): "bad",
    **{str(verdict): "open" for verdict in (*UNUSABLE, Verdict.INCONCLUSIVE)},
}


def heading(level: int, text: str, anchor: str = "") -> str:
    """A heading, with an id where the contents link to it."""
    named = f' id="{escape(anchor)}"' if anchor else ""
    return f"<h{level}{named}>{escape(text)}</h{level}>"


def table_html(table: Table, level: int = 3, anchor: str = "") -> str:
    """Title, sortable table in a frame that scrolls alone, notes."""
    head = "".join(_header(cell) for cell in table.header)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in table.rows)
    grid = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return heading(level, table.title, anchor) + scrolling(grid, table.title) + notes(table.notes)


def _header(cell: str) -> str:
    if not cell:
        return '<th scope="col"></th>'
    return f'<th scope="col" aria-sort="none"><button type="button">{escape(cell)}</button></th>'


def _row(cells: Sequence[str]) -> str:
    first = f'<th scope="row">{escape(cells[0])}</th>' if cells[0] else "<td></td>"
    return first + "".join(_cell(cell) for cell in cells[1:])


def _cell(cell: str) -> str:
    kind = KINDS.get(cell, "")
    return f'<td class="{kind}">{escape(cell)}</td>' if kind else f"<td>{escape(cell)}</td>"


def scrolling(inner: str, label: str) -> str:
    """A frame for what may be wider than the screen; the keyboard can scroll it too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{inner}</div>'


def notes(said: Iterable[str]) -> str:
    """Footnotes, one a line."""
    listed = "<br>".join(escape(note) for note in said)
    return f'<p class="notes">{listed}</p>' if listed else ""


def figure_html(svg: str, wide: bool = False, label: str = "") -> str:
    """A chart; a wide one scrolls in its frame on a narrow screen."""
    if not wide:
        return f"<figure>{svg}</figure>"
    return f'<figure class="wide">{scrolling(svg, label)}</figure>'


def folded(summary: str, parts: Iterable[str]) -> str:
    """What few readers want, behind a line that opens it; printed in any case."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def facts(pairs: Mapping[str, object]) -> str:
    """Names and values, a row each."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in pairs.items()
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def verdict_box(ruling: Ruling | None, why_not: str) -> str:
    """What happened to order 0, first of all; `why_not` says why there is no verdict."""
    if ruling is None:
        return _box("open", "Order 0: no verdict", [why_not])
    small = sorted((item for item in ruling.judged if item.pair.case.order == 0), key=badness)
    overall = headline(lines(ruling), ruling.exit_code())
    if not small:
        return _box("open", "Order 0: not measured", [overall])
    kind, said = _order_0(small)
    worst = f"worst: {short_name(small[0])}: {small[0].verdict}, {said_of(small[0])}"
    return _box(kind, said, [worst, f"All sizes, {overall}"])


def _order_0(items: Sequence[Judged]) -> tuple[str, str]:
    """The kind of the box, and its first line."""
    count, verdicts = len(items), [item.verdict for item in items]
    red, unusable = verdicts.count(Verdict.REGRESSED), sum(verdict in UNUSABLE for verdict in verdicts)
    undecided, faster = verdicts.count(Verdict.INCONCLUSIVE), verdicts.count(Verdict.FASTER)
    if red:
        return "bad", f"Order 0 is harmed: {red} of {count} comparisons REGRESSED"
    if unusable:
        return "open", f"Order 0: {unusable} of {count} comparisons allow no verdict, none REGRESSED"
    if undecided:
        return "open", f"Order 0: {undecided} of {count} comparisons are INCONCLUSIVE, none REGRESSED"
    return "good", f"Order 0 is not harmed: {count} comparisons within their margins, {faster} of them faster"


def _box(kind: str, said: str, rest: Iterable[str]) -> str:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in rest if line)
    return f'<div class="verdict {kind}"><strong>{MARKS[kind]} {escape(said)}</strong>{paragraphs}</div>'
