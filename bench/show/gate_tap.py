"""Verdicts as TAP version 13, for kselftest and everything else that reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.judge.verdict import Verdict
from bench.show.gate_lines import Line


def render(found: Sequence[Line], strict: bool = False) -> str:
    """A test a judged pair; what could not be decided is skipped, under `strict` it is not ok."""
    judged = [line for line in found if line.judged]
    plan = ["TAP version 13", f"1..{len(judged)}"]
    return "\n".join([*plan, *(_test(n, line, strict) for n, line in enumerate(judged, 1))]) + "\n"


def skipped(reason: str) -> str:
    """The whole plan is skipped: this machine cannot run the lane."""
    return f"TAP version 13\n1..0 # SKIP {_plain(reason)}\n"


def _test(number: int, line: Line, strict: bool) -> str:
    undecided = line.verdict == Verdict.INCONCLUSIVE
    result = "not ok" if line.failed or (undecided and strict) else "ok"
    skip = f" # SKIP {line.verdict}: {_plain(line.said)}" if undecided and not strict else ""
    # A string of JSON is one of YAML too.
    facts = {"verdict": str(line.verdict), "found": line.said, **line.figures}
    block = [f"    {key}: {json.dumps(value)}" for key, value in facts.items() if value is not None]
    return "\n".join([f"{result} {number} - {_plain(line.name)}{skip}", "    ---", *block, "    ..."])


def _plain(text: str) -> str:
    """Without what would begin a directive."""
    return text.replace("#", "no. ")
