"""A lane without kernels, for tests of the engine: its arms answer, crash, hang or raise as told."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any


class _Arm:
    def __init__(self, spec: dict[str, Any], noise: random.Random, turns: dict[str, int]) -> None:
        self.spec, self.noise, self.turns = spec, noise, turns

    def run(self) -> tuple[float | None, ...]:
        """Values around spec["ns"], or what spec["does"] says once spec["after"] runs have gone by."""
        self.turns["all"] = self.turns.get("all", 0) + 1
        if self.turns["all"] > self.spec.get("after", 0):
            _DEEDS[self.spec.get("does", "nothing")]()
        time.sleep(self.spec.get("sleep", 0))
        value = self.spec["ns"] * 1e-9 * (1 + self.noise.gauss(0, 0.002))
        lacks = self.spec.get("lacks")  # the turn and the case that have no value
        values: list[float | None] = [value] * self.spec.get("yields", 1)
        if lacks and self.turns["all"] == lacks[0]:
            values[lacks[1]] = None
        return tuple(values)

    def told(self) -> list[dict[str, Any]]:
        """What the spec says, for each case."""
        return self.spec.get("told", [{}] * self.spec.get("yields", 1))

    def verify(self) -> None:
        """Raise if the spec says the state went wrong."""
        if self.spec.get("wrong"):
            raise RuntimeError("state went wrong")


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(3600)


def _refuse() -> None:
    raise RuntimeError("refused with -EBUSY")


_DEEDS = {"nothing": lambda: None, "crash": _crash, "hang": _hang, "raise": _refuse}


class _Session:
    def __init__(self, setup: dict[str, Any], process: int) -> None:
        self.setup, self.process, self.noise = setup, process, random.Random()
        self.turns: dict[str, dict[str, int]] = {}

    def build(self, part: int, parts: int) -> None:
        """Fail if the setup says so."""
        if self.setup.get("build") == "fails":
            raise RuntimeError("no compiler")

    def calibrate(self, specs: list[dict[str, Any]], batch_ns: int) -> list[Any]:
        """Ten loops for everybody."""
        return [{"loops": 10, "metadata": {}} for _ in specs]

    def arm(self, spec: dict[str, Any], tuning: Any) -> _Arm:
        """An arm that counts its runs in this process."""
        return _Arm(spec, self.noise, self.turns.setdefault(str(spec), {}))

    def facts(self) -> dict[str, Any]:
        """One fact."""
        return {"fake": 1}

    def process_facts(self) -> dict[str, Any]:
        """Another one."""
        return {"placement": 16 * self.process}


def open_session(setup: dict[str, Any], process: int) -> _Session:
    """The lane's entry point."""
    return _Session(setup, process)
