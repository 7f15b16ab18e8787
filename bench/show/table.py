"""Tables of strings, as ASCII text and as GitHub markdown, and how figures are written in them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from bench.judge.estimate import Interval

WIDTH = 72
GAP = "  "
NONE = "-"


@dataclass(frozen=True)
class Table:
    """A title, a header, rows of as many cells, and footnotes."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Columns of the text form, without title and footnotes."""
        return sum(self._widths()) + len(GAP) * (len(self.header) - 1)

    def _widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(self.header, *self.rows)]

    def text(self) -> str:
        """ASCII: title, header, a rule, rows; first column to the left, figures to the right."""
        widths = self._widths()
        lines = [_line(row, widths) for row in (self.header, *self.rows)]
        lines.insert(1, "-" * self.width)
        return "\n".join([wrap(self.title), "", *lines, "", *map(wrap, self.notes)]).rstrip() + "\n"

    def markdown(self) -> str:
        """A heading, a GitHub table, and the footnotes as a list."""
        rule = ["---", *["--:"] * (len(self.header) - 1)]
        lines = [_pipes(row) for row in (self.header, rule, *self.rows)]
        notes = [f"- {_escaped(note)}" for note in self.notes]
        return "\n".join([f"### {_escaped(self.title)}", "", *lines, "", *notes]).rstrip() + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
    return GAP.join(cells).rstrip()


def _pipes(row: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in row) + " |"


def _escaped(cell: str) -> str:
    """What a name may hold must not become markup."""
    for character in ("\\", "|", "*", "<", "`"):
        cell = cell.replace(character, "\\" + character)
    return cell


def wrap(text: str) -> str:
    """Lines of at most WIDTH columns, later ones indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def size(order: int) -> str:
    """A folio's size with 4 KiB pages: 4K, 64K, 2M."""
    kib = 4 << order
    return f"{kib}K" if kib < 1024 else f"{kib >> 10}M"


def number(count: int, units: str) -> str:
    """1 boot, 5 boots; 1 process, 8 processes."""
    one = units.removesuffix("es") if units.endswith("sses") else units.removesuffix("s")
    return f"{count} {units if count != 1 else one}"


def nanoseconds(seconds: float) -> str:
    """Three digits, without exponent."""
    ns = seconds * 1e9
    if ns < 0.001:
        return "<0.001"
    return f"{ns:.{max(0, 2 - len(str(int(ns))) + 1) if ns >= 1 else 3}f}"


def percent(fraction: float, digits: int = 1) -> str:
    """A signed change: +0.3 %."""
    return f"{_signed(fraction, digits)} %"


def interval(bounds: Interval | None, digits: int = 1) -> str:
    """Bounds of a change in percent: [-0.1, +0.6]."""
    if bounds is None:
        return NONE
    return f"[{_signed(bounds.low, digits)}, {_signed(bounds.high, digits)}]"


def _signed(fraction: float, digits: int) -> str:
    """Percent with its sign; what rounds to nothing has a plus."""
    return f"{round(100 * fraction, digits) + 0.0:+.{digits}f}"
