"""The gate's tables of instructions: before, now, and how well boots repeat, instead of an interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.judge.gate import Judged, Ruling
from bench.show.figures import instructions
from bench.show.table import NONE, percent, size

HEADER = ("before", "now", "change", "+-")
MORE = "*"  # marks a change
PLAIN = "default"  # the path that needs no name: what a kernel does by itself


def summary(ruling: Ruling) -> str:
    """What is compared."""
    return (
        f"Instructions a page are compared with those in {ruling.against}: each case with itself, boot "
        "against boot."
    )


def cells(item: Judged) -> tuple[str, ...]:
    """The figures of a row: medians over boots, their change, and half the range over boots."""
    if not item.boots or not item.comparison:
        return (NONE,) * len(HEADER)
    base, new = (instructions(float(np.median(side))) for side in (item.boots.base, item.boots.new))
    mark = MORE if beyond(item) else ""
    return base, new, mark + percent(item.comparison.change), f"{100 * item.boots.repeatability:.2f}%"


def beyond(item: Judged) -> bool:
    """Is there more at order 0 than boots differ by, whatever the margin?"""
    return bool(item.boots and item.boots.enough and item.boots.more and item.pair.case.order == 0)


def notes(items: Sequence[Judged]) -> list[str]:
    """What marks and missing paths mean, and why some cases are only shown."""
    said = [f"{MORE} every boot takes more than every boot did before"] if any(map(beyond, items)) else []
    reasons: dict[str, list[str]] = {}
    for item in items:
        if item.pair.why_not:
            reasons.setdefault(item.pair.why_not, []).append(_short(item))
    if len(reasons) == 1:
        return [*said, *(f"not judged: {reason}" for reason in reasons)]
    return [*said, *(f"not judged, {', '.join(names)}: {reason}" for reason, names in reasons.items())]


def _short(item: Judged) -> str:
    path = item.pair.case.get("path")
    return " ".join([item.pair.case.op, *([] if path == PLAIN else [path]), size(item.pair.case.order)])


def number(judged: Sequence[Judged]) -> str:
    """Of boots, where there are fewest; and what stands beside a change."""
    base, new = min((item.boots.number for item in judged if item.boots), key=min)
    return f"{base} boots before, {new} now; +-: half their range; a call without path: path={PLAIN}"
