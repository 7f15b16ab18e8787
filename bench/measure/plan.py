"""What is to be measured: blocks of arms that are interleaved with each other, and how long and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FAST, DEFAULT, RIGOROUS = 5, 8, 24  # processes


@dataclass(frozen=True)
class Arm:
    """One piece of code to time; `cases` names the values a batch of it yields, None for one not wanted."""

    cases: tuple[str | None, ...]
    spec: dict[str, Any]  # the lane's own words for what to run


@dataclass(frozen=True)
class Block:
    """Arms measured in the same rounds."""

    name: str
    arms: tuple[Arm, ...]

    @property
    def cases(self) -> list[str]:
        """Names of all cases the block yields."""
        return [case for arm in self.arms for case in arm.cases if case]


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to know: the lane's module, its setup and the blocks."""

    lane: str
    setup: dict[str, Any]
    blocks: tuple[Block, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The plan that `dataclasses.asdict` made `data` of, by way of JSON."""
        blocks = tuple(
            Block(block["name"], tuple(Arm(tuple(arm["cases"]), arm["spec"]) for arm in block["arms"]))
            for block in data["blocks"]
        )
        return cls(data["lane"], data["setup"], blocks)


@dataclass(frozen=True)
class Pace:
    """What suits a lane where the command line does not say."""

    rounds: int = 60  # a process
    fast_rounds: int = 60  # with --fast
    warmups: int = 2
    timeout: float = 60.0
    workers: int = 2  # at once
    processes: int = DEFAULT
    fast_processes: int = FAST


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    processes: int = DEFAULT
    rounds: int = 60
    batch_ns: int = 50_000
    seed: int = 1
    budget: float | None = None  # seconds; processes that do not fit are left out
    timeout: float = 60.0  # seconds without a sign of life after which a worker is taken for hung
    warmups: int = 2  # rounds of a process run and thrown away before the first one counts
    cpus: tuple[int, ...] = field(default=(0,))


def yardstick_column(plan: Plan, block: int) -> int | None:
    """Position of the yardstick's first value in the rounds of a block; None if it has none."""
    cases = [case for arm in plan.blocks[block].arms for case in arm.cases]
    return next((i for i, case in enumerate(cases) if case and case.endswith("/control=yardstick")), None)
