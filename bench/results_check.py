"""What metadata of a result file must be, so that nobody computes with words."""

from __future__ import annotations

from typing import Any

MOST = 1e15  # of any number that is computed with
NUMBERS = (
    "pages", "extra_locked", "same_code", "gross", "empty", "order_share", "expected_cases",
    "clock_step_ns", "timed_section_ns", "loops", "process",
)  # fmt: skip
POSITIVE = ("pages", "loops")
WORDS = ("base", "lane", "figure", "date", "command", "name", "unit")


def checked(metadata: dict[str, Any]) -> dict[str, Any]:
    """The same metadata; ValueError if it holds what pyperf does not allow, or no number where one is due."""
    for key, value in metadata.items():
        if not isinstance(value, str | int | float) or value != value:
            raise ValueError(f"metadata {key} is neither text nor a number")
        if key in WORDS and not isinstance(value, str):
            raise ValueError(f"metadata {key} = {value!r} is no text")
        if key in NUMBERS and not (isinstance(value, int | float) and key_least(key) <= value < MOST):
            raise ValueError(f"metadata {key} = {value!r} is not a number that makes sense")
    return metadata


def key_least(key: str) -> float:
    """The smallest value that makes sense."""
    return 1 if key in POSITIVE else -1 if key == "process" else 0
