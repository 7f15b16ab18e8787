"""The comparison of two kernels of one machine as JSON, for programs."""

from __future__ import annotations

import json
from typing import Any

from bench.judge.before_after import BeforeAfter, Change, Side

NS = 1e9


def render(found: BeforeAfter) -> str:
    """Costs a page in nanoseconds; changes are fractions."""
    told = {
        "unit": "ns a page", "base": _side(found.base), "new": _side(found.new),
        "alternated": found.alternated, "not_in_both": found.alone,
        "rows": [_row(change) for change in found.changes],
    }  # fmt: skip
    return json.dumps(told, indent=1) + "\n"


def _side(side: Side) -> dict[str, Any]:
    release, version = side.files[0].kernel
    names = [file.name for file in side.files]
    cpu = side.files[0].fact("cpu_model_name")
    return {"kernel": release, "version": version, "cpu": cpu, "files": names, "boots": len(side.boots)}


def _row(change: Change) -> dict[str, Any]:
    case, bounds = change.case, change.interval
    return {
        "case": case.name, "operation": case.op, "level": case.level, **dict(case.keys), "order": case.order,
        "base": _digits(change.base * NS), "new": _digits(change.new * NS), "change": _digits(change.change),
        "interval": [_digits(bounds.low - 1), _digits(bounds.high - 1)] if bounds else None,
        "boots": list(change.boots), "verdict": str(change.verdict) if change.verdict else None,
        "not_gated": change.why_not or None,
    }  # fmt: skip


def _digits(value: float) -> float:
    """Six significant digits: the clock gives no more."""
    return float(f"{value:.6g}")
