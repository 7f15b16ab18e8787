"""Tables as cover letters of mm series have them: Folio Size | before | after | Change."""

from __future__ import annotations

from collections.abc import Sequence

from bench.show.sheet import Cost, Entry, Sheet
from bench.show.table import NONE, WIDTH, interval

FOLIO, COST, CHANGE = 11, 8, 7  # columns at least
GAP, NARROW = " | ", "|"


def mail_table(sheet: Sheet) -> str:
    """A line a folio size; arms whose names would make it too wide are named above it."""
    lines, legend = _lines(sheet, sheet.heads, GAP), list[str]()
    if not _fit(lines):
        legend = [sheet.legend(), ""]
        tries = (_lines(sheet, sheet.short(), gap) for gap in (GAP, NARROW))
        lines = next(filter(_fit, tries), lines)
    rule = "-" * max(map(len, lines))
    return "\n".join([sheet.title, "", *legend, lines[0], rule, *lines[1:], *sheet.below()]) + "\n"


def _fit(lines: Sequence[str]) -> bool:
    return max(map(len, lines)) <= WIDTH


def _lines(sheet: Sheet, heads: tuple[str, str], gap: str) -> list[str]:
    """Head and rows; columns are as wide as what is in them."""
    rows: list[tuple[str, ...]]
    rows = [("Folio Size", *heads, "Change", "95 % interval"), *(_row(sheet, e) for e in sheet.entries)]
    if not sheet.compares:
        rows = [(folio, cost) for folio, _, cost, *_ in rows]
    least = (FOLIO, COST, COST, CHANGE, 0)
    widths = [max(w, *map(len, column)) for w, column in zip(least, zip(*rows))]
    marks = ["", *map(sheet.mark, sheet.entries)]
    return [_line(cells, widths, gap) + mark for cells, mark in zip(rows, marks)]


def _line(cells: Sequence[str], widths: Sequence[int], gap: str) -> str:
    """Figures to the right, the interval, which is last, to the left."""
    right = [cell.rjust(width) for cell, width in zip(cells, widths)]
    return gap.join([*right[:4], *cells[4:]])


def _row(sheet: Sheet, entry: Entry) -> tuple[str, ...]:
    costs = (_cost(sheet, cost) for cost in (entry.before, entry.after))
    return (entry.kib, *costs, change_words(entry), interval(entry.interval))


def _cost(sheet: Sheet, cost: Cost | None) -> str:
    return sheet.plain(cost.value) if cost else NONE


def change_words(entry: Entry) -> str:
    """-16.2%; what rounds to nothing has a plus."""
    return NONE if entry.change is None else f"{round(100 * entry.change, 1) + 0.0:+.1f}%"
