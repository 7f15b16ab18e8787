"""A report as JSON, for programs: every row of the tables with its figures, and the controls."""

from __future__ import annotations

import json
from typing import Any

from bench.case import Filters
from bench.judge.controls import Controls, controls
from bench.judge.estimate import Interval
from bench.judge.stats import Comparison, Summary
from bench.results import Results
from bench.show.figures import Figures
from bench.show.report import Section, sections_of
from bench.show.rows import Row


def render(results: Results, filters: Filters | None = None) -> str:
    """Costs a page in nanoseconds, or in instructions as `unit` says; changes are fractions."""
    samples, sections = sections_of(results, filters)
    found = controls(samples)
    rows = [_row(section, row, found[row.group]) for section in sections for row in section.rows]
    told = {"metadata": results.metadata, "unit": Figures(samples).unit, "rows": rows}
    return json.dumps({**told, "failed": results.failed}, indent=1) + "\n"


def _row(section: Section, row: Row, controls: Controls) -> dict[str, Any]:
    keys = dict(section.subject.family.keys)
    twin, positive = controls.twin, controls.positive
    return {
        "operation": section.subject.family.op, "level": section.subject.family.level, **keys,
        "variant": section.subject.variant, "order": row.order, "folio": row.label, "base": row.base or None,
        "same_code": row.same_code, "per_page": _cost(row.per_page), "batched": _cost(row.batched),
        "base_cost": _cost(row.base_value), "comparison": _comparison(row.comparison),
        "controls": {
            "equal": _comparison(twin),
            "known_difference": positive
            and {"true": _digits(positive.true), "estimated": _digits(positive.comparison.change)},
        },
    }  # fmt: skip


def _cost(summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    bounds = _scaled(summary.interval)
    counted = {"processes": summary.processes, "rounds": summary.rounds, "dropped": summary.dropped}
    return {"case": summary.case.name, "value": _digits(summary.value * 1e9), "interval": bounds, **counted}


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
