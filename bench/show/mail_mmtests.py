"""Tables as mmtests prints them: a metric, a size, an arm a column with its gain in brackets."""

from __future__ import annotations

from collections.abc import Callable

from bench.show.sheet import Cost, Entry, Sheet
from bench.show.table import NONE, WIDTH

METRIC, FOLIO, ARM = 9, 8, 22  # columns
MOST = 99999  # percent; what is more says nothing, of spreads that are almost none

Cells = tuple[str, str]


def mmtests_table(sheet: Sheet) -> str:
    """Medians, then coefficients of variation in percent."""
    folio = max(FOLIO, *(len(entry.label) for entry in sheet.entries))
    arm = min(ARM, (WIDTH - METRIC - folio - 1 - sheet.mark_width) // 2)
    heads, legend = sheet.heads, list[str]()
    if max(map(len, heads)) > arm - 1:
        heads, legend = sheet.short(), [sheet.legend(), ""]
    lines = [" " * (METRIC + folio + 1) + _arms(sheet, heads, arm)]
    metrics: dict[str, Callable[[Sheet, Entry], Cells]] = {"Median": _medians, "CoeffVar": _variations}
    for metric, cells in metrics.items():
        for entry in sheet.entries:
            found = _arms(sheet, cells(sheet, entry), arm)
            lines.append(f"{metric:<{METRIC}} {entry.label:<{folio}}{found}{sheet.mark(entry)}")
    return "\n".join([sheet.title, "", *legend, *lines, *sheet.below()]) + "\n"


def _arms(sheet: Sheet, cells: Cells, width: int) -> str:
    return "".join(f"{cell:>{width}}" for cell in (cells if sheet.compares else cells[1:]))


def _medians(sheet: Sheet, entry: Entry) -> Cells:
    gain = None if entry.change is None else -100 * entry.change
    old, new = (sheet.plain(cost.value) if cost else NONE for cost in (entry.before, entry.after))
    return _cell(old, 0.0), _cell(new, gain, entry.sure)


def _variations(sheet: Sheet, entry: Entry) -> Cells:
    old, new = (100 * cost.spread if cost else None for cost in (entry.before, entry.after))
    gain = 100 * (1 - new / old) if old and new is not None else None
    return _cell(_share(entry.before), 0.0), _cell(_share(entry.after), gain)


def _share(cost: Cost | None) -> str:
    return f"{100 * cost.spread:.2f}" if cost else NONE


def _cell(cost: str, gain: float | None, sure: bool = False) -> str:
    """10.73 (   0.00%); between stars if the difference is sure."""
    if cost == NONE or gain is None or abs(gain) > MOST:
        return cost
    opening, closing = "**" if sure else "()"
    return f"{cost} {opening}{round(gain, 2) + 0.0:>8.2f}%{closing}"
