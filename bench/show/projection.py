"""Tables by any two keys of the case names: `--row order --col path --base path=pte`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.case import KEYS, Case, Filters, natural
from bench.errors import UsageError, one_of
from bench.judge.stats import Comparison, Samples
from bench.results import Results
from bench.show.figures import Figures
from bench.show.report import selected
from bench.show.rows import is_plain
from bench.show.rows import rank as variant_rank
from bench.show.table import NONE, Table, interval, percent, size

PATHS = ("pte", "ptes", "pmd", "folio", "default")  # columns in this order
MOST_NAMED = 2  # cases named in a footnote; of more it says how many


@dataclass(frozen=True)
class Axes:
    """What varies down and across, and the arm (key, value) that others are compared with."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    base: tuple[str, str] | None


def render_projection(
    results: Results,
    row: str,
    col: str,
    base: str | None = None,
    filters: Filters | None = None,
    markdown: bool = False,
) -> str:
    """One table for each combination of the other keys.

    `row` and `col` are keys, or several with commas; `base` (key=value) names the arm compared with.
    UsageError for keys and values that the file does not have.
    """
    rows, columns = tuple(row.split(",")), tuple(col.split(","))
    cases = _cases(results, {*rows, *columns, (base or "").partition("=")[0]}, filters)
    valid = keys_of(cases)
    for key in (*rows, *columns):
        if key not in valid:
            raise one_of("key", key, valid)
    axes = Axes(rows, columns, _base(base, cases, valid))
    rest = [key for key in valid if key not in (*rows, *columns)]
    samples = Samples(results)
    tables = [
        _table(samples, title, group, axes)
        for title, group in _split(cases, rest, Figures(samples).explained).items()
    ]
    return "\n".join(table.markdown() if markdown else table.text() for table in tables)


def _cases(results: Results, named: set[str], filters: Filters | None) -> list[Case]:
    """The ordinary cases selected; all variants where variants are an axis."""
    if not named & {"variant", "kernel"}:
        return selected(results, filters, paths_named="path" in named)
    plain = [case for case in results.runs if is_plain(case)]
    return filters.select(plain) if filters else plain


def keys_of(cases: Iterable[Case]) -> list[str]:
    """The keys that cases of the file have, `op` first."""
    present = {key for case in cases for key, _ in case.keys}
    return ["op", *(key for key in KEYS if key in present)]


def _base(text: str | None, cases: Iterable[Case], valid: list[str]) -> tuple[str, str] | None:
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"base {text!r}: expected key=value, for example path=pte")
    if key not in valid:
        raise one_of("key", key, valid)
    values = sorted({_value(case, key) for case in cases} - {""}, key=natural)
    if value not in values:
        raise one_of(f"base {key}", value, values)
    return key, value


def _value(case: Case, key: str) -> str:
    return case.op if key == "op" else case.meaning(key)


def _place(case: Case, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_value(case, key) for key in keys)


def _split(cases: Iterable[Case], keys: list[str], unit: str) -> dict[str, list[Case]]:
    """Cases by the values of `keys`, in words that make a table's title."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        words = [
            case.op if key == "op" else f"{key}={_value(case, key)}" for key in keys if _value(case, key)
        ]
        found.setdefault(f"{case.level}: {' '.join(words)}, {unit}", []).append(case)
    return found


def _table(samples: Samples, title: str, cases: list[Case], axes: Axes) -> Table:
    """Costs by row and column; columns with a base have change and interval beside them."""
    by_cell = {(_place(case, axes.rows), _place(case, axes.columns)): case for case in cases}
    compared = {at: found for at, case in by_cell.items() if (found := _compared(samples, case, axes.base))}
    against = f"vs {_label((axes.base[0],), (axes.base[1],))}" if axes.base else ""
    header, columns = [",".join(axes.rows)], []
    for across in sorted({column for _, column in by_cell}, key=lambda place: _rank(axes.columns, place)):
        with_base = any(column == across for _, column in compared)
        columns.append((across, with_base))
        header += [_label(axes.columns, across), *([against, "95 % interval"] if with_base else [])]
    lines = []
    for down in sorted({row for row, _ in by_cell}, key=lambda place: _rank(axes.rows, place)):
        line = [_label(axes.rows, down)]
        for across, with_base in columns:
            line += _cells(samples, by_cell.get((down, across)), compared.get((down, across)), with_base)
        lines.append(tuple(line))
    return Table(title, tuple(header), tuple(lines), _notes(compared.values()))


def _rank(keys: tuple[str, ...], place: tuple[str, ...]) -> tuple[object, ...]:
    """Variants by age, paths as in PATHS, anything else by its numbers and name."""
    ranks: list[object] = []
    for key, value in zip(keys, place):
        if key == "path" and value in PATHS:
            ranks.append((PATHS.index(value), ()))
        else:
            ranks.append(variant_rank(value) if key == "variant" else (len(PATHS), natural(value)))
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


def _notes(comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """What to know about the comparisons, a line for each kind, with what it concerns if that is little."""
    concerned: dict[tuple[str, str], list[str]] = {}
    for found in comparisons:
        for note in found.notes:
            detail = f" ({note.detail})" if note.detail else ""
            concerned.setdefault((note.word, note.text), []).append(found.case.name + detail)
    return tuple(f"! {word}, {_few(names)}: {text}" for (word, text), names in concerned.items())


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} figures"
