"""Tables by any two keys of the case names: `--row order --col path --base path=pte`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.case import Case, Filters, natural
from bench.errors import one_of
from bench.judge.policy import Policy
from bench.judge.stats import Comparison, Note, Samples
from bench.results import Results
from bench.show.doubts import Doubts
from bench.show.figures import Figures, apart
from bench.show.live_notes import RUNNING, of_paths
from bench.show.rows import rank as variant_rank
from bench.show.selection import base_of, cases_of, keys_of, value_of
from bench.show.table import NONE, Table, interval, percent, size

COLUMNS = ("pte", "ptes", "pmd", "folio", "default")  # paths as columns
Place = tuple[str, ...]  # values of the keys of an axis
Cell = tuple[Place, Place]
MOST_NAMED = 2  # cases named in a footnote; of more it says how many


@dataclass(frozen=True)
class Axes:
    """What varies down and across, and the arm (key, value) that others are compared with."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    base: tuple[str, str] | None
    kernels: tuple[str, ...]  # in the order of the run


@dataclass(frozen=True)
class _File:
    """Figures of a file, and what is to be known of its comparisons."""

    samples: Samples
    doubts: Doubts | None  # where something is compared

    def remarks(self, found: Comparison) -> Sequence[Note]:
        """All that is known of one."""
        return self.doubts.of(found) if self.doubts else ()


def render_projection(
    results: Results,
    row: str,
    col: str,
    base: str | None = None,
    filters: Filters | None = None,
    markdown: bool = False,
    margins: Policy | None = None,
) -> str:
    """One table for each combination of the other keys.

    `row` and `col` are keys, or several with commas; `base` (key=value) names the arm compared with.
    UsageError for keys and values that the file does not have.
    """
    rows, columns = tuple(row.split(",")), tuple(col.split(","))
    cases = cases_of(results, {*rows, *columns, (base or "").partition("=")[0]}, filters)
    valid = keys_of(cases)
    for key in (*rows, *columns):
        if key not in valid:
            raise one_of("key", key, valid)
    kernels = tuple(dict.fromkeys(case.get("kernel") for case in results.runs))
    axes = Axes(rows, columns, base_of(base, cases, valid) if base is not None else None, kernels)
    rest = [key for key in valid if key not in (*rows, *columns)]
    samples = Samples(results)
    file = _File(samples, Doubts(samples, margins) if axes.base else None)
    unit = Figures(samples).explained
    tables = [_table(file, f"{title}, {unit}", group, axes) for title, group in _split(cases, rest).items()]
    return "\n".join(table.markdown() if markdown else table.text() for table in tables)


def _place(case: Case, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value_of(case, key) for key in keys)


def _split(cases: Iterable[Case], keys: list[str]) -> dict[str, list[Case]]:
    """Cases by the values of `keys`, in words that make a title; of what has paths, path=default first."""
    found: dict[str, dict[str, list[Case]]] = {}
    for case in cases:
        of_paths = found.setdefault(_words(case, [key for key in keys if key != "path"]), {})
        of_paths.setdefault(_words(case, keys), []).append(case)
    if "path" in keys:
        found = {words: dict(sorted(groups.items(), key=_not_default)) for words, groups in found.items()}
    return {title: group for groups in found.values() for title, group in groups.items()}


def _not_default(titled: tuple[str, list[Case]]) -> bool:
    return titled[1][0].get("path") != "default"


def _words(case: Case, keys: Sequence[str]) -> str:
    values = ((key, value_of(case, key)) for key in keys)
    words = (value if key == "op" else f"{key}={value}" for key, value in values if value)
    return f"{case.level}: {' '.join(words)}"


def _table(file: _File, title: str, cases: list[Case], axes: Axes) -> Table:
    """Costs by row and column; columns with a base have change and interval beside them."""
    by_cell = {(_place(case, axes.rows), _place(case, axes.columns)): case for case in cases}
    found = {at: one for at, case in by_cell.items() if (one := _compared(file.samples, case, axes.base))}
    columns = _columns(by_cell, found, axes)
    against = f"vs {_label((axes.base[0],), (axes.base[1],))}" if axes.base else ""
    header = [",".join(axes.rows)]
    for across, with_base in columns.items():
        header += [_label(axes.columns, across), *([against, "95 % interval"] if with_base else [])]
    lines = []
    for down in sorted({row for row, _ in by_cell}, key=lambda place: _rank(axes, axes.rows, place)):
        line = [_label(axes.rows, down)]
        for across, with_base in columns.items():
            line += _cells(file.samples, by_cell.get((down, across)), found.get((down, across)), with_base)
        lines.append(tuple(line))
    notes = (*_notes(file, found.values()), *_below(file, cases, found))
    return Table(title, tuple(header), tuple(lines), notes)


def _columns(by_cell: Iterable[Cell], found: Iterable[Cell], axes: Axes) -> dict[Place, bool]:
    """The places across, the base before what is compared with it, each with whether it is compared."""
    compared = {column for _, column in found}

    def rank(place: Place) -> tuple[object, ...]:
        at_base = axes.base is not None and axes.base in zip(axes.columns, place)
        return (not at_base, *_rank(axes, axes.columns, place))

    return {place: place in compared for place in sorted({column for _, column in by_cell}, key=rank)}


def _rank(axes: Axes, keys: tuple[str, ...], place: Place) -> tuple[object, ...]:
    """Variants by age, kernels as they were named, paths as in COLUMNS, anything else by numbers and name."""
    ranks: list[object] = []
    for key, value in zip(keys, place):
        known = {"path": COLUMNS, "kernel": axes.kernels}.get(key, ())
        if value in known:
            ranks.append((known.index(value), ()))
        else:
            ranks.append(variant_rank(value) if key == "variant" else (len(known), natural(value)))
    return tuple(ranks)


def _label(keys: tuple[str, ...], place: tuple[str, ...]) -> str:
    words = [size(int(value)) if key == "order" and value else value for key, value in zip(keys, place)]
    return " ".join(filter(None, words)) or NONE


def _compared(samples: Samples, case: Case, base: tuple[str, str] | None) -> Comparison | None:
    """Against the same case with the base's value; None if that is itself or not in the file."""
    if base is None:
        return None
    key, value = base
    other = replace(case, op=value) if key == "op" else case.but(**{key: value})
    return samples.compare(case, other) if other != case and other in samples.results.runs else None


def _cells(samples: Samples, case: Case | None, found: Comparison | None, with_base: bool) -> list[str]:
    cost = Figures(samples).cell(samples.summary(case)) if case else NONE
    if not with_base:
        return [cost]
    if found is None:
        return [cost, NONE, NONE]
    return [cost, percent(found.change), interval(found.change_interval)]


def _below(file: _File, cases: Sequence[Case], found: Mapping[Cell, Comparison]) -> list[str]:
    """What the columns are: why costs and changes differ, and what path=pte of a running kernel is."""
    notes = apart(file.samples, found.values())
    per_page = [case for case in cases if case.level in RUNNING and case.get("path") == "pte"]
    return [*notes, *of_paths(file.samples.results, per_page)]


def _notes(file: _File, comparisons: Iterable[Comparison]) -> Iterator[str]:
    """What to know about the comparisons, a line for each kind, with what it concerns if that is little."""
    concerned: dict[tuple[str, str], list[str]] = {}
    for found in comparisons:
        for note in file.remarks(found):
            detail = f" ({note.detail})" if note.detail else ""
            concerned.setdefault((note.word, note.text), []).append(found.case.name + detail)
    yield from (f"! {word}, {_few(names)}: {text}" for (word, text), names in concerned.items())


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} figures"
