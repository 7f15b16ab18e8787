"""A report as JSON, for programs: every row of the tables with its figures, and the controls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench.case import Case, Filters
from bench.judge.controls import Controls, controls
from bench.judge.estimate import Interval
from bench.judge.pairs import only_shown
from bench.judge.stats import Comparison, Samples, Summary
from bench.results import Results
from bench.show.figures import Figures
from bench.show.report import Column, Section, sections_of
from bench.show.rows import Row
from bench.show.selection import against
from bench.show.table import NONE


def render(results: Results, filters: Filters | None = None, extra: Sequence[Column] = ()) -> str:
    """Costs a page in nanoseconds, or in instructions as `unit` says; changes and spreads are fractions.

    A spread is half the range over processes, or boots. Every row has a `verdict`, null where there is none;
    other columns of `extra` are keys of theirs.
    """
    samples, sections = sections_of(results, filters)
    found = controls(samples)
    rows = [
        _row(samples, section, row, found[row.group]) | _cells(extra, row)
        for section in sections
        for row in section.rows
    ]
    return _text(samples, rows)


def _cells(extra: Sequence[Column], row: Row) -> dict[str, str | None]:
    found = {column.title: column.cell(row) for column in extra}
    return {"verdict": None, **{title: None if cell == NONE else cell for title, cell in found.items()}}


def render_against(results: Results, base: str, filters: Filters | None = None) -> str:
    """The same of each case beside the one that has the base's value (key=value)."""
    samples = Samples(results)
    cases, key, value = against(results, base, filters)
    found = controls(samples)
    rows = [
        _beside(samples, case, case.but(**{key: value}), found[case.group])
        for case in cases
        if case.get(key) != value
    ]
    return _text(samples, rows, base=base)


def _text(samples: Samples, rows: list[dict[str, Any]], **more: str) -> str:
    results = samples.results
    told = {"metadata": results.metadata, "unit": Figures(samples).unit, **more, "rows": rows}
    return json.dumps({**told, "failed": results.failed}, indent=1) + "\n"


def _beside(samples: Samples, case: Case, base: Case, controls: Controls) -> dict[str, Any]:
    """A case, what it is compared with, and what the file's controls say."""
    known = base in samples
    return {
        "operation": case.op, "level": case.level, **dict(case.keys), "order": case.order,
        "cost": _cost(samples, samples.summary(case)),
        "base_cost": _cost(samples, samples.summary(base)) if known else None,
        "comparison": _comparison(samples.compare(case, base) if known else None),
        "not_gated": only_shown(samples.results, case) or None, "controls": _controls(controls),
    }  # fmt: skip


def _row(samples: Samples, section: Section, row: Row, controls: Controls) -> dict[str, Any]:
    keys = dict(section.subject.family.keys)
    per_page, batched, base = (_cost(samples, one) for one in (row.per_page, row.batched, row.base_value))
    why_not = only_shown(samples.results, row.value.case) if row.value else ""
    return {
        "operation": section.subject.family.op, "level": section.subject.family.level, **keys,
        "variant": section.subject.variant, "order": row.order, "folio": row.label, "base": row.base or None,
        "same_code": row.same_code, "per_page": per_page, "batched": batched, "base_cost": base,
        "comparison": _comparison(row.comparison), "not_gated": why_not or None,
        "controls": _controls(controls),
    }  # fmt: skip


def _controls(found: Controls) -> dict[str, Any]:
    positive = found.positive
    known = positive and {"true": _digits(positive.true), "estimated": _digits(positive.comparison.change)}
    return {"equal": _comparison(found.twin), "known_difference": known}


def _cost(samples: Samples, summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    bounds = _scaled(summary.interval)
    counted = {"processes": summary.processes, "rounds": summary.rounds, "dropped": summary.dropped}
    value, spread = _digits(summary.value * 1e9), Figures(samples).spread(summary)
    shown = {"value": value, "spread": None if spread is None else _digits(spread), "interval": bounds}
    return {"case": summary.case.name, **shown, **counted}


def _scaled(bounds: Interval | None) -> list[float] | None:
    return [_digits(bounds.low * 1e9), _digits(bounds.high * 1e9)] if bounds else None


def _comparison(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    bounds = found.change_interval
    notes = [{"word": note.word, "text": note.text, "detail": note.detail} for note in found.notes]
    interval = [_digits(bounds.low), _digits(bounds.high)] if bounds else None
    return {"change": _digits(found.change), "interval": interval, "base": found.base.name, "notes": notes}


def _digits(value: float) -> float:
    """Six significant digits: the clock gives no more."""
    return float(f"{value:.6g}")
