"""A history as text: for each pair how its ratio began, where it changed for good, and how it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.judge.generations import variant_of
from bench.judge.history import LEAST, File, Series
from bench.judge.pairs import BASE
from bench.show.gate import call_of
from bench.show.table import NONE, WIDTH, Table, percent, size, wrap

STEPS = " .:-=+*#"  # least to most, for a line of one character a file
MOST_STEPS = 16  # files drawn in a line


def render_text(files: Sequence[File], found: Sequence[Series], left: Mapping[str, str]) -> str:
    """What changed, on top; then every pair, those that changed first."""
    table = _table(files, found)
    said = [wrap(line) for line in (*_head(files, found), *changed_lines(found))]
    notes = [wrap(f"left out: {name}: {reason}") for name, reason in left.items()]
    return "\n".join([*said, "", table.text(), *notes]).rstrip() + "\n"


def _head(files: Sequence[File], found: Sequence[Series]) -> list[str]:
    changed = sum(bool(item.changes) for item in found)
    span = f"{files[0].path.name} to {files[-1].path.name}"
    said = [f"history: {len(files)} files, {span}; {len(found)} pairs, {changed} changed for good"]
    return said + ([f"{LEAST} files are needed to see a change"] if len(files) < LEAST else [])


def changed_lines(found: Sequence[Series]) -> list[str]:
    """A sentence for each change: what, from which level to which, since which file."""
    return [
        f"! {label_of(item)}: {percent(before)} until then, {percent(after)} since "
        f"{item.points[at].file.path.name} ({item.points[at].file.date or 'undated'})"
        for item in found
        for at, before, after in zip(item.changes, item.levels, item.levels[1:])
    ]


def _table(files: Sequence[File], found: Sequence[Series]) -> Table:
    ordered = sorted(found, key=lambda item: (not item.changes, item.pair.case.order > 0))
    header = ("pair", "first", "last", "least", "most", "changes", "course")
    title = "change against the base of each pair; course: least to most, a character a file, newest right"
    table = Table(title, header, tuple(_row(item) for item in ordered))
    over = max(0, table.width - WIDTH)
    longest = max(len(row[0]) for row in table.rows) - over
    rows = tuple((_cut(row[0], longest), *row[1:]) for row in table.rows)
    return Table(title, header, rows)


def _cut(text: str, keep: int) -> str:
    return text if len(text) <= keep else text[: keep - 1] + "~"


def _row(item: Series) -> tuple[str, ...]:
    values = [point.comparison.change for point in item.points]
    ends = (values[0], values[-1], min(values), max(values))
    times = str(len(item.changes)) if item.changes else NONE
    return (label_of(item), *(percent(value) for value in ends), times, course(values[-MOST_STEPS:]))


def course(values: Sequence[float]) -> str:
    """Heights as characters."""
    low, high = min(values), max(values)
    reach = max(high - low, 0.005)  # half a percent: less is not worth a picture
    return "".join(STEPS[min(len(STEPS) - 1, int((v - low) / reach * len(STEPS)))] for v in values)


def label_of(item: Series) -> str:
    """The pair in a few words, with what it is held against."""
    case, base = item.pair.case, item.pair.about == BASE
    against = f"vs {variant_of(item.pair.base)}" if base else ""
    words = [call_of(case, base), size(case.order), variant_of(case), against]
    return " ".join(filter(None, words))
