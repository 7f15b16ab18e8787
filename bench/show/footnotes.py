"""Footnotes of a table: controls, the cost of calling, the sample, and what to know about single figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.case import Case
from bench.judge.controls import Controls, Positive
from bench.judge.stats import Comparison, Samples
from bench.show.figures import GUESTS, Figures
from bench.show.rows import EMPTY, NAMES, Row
from bench.show.table import interval, number, percent, size


def footnotes(samples: Samples, controls: Mapping[Case, Controls], rows: Sequence[Row]) -> list[str]:
    """All footnotes of a table."""
    groups = sorted({row.group for row in rows}, key=lambda group: group.order)
    found = [controls[group] for group in groups]
    notes = [*_twins(found), *_positives(found), *_empty(samples, groups), *_sample(rows)]
    return notes + _warnings(rows)


def _twins(controls: Sequence[Controls]) -> list[str]:
    """The A/A control of the smallest folio, and the largest."""
    twins = [(control.group, control.twin) for control in controls if control.twin]
    if not twins:
        return ["A/A control: none measured"]
    first, worst = twins[0], max(twins, key=lambda item: abs(item[1].change))
    change = f"{percent(worst[1].change, 2)} at {size(worst[0].order)}"
    at_most = "" if worst is first else f"; largest {change}"
    lacking = ", ".join(size(control.group.order) for control in controls if not control.twin)
    return [f"A/A control: {_estimate(*first)}{at_most}" + (f"; none at {lacking}" if lacking else "")]


def _estimate(group: Case, comparison: Comparison) -> str:
    bounds = interval(comparison.change_interval, 2) if comparison.interval else "(no interval)"
    return f"{percent(comparison.change, 2)} {bounds} at {size(group.order)}"


def _positives(controls: Sequence[Controls]) -> list[str]:
    found = [(control.group, control.positive) for control in controls if control.positive]
    if not found:
        return ["positive control: none measured"]
    shares = [positive.recovered for _, positive in found]
    group, first = found[0]
    said = f"{percent(first.comparison.change)} of true {percent(first.true)} at {size(group.order)}"
    share = " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(shares), max(shares))))
    notes = [f"positive control: {said}; estimated / true {share}"]
    return notes + [_missed(group, positive) for group, positive in found if not positive.holds]


def _missed(group: Case, positive: Positive) -> str:
    said = f"estimated {percent(positive.comparison.change)}, true {percent(positive.true)}"
    what = "figures" if positive.missed_by is None else "small changes"
    return f"! {size(group.order)}: positive control {said}; {what} of this size are not to be trusted"


def _empty(samples: Samples, groups: Sequence[Case]) -> list[str]:
    """What calling costs at the smallest and the largest folio."""
    ends = [groups[0]] if len(groups) == 1 else [groups[0], groups[-1]]
    said = [text for group in ends if (text := _empty_at(samples, group))]
    return [f"empty call, never subtracted: {'; '.join(said)}"] if said else []


def _empty_at(samples: Samples, group: Case) -> str:
    cases = [group.but(variant=EMPTY, path=path) for path in ("pte", "ptes", "pmd", "folio")]
    plain = Figures(samples).plain
    costs = [
        f"{NAMES.get(case.get('path'), case.get('path'))} {plain(samples.summary(case).value)}"
        for case in cases
        if case in samples
    ]
    return f"{', '.join(costs)} at {size(group.order)}" if costs else ""


def _sample(rows: Sequence[Row]) -> list[str]:
    values = [row.value for row in rows if row.value]
    processes, rounds = {value.processes for value in values}, {value.rounds for value in values}
    dropped, total = sum(value.dropped for value in values), sum(value.rounds for value in values)
    units = "boots" if any(value.case.level == GUESTS for value in values) else "processes"
    said = f"sample: {_span(processes, units)}, {_span(rounds, 'rounds')}"
    return [f"{said}, {100 * dropped / total:.1f} % of them dropped"]


def _span(numbers: set[int], units: str) -> str:
    low, high = min(numbers), max(numbers)
    return number(low, units) if low == high else f"{low} to {high} {units}"


def _warnings(rows: Sequence[Row]) -> list[str]:
    """Notes of all rows, a line for each kind."""
    by_note: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for note in row.comparison.notes if row.comparison else ():
            detail = f" ({note.detail})" if note.detail else ""
            by_note.setdefault((note.word, note.text), []).append(row.label + detail)
    missing: dict[str, list[str]] = {}
    for row in rows:
        if row.base and row.comparison is None:
            missing.setdefault(row.base, []).append(row.label)
    notes = [f"! {word} at {_where(labels, rows)}: {text}" for (word, text), labels in by_note.items()]
    return notes + [
        f"! {_where(labels, rows)}: to be compared with {base}, of which the file has no such figure"
        for base, labels in missing.items()
    ]


def _where(labels: Sequence[str], rows: Sequence[Row]) -> str:
    every = len(rows) > 1 and list(labels) == [row.label for row in rows]
    return "all sizes" if every else ", ".join(labels)
