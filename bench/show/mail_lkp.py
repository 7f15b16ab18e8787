"""Tables as the kernel test robot prints them: %stddev %change %stddev and the metric's name."""

from __future__ import annotations

import textwrap

from bench.show.mail_table import change_words
from bench.show.sheet import Cost, Entry, Sheet
from bench.show.table import NONE, WIDTH

BEFORE, AFTER = 16, 27  # columns of an arm
HEAD = (
    "-" * BEFORE + " " + "-" * AFTER,
    "%stddev".rjust(BEFORE) + "     %change" + "%stddev".rjust(AFTER - 11),
    "\\  ".rjust(BEFORE) + "         |  " + "\\".rjust(AFTER - 13),
)


def lkp_table(sheet: Sheet) -> str:
    """A metric a folio size; the line of parameters names what is measured."""
    unit = sheet.unit.replace(" ", "_")
    lines, keys = _lines(sheet, f".{unit}"), sheet.keys
    if max(map(len, lines)) > WIDTH:
        lines, keys = _lines(sheet, ""), (*keys, ("unit", unit))
    names, values = ("/".join(words) for words in zip(*keys))
    said = [*textwrap.wrap(f"{names}:", WIDTH), *textwrap.wrap(values, WIDTH - 2)]
    above = ["=" * WIDTH, said[0], *(f"  {line}" for line in said[1:]), ""]
    return "\n".join([*above, *_heads(sheet), *lines, *sheet.below()]) + "\n"


def _heads(sheet: Sheet) -> list[str]:
    """The arms' names, above them where they are too long; nothing above a single column."""
    heads, legend = sheet.heads, list[str]()
    if len(heads[0]) > BEFORE or len(heads[1]) > AFTER:
        heads, legend = sheet.short(), [sheet.legend(), ""]
    if not sheet.compares:
        return [
            *legend,
            f"{heads[1]:>{BEFORE}}",
            "-" * BEFORE,
            "%stddev".rjust(BEFORE),
            "\\".rjust(BEFORE - 2),
        ]
    return [*legend, f"{heads[0]:>{BEFORE}} {heads[1]:>{AFTER}}", *HEAD]


def _lines(sheet: Sheet, unit: str) -> list[str]:
    return [_line(sheet, entry, unit) + sheet.mark(entry) for entry in sheet.entries]


def _line(sheet: Sheet, entry: Entry, unit: str) -> str:
    metric = entry.label.replace(" ", ".") + unit
    if not sheet.compares:
        return f"{_cost(sheet, entry.after)}  {metric}"
    return f"{_cost(sheet, entry.before)} {change_words(entry):>11}{_cost(sheet, entry.after)}  {metric}"


def _cost(sheet: Sheet, cost: Cost | None) -> str:
    """The cost and, from 1 % on, its deviation."""
    share = round(100 * cost.spread) if cost else 0
    deviation = f" +-{share:>3}%" if share else ""
    return f"{sheet.plain(cost.value) if cost else NONE:>9}{deviation:<7}"
