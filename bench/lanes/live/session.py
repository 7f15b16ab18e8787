"""The live lane in a measuring process: asks the workload for each arm, and keeps what proves its values."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import Any

from bench.errors import BenchError
from bench.lanes.kernel_arms import PAGE, WORKLOAD, WORST, extra_pages, larger, six_digits
from bench.lanes.live.catalogue import MIB
from bench.lanes.live.machine import DURING, Machine, fits
from bench.lanes.live.process import Workload

TRIAL = 4 * MIB  # memory of an arm that is only tried out
BESIDE = ("anon", "shmem")  # kinds of memory that need no reservation and no file


class Session:
    """Everything one worker process keeps between arms: its workload."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup
        self.workload = Workload()

    def build(self, part: int, parts: int) -> None:
        """Nothing is compiled."""

    def calibrate(self, specs: list[dict[str, Any]], batch_ns: int) -> list[Any]:
        """A value is one whole operation: nothing is repeated."""
        return [
            {"loops": 1, "metadata": {"pages": spec["bytes"] // PAGE, **extra_pages(spec)}} for spec in specs
        ]

    def arm(self, spec: dict[str, Any], tuning: Any) -> Memory:
        """The arm; without tuning over a little memory, only to see whether it works."""
        return Memory(self, spec, trial=tuning is None)

    def facts(self) -> dict[str, Any]:
        """Whether what was timed ran in real time, and how it was timed."""
        return {"realtime": self.workload.ask(do="hello")["realtime"], "workload": WORKLOAD}

    def process_facts(self) -> dict[str, Any]:
        """Nothing that is the same for all cases."""
        return {}

    def available(self) -> int:
        """Bytes that an arm may take: what the workload has kept, it gives back or uses again."""
        return Machine().available() + self.workload.holds()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Ask the workload; a new one after it died, so that one arm's death is not all arms'."""
        try:
            return self.workload.ask(**request)
        except BenchError:
            self.workload.__exit__()
            self.workload = Workload()
            raise


class Memory:
    """An arm: memory of one kind, order and path, and the operations it serves."""

    def __init__(self, session: Session, spec: dict[str, Any], trial: bool) -> None:
        self.session, self.spec, self.trial = session, spec, trial
        self.size = TRIAL if trial else spec["bytes"]
        self.turn = 0
        self.reasons: dict[str, str] = {}
        self.seen: dict[str, dict[str, list[float]]] = {op: defaultdict(list) for op in spec["ops"]}

    def run(self) -> tuple[float | None, ...]:
        """Net seconds per base page of each operation; None for one that could not be measured."""
        found = self._measured()
        return tuple(self._value(op, found) for op in self.spec["ops"])

    def _measured(self) -> dict[str, Any]:
        spec = self.spec
        taken = larger(self.size, spec["order"]) if spec["role"] == "positive" else self.size
        self.turn += 1
        if lacking := fits(self.session.available(), taken, spec["copies"], DURING):
            return {"values": {}, "unmeasurable": dict.fromkeys(spec["ops"], lacking)}
        select = self.session.setup["select"][spec["kind"]]
        request = {key: spec[key] for key in ("path", "order", "ops")}
        request |= self._shared(taken) if spec["shared"] else self._own(taken)
        if spec["kind"] == "file":
            request["directory"] = self.session.setup["directory"]
        found = self.session.ask(do="measure", kind=spec["memory"], select=select, **request)
        if self.trial and not found["values"]:
            raise RuntimeError(next(iter(found["unmeasurable"].values())))
        return found

    def _own(self, taken: int) -> dict[str, Any]:
        """Memory of this arm alone; of all arms, what is filled is as much as the positive control's."""
        beside = larger(self.size, self.spec["order"]) - taken if self.spec["memory"] in BESIDE else 0
        return {"bytes": taken, "beside": beside}

    def _shared(self, taken: int) -> dict[str, Any]:
        """The memory that all arms of a round share, PMD-mapped or not: placement is then the same."""
        by = "pmd" if self.spec["path"] == "pmd" else "ptes"
        token = f"{self.spec['order']}/{self.size}/{by}/{self.turn}"
        return {"bytes": self.size, "extra": taken - self.size, "keep": token}

    def _value(self, op: str, found: dict[str, Any]) -> float | None:
        """The value, or None with its reason kept; never a number without proof."""
        timed = found["values"].get(op)
        if timed is None:
            self.reasons.setdefault(op, found["unmeasurable"].get(op, "no value"))
            return None
        second = 1e-9 / (self.size // PAGE)
        gross, empty = timed["gross"] * second, timed["empty"] * second
        for name, value in {"gross": gross, "empty": empty, **timed["proof"]}.items():
            self.seen[op][name].append(value)
        if gross <= empty:
            self.reasons.setdefault(op, "it takes no longer than without pages; take more memory")
            return None
        return gross - empty

    def verify(self) -> None:
        """Every value was proven when it was taken."""

    def told(self) -> list[dict[str, Any]]:
        """For each operation the median gross and empty time, the worst proof, and why it has no value."""
        return [self._told(op) for op in self.spec["ops"]]

    def _told(self, op: str) -> dict[str, Any]:
        seen = self.seen[op]
        middle = {
            name: six_digits(statistics.median(seen[name])) for name in ("gross", "empty") if seen[name]
        }
        worst = {name: six_digits(pick(seen[name])) for name, pick in WORST.items() if seen[name]}
        why = {"unmeasurable": self.reasons[op]} if op in self.reasons else {}
        return {**middle, **worst, **why}


def open_session(setup: dict[str, Any], process: int) -> Session:
    """The lane's entry point for measuring processes."""
    return Session(setup)
