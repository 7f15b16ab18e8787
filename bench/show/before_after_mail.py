"""A mail about two kernels of one machine, from their files: a table for each operation and path."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterator, Sequence

from bench.case import Case
from bench.judge.before_after import BeforeAfter, Change, Side
from bench.judge.controls import controls
from bench.judge.estimate import Interval
from bench.judge.stats import Note
from bench.results import Results
from bench.show.before_after import head, named
from bench.show.doubts import NOT_JUDGED
from bench.show.live_notes import of_paths
from bench.show.mail import doubted, letter, said_of
from bench.show.sheet import SHORT, Cost, Entry, Sheet
from bench.show.sheets import keys_of, name_of, own_way_sorted
from bench.show.table import nanoseconds, number
from bench.show.tested_on import block, host, program, reproduction

EACH = "# on each boot, with a file of its own:"
OUTPUT = ("-o", "--output")


def render_mail(found: BeforeAfter, style: str, again: str) -> str:
    """The comparison in a style; `again` is the command that prints it."""
    sheets = list(_sheets(found))
    lines = [*head(found), *doubted(sheets), said_of(style, sheets, "boots")]
    return letter(lines, sheets, style, (), _block(found, sheets, again))


def _sheets(found: BeforeAfter) -> Iterator[Sheet]:
    """One for each operation and path, path=default first."""
    by_family: dict[Case, list[Change]] = {}
    for change in found.changes:
        by_family.setdefault(change.case.but(order=None), []).append(change)
    names = named(found.base, found.new), named(found.new, found.base)
    heads = names if len(set(names)) == 2 else SHORT  # of one kernel: a setting was changed
    for family in own_way_sorted(by_family):
        changes = by_family[family]
        cases = tuple(change.case for change in changes)
        per_page = [case for case in cases if case.get("path") == "pte"]
        entries = tuple(_entry(found, change) for change in changes)
        yield Sheet(
            name_of(family), keys_of(family), heads, "ns a page", nanoseconds, entries, cases,
            shared=tuple(of_paths(found.new.files[0].results, per_page)),
        )  # fmt: skip


def _entry(found: BeforeAfter, change: Change) -> Entry:
    case, bounds = change.case, change.interval
    costs = (Cost(change.base, _spread(found.base, case)), Cost(change.new, _spread(found.new, case)))
    remarks = (Note(NOT_JUDGED, change.why_not),) if change.why_not else ()
    interval = Interval(bounds.low - 1, bounds.high - 1) if bounds else None
    return Entry(case.order, "", *costs, change.change, interval, remarks)


def _spread(side: Side, case: Case) -> float:
    """Over boots; of logarithms, which for small ones are fractions."""
    logs = side.logs(case)
    return statistics.stdev(logs) if len(logs) > 1 else 0.0


def _block(found: BeforeAfter, sheets: Sequence[Sheet], again: str) -> str:
    """Where the figures come from: one machine, boots of two kernels, the commands that measured."""
    files = [file for side in (found.base, found.new) for file in side.files]
    groups = {case.group for sheet in sheets for case in sheet.cases}
    known = [one for file in files for group, one in controls(file.samples).items() if group in groups]
    names = dict.fromkeys((named(found.base, found.new), named(found.new, found.base)))
    tested = ", ".join([*host(files[0].results), *(f"Linux {name}" for name in names)])
    commands = _commands([file.results for file in files])
    each = (EACH,) if commands else ()
    return block(tested, ", ".join(_how(found)), known, (*each, *commands, again))


def _how(found: BeforeAfter) -> Iterator[str]:
    results = found.new.files[0].results
    yield program(results)
    yield f"{results.metadata.get('lane', 'live')} lane"
    old, new = found.boots
    yield f"{number(old, 'boots')} of the base and {number(new, 'boots')} of the new kernel"
    yield "95 % intervals over boots" if min(found.boots) > 1 else "no intervals"


def _commands(files: Sequence[Results]) -> list[str]:
    """Those that measured, once each: they differ in where they write, and in their seeds."""
    first: dict[tuple[str, ...], str] = {}
    for results in files:
        words = _words(str(results.metadata.get("command", "")))
        first.setdefault(tuple(_without_output(words)), reproduction(results))
    return [command for command in first.values() if command]


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _without_output(words: Sequence[str]) -> Iterator[str]:
    for before, word in zip(("", *words), words):
        if word not in OUTPUT and before not in OUTPUT:
            yield word
