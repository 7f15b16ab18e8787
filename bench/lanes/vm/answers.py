"""What guests answered about one block, as values and as what is told about them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from bench.lanes.kernel_arms import WORST, six_digits
from bench.measure.plan import Arm, Block

PAGE = 4096
Answer = dict[str, Any]


class Answers:
    """The answers by arm and round; one that did not come is as one without values."""

    def __init__(self, block: Block, answers: Mapping[tuple[int, int], Answer]) -> None:
        self.block, self.answers = block, answers

    def values(self, turn: int) -> list[float | None]:
        """Net nanoseconds of the guest's, in seconds a base page, in the order of the plan."""
        return [
            self._net(arm, index, turn, op)
            for index, arm in enumerate(self.block.arms)
            for op in arm.spec["ops"]
        ]

    def _net(self, arm: Arm, index: int, turn: int, op: str) -> float | None:
        timed = self.answers.get((index, turn), {}).get("values", {}).get(op)
        if timed is None or timed["gross"] <= timed["empty"]:
            return None
        return (timed["gross"] - timed["empty"]) * _second_a_page(arm)

    def told(self, index: int) -> list[dict[str, Any]]:
        """For each operation the median gross and empty figure, the worst proof, and why it has no value."""
        arm = self.block.arms[index]
        given = [answer for (of, _), answer in sorted(self.answers.items()) if of == index]
        return [self._told(arm, op, given) for op in arm.spec["ops"]]

    def _told(self, arm: Arm, op: str, given: list[Answer]) -> dict[str, Any]:
        timed = [answer["values"][op] for answer in given if op in answer.get("values", {})]
        found: dict[str, Any] = {
            name: six_digits(statistics.median(one[name] for one in timed) * _second_a_page(arm))
            for name in ("gross", "empty")
            if timed
        }
        for name, worst in WORST.items():
            if seen := [one["proof"][name] for one in timed if name in one["proof"]]:
                found[name] = six_digits(worst(seen))
        reason = next(_reasons(op, given), "")
        return {**found, "unmeasurable": reason} if reason else found


def _reasons(op: str, given: list[Answer]) -> Iterator[str]:
    if not given:
        yield "the guest gave no answer that could be read"
    for answer in given:
        if "error" in answer:
            yield answer["error"]
        elif op in answer.get("unmeasurable", {}):
            yield answer["unmeasurable"][op]
        elif answer["values"][op]["gross"] <= answer["values"][op]["empty"]:
            yield "it takes no more than without pages; take more memory"


def _second_a_page(arm: Arm) -> float:
    return 1e-9 / (arm.spec["bytes"] // PAGE)
