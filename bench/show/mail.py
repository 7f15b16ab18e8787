"""Mails for a cover letter: plain ASCII of at most 72 columns, in three styles that its readers know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.case import Filters
from bench.judge.policy import Policy
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.doubts import Doubts
from bench.show.figures import PAIRED, unit_of
from bench.show.live_notes import RUNNING
from bench.show.mail_lkp import lkp_table
from bench.show.mail_mmtests import mmtests_table
from bench.show.mail_table import mail_table
from bench.show.report import order_0_lines, sections_of, unpaired
from bench.show.selection import against
from bench.show.sheet import Sheet
from bench.show.sheets import NEW, OLD, Sheets
from bench.show.table import percent, wrap
from bench.show.tested_on import tested_on

STYLES: dict[str, Callable[[Sheet], str]] = {
    "mail": mail_table, "mmtests": mmtests_table, "lkp": lkp_table
}  # fmt: skip
CALLS = f"{OLD} makes a call for each page, {NEW} one for each folio; "


def render_mail(
    results: Results,
    style: str,
    again: str,
    filters: Filters | None = None,
    base: str = "",
    beside: Sequence[str] = (),
    margins: Policy | None = None,
) -> str:
    """The tables in a style, and the block that says where they come from and how to repeat them.

    `base` (key=value) names the arm that others stand beside; `beside` are texts that follow the tables.
    """
    doubts = Doubts(Samples(results), margins)
    sheets, lines = _beside(doubts, base, filters) if base else _sections(doubts, filters)
    about = [said_of(style, sheets, unit_of(results)), PAIRED]
    block = tested_on(doubts.samples, sheets, doubts.controls, again)
    return letter([*lines, *doubted(sheets), *unpaired(results), *about], sheets, style, beside, block)


def _sections(doubts: Doubts, filters: Filters | None) -> tuple[list[Sheet], list[str]]:
    """The tables of a report, and what happened to order 0."""
    _, sections = sections_of(doubts.samples.results, filters)
    return Sheets(doubts).of(sections), order_0_lines(sections)


def _beside(doubts: Doubts, base: str, filters: Filters | None) -> tuple[list[Sheet], list[str]]:
    """The same of tables that an arm is the base of."""
    sheets = Sheets(doubts).against(*against(doubts.samples.results, base, filters))
    return sheets, list(order_0(sheets))


def letter(
    lines: Iterable[str], sheets: Sequence[Sheet], style: str, beside: Sequence[str], block: str
) -> str:
    """All of it, as plain text."""
    shared = dict.fromkeys(note for sheet in sheets for note in sheet.shared)
    parts = ["\n".join(map(wrap, said)) + "\n" for said in (lines, shared) if said]
    text = "\n".join([parts[0], *map(STYLES[style], sheets), *beside, *parts[1:], block])
    return text.encode("ascii", "replace").decode()


def said_of(style: str, sheets: Sequence[Sheet], unit: str) -> str:
    """What the style's figures are; `unit` is what they are repeated over: processes, boots."""
    less = "fewer instructions" if any(sheet.unit.startswith("instr") for sheet in sheets) else "faster"
    model = any(sheet.heads == (OLD, NEW) and sheet.level not in RUNNING for sheet in sheets)
    return {
        "mail": f"{CALLS if model else ''}negative: {less}.",
        "mmtests": f"As mmtests has it: a positive percentage is {less}, * marks what differs for sure.",
        "lkp": f"As LKP has it: +- is the deviation over {unit} where it is 1 % or more; negative: {less}.",
    }[style]


def order_0(sheets: Sequence[Sheet]) -> Iterator[str]:
    """What happened to order-0 folios, a line for each pair of arms."""
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for sheet in sheets:
        for entry in sheet.entries:
            if entry.order == 0 and entry.change is not None:
                found.setdefault(sheet.heads, []).append((entry.change, sheet.name))
    for (old, new), changes in found.items():
        (low, at), (high, there) = min(changes), max(changes)
        said = f"from {percent(low)} ({at}) to {percent(high)} ({there})"
        yield f"order 0, {new} against {old}: {said if len(changes) > 1 else f'{percent(low)} ({at})'}"


def doubted(sheets: Sequence[Sheet]) -> Iterator[str]:
    """Which figures of order-0 folios are not to be relied on, although a line above has them."""
    found: dict[str, list[str]] = {}
    for sheet in sheets:
        for entry in sheet.entries:
            for note in entry.doubts if entry.order == 0 else ():
                found.setdefault(note.word, []).append(sheet.name)
    for word, names in found.items():
        yield f"! {word} at order 0: {'; '.join(dict.fromkeys(names))}"
