"""Verdicts as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench.show.gate_lines import Line


def render(found: Sequence[Line], code: int) -> str:
    """The exit code, and every pair with its verdict and figures; changes and margins are fractions."""
    return json.dumps({"exit_code": code, "pairs": [_pair(line) for line in found]}, indent=1) + "\n"


def _pair(line: Line) -> dict[str, Any]:
    told = {"name": line.name, "verdict": str(line.verdict), "judged": line.judged, "found": line.said}
    return {**told, **line.figures}
