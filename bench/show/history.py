"""A history as text: how each ratio, or count, began, where it changed for good, and how it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.judge.generations import variant_of
from bench.judge.history import LEAST, File, Series
from bench.judge.pairs import BASE
from bench.show.figures import instructions
from bench.show.gate import against, call_of
from bench.show.gate_boots import PLAIN
from bench.show.table import NONE, Table, percent, size, wrap

STEPS = "_.:-=+*#"  # least to most, for a line of one character a file
COURSE = "course: from the least (_) to the most (#), a character a file, newest to the right"
MOST_STEPS = 12  # files drawn in a line


def render_text(files: Sequence[File], found: Sequence[Series], left: Mapping[str, str]) -> str:
    """What changed, on top; then every pair, those that changed first."""
    topics: dict[str, list[Series]] = {}
    for item in found:
        topics.setdefault(_topic(item), []).append(item)
    tables = [_table(topic, items).text() for topic, items in topics.items()]
    said = [wrap(line) for line in (*_head(files, found), *changed_lines(found))]
    notes = [wrap(f"left out: {name}: {reason}") for name, reason in left.items()]
    return "\n".join([*said, "", *tables, *notes]).rstrip() + "\n"


def _head(files: Sequence[File], found: Sequence[Series]) -> list[str]:
    changed = sum(bool(item.changes) for item in found)
    span = f"{files[0].path.name} to {files[-1].path.name}"
    counts = sum(item.own for item in found)
    followed = [f"{counts} counts"] * bool(counts) + [f"{len(found) - counts} pairs"] * (counts < len(found))
    said = [f"history: {len(files)} files, {span}; {' and '.join(followed)}, {changed} changed for good"]
    return said + ([f"{LEAST} files are needed to see a change"] if len(files) < LEAST else [])


def changed_lines(found: Sequence[Series]) -> list[str]:
    """A sentence for each change: what, from which level to which, since which file."""
    return [
        f"! {label_of(item)}: {written(item, before)} until then, {written(item, after)} since "
        f"{item.points[at].file.path.name} ({item.points[at].file.date or 'undated'})"
        + (f", {percent(after / before - 1)}" if item.own else "")
        for item in found
        for at, before, after in zip(item.changes, item.levels, item.levels[1:])
    ]


def written(item: Series, value: float) -> str:
    """A ratio as a change, a count as it is."""
    return instructions(value) if item.own else percent(value - 1)


def _topic(item: Series) -> str:
    """What is held against what."""
    if item.own:
        return f"{variant_of(item.pair.case)}, instructions a page"
    base = variant_of(item.pair.base) if item.pair.about == BASE else ""
    return against(variant_of(item.pair.case), base)


def _table(topic: str, found: Sequence[Series]) -> Table:
    ordered = sorted(found, key=lambda item: (not item.changes, item.pair.case.order > 0))
    header = ("count" if ordered[0].own else "pair", "first", "last", "changes", "course")
    return Table(topic, header, tuple(_row(item) for item in ordered), (COURSE,))


def _row(item: Series) -> tuple[str, ...]:
    values = [point.value for point in item.points]
    label = f"{call_of(item.pair.case, _with_path(item))} {size(item.pair.case.order)}"
    times = str(len(item.changes)) if item.changes else NONE
    heights = [value / (values[0] if item.own else 1) for value in values[-MOST_STEPS:]]
    return (label, written(item, values[0]), written(item, values[-1]), times, course(heights))


def _with_path(item: Series) -> bool:
    return item.pair.case.get("path") != PLAIN if item.own else item.pair.about == BASE


def course(values: Sequence[float]) -> str:
    """Heights as characters."""
    low, high = min(values), max(values)
    reach = max(high - low, 0.005)  # half a percent: less is not worth a picture
    return "".join(STEPS[min(len(STEPS) - 1, int((v - low) / reach * len(STEPS)))] for v in values)


def label_of(item: Series) -> str:
    """The pair in a few words, with what it is held against."""
    case = item.pair.case
    against = f"vs {variant_of(item.pair.base)}" if item.pair.about == BASE else ""
    words = [call_of(case, _with_path(item)), size(case.order), variant_of(case), against]
    return " ".join(filter(None, words))
