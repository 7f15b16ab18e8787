"""The model lane in a measuring process: compiles what the plan needs, finds loops, makes arms ready."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.lanes.model.arms import CallBatch, Spec, World, Yardstick, timed_section_ns
from bench.lanes.model.families import BY_NAME, EMPTY
from bench.lanes.model.processes import cache_directory
from bench.lanes.model.scene_session import Scenes
from bench.lanes.model.targets import Targets
from bench.measure.facts import anon_huge_mib
from kernels import abi, driver

LEAST_PASSES = 7
MOST_NS = 2  # times the asked-for batch: slower arms get fewer passes, but never less than LEAST_PASSES
# Bytes by which a process moves the code of every call: addresses vary from process to process by whole
# pages only, and figures of a few ns depend on how code lies in its cache lines.
PLACEMENTS = (0, 16, 32, 48)
TWIN = 2  # placements further on lies the A/A twin
CONTROL_SIZE = 0.025  # of the positive control
# Locked instructions in a row: one by itself overlaps with what stands beside it, or waits for its stores.
CONTROL_RUN = 16
TRIALS = 5


class Session:
    """Everything one worker process keeps between arms."""

    def __init__(self, setup: dict[str, Any], process: int) -> None:
        extra = {name: Path(path) for name, path in setup["extra"].items()}
        abi.use_cache(cache_directory(), *extra.values())
        self.needs = setup["needs"]
        self.process = process
        self.targets = Targets(extra)
        self.scenes = Scenes(self.targets, setup["threads"])
        self.scene_needs = setup["scenes"]

    def build(self, part: int, parts: int) -> None:
        """Compile every parts-th file into the cache: entries of a file are made of the same helpers."""
        always = (driver.batch, driver.sweep_yardstick, driver.prepare_exclusive, driver.prepare_unmapped)
        wanted: dict[tuple[Any, int], None] = {(function, 0): None for function in always}
        for family, variant, path, order in self.needs:
            for target in self.targets.of(BY_NAME[family], variant, path, order).all():
                wanted |= {(target.function, pad): None for pad in PLACEMENTS}
                wanted[driver.SWEEPS[target.function.prototype], 0] = None
        wanted |= dict.fromkeys(self.scenes.kernels(self.scene_needs, PLACEMENTS))
        for entries in _by_file(wanted)[part::parts]:
            for function, pad in entries:
                abi.address_of(function, pad)

    def calibrate(self, specs: list[dict[str, Any]], batch_ns: int) -> list[Any]:
        """Loops of each arm, and the positive control's extra instructions.

        Arms up to twice as slow as the fastest share its loops; slower ones run shorter.
        """
        passes = [self._pass_ns(spec) for spec in specs]
        timed = [min(p) for spec, p in zip(specs, passes) if spec.get("variant") != EMPTY]
        least = self.scenes.least_passes(specs[0]) if "scenario" in specs[0] else LEAST_PASSES
        most = max(least, round(batch_ns / min(timed)))
        locked_ns = next((p[0] for s, p in zip(specs, passes) if s["role"] == "yardstick"), 5120.0) / 1024
        loops = [min(most, max(least, round(MOST_NS * batch_ns / min(p)))) for p in passes]
        tunings = [{"loops": n, "metadata": {"pages": self.npages(s)}} for n, s in zip(loops, specs)]
        for index, spec in enumerate(specs):
            if spec["role"] in ("twin", "positive"):
                self._follow_base(index, specs, passes, tunings, locked_ns)
        return tunings

    def _follow_base(
        self, index: int, specs: list[dict[str, Any]], passes: list[tuple[float, ...]], tunings: list[Any],
        locked_ns: float,
    ) -> None:  # fmt: skip
        """A control runs as often as the arm it repeats."""
        spec = specs[index]
        base = next(i for i, other in enumerate(specs) if other == {**spec, "role": "case"})
        tunings[index]["loops"] = tunings[base]["loops"]
        if spec["role"] == "positive":
            extra = positive_control(passes[base], locked_ns, tunings[index]["loops"])
            tunings[index] |= {"extra": extra.plan, "per_case": [{"extra_locked": n} for n in extra.a_pass]}

    def npages(self, spec: dict[str, Any]) -> int:
        """Base pages a pass of the arm works on, each as often as it does."""
        if "scenario" in spec:
            return self.scenes.npages(spec)
        chosen = _spec(spec)
        return chosen.npages * chosen.sweeps

    def _pass_ns(self, spec: dict[str, Any]) -> tuple[float, ...]:
        """Nanoseconds of one pass of the call and, if it is wanted, of its inverse: the best of a few."""
        batch = self.arm(spec, None)
        trials = [batch.nanoseconds(LEAST_PASSES) for _ in range(TRIALS)]
        best = [min(ns) / LEAST_PASSES for ns in zip(*trials)]
        return tuple(ns for ns in best if ns > 0) or (1.0,)

    def arm(self, spec: dict[str, Any], tuning: Any) -> Any:
        """The arm made ready; without tuning for a few passes only."""
        if spec["role"] == "yardstick":
            batch: Any = Yardstick(_world())
        elif "scenario" in spec:
            pad = self.placement(TWIN if spec["role"] == "twin" else 0)
            batch = self.scenes.arm(spec, (tuning or {}).get("extra", (0,))[0], pad)
        else:
            batch = self._call_batch(spec, (tuning or {}).get("extra", (0, 0, 0)))
        batch.loops = tuning["loops"] if tuning else LEAST_PASSES
        batch.overhead_ns = _overhead_ns() if spec["role"] != "yardstick" else 0.0
        return batch

    def _call_batch(self, spec: dict[str, Any], extra: tuple[int, ...]) -> CallBatch:
        chosen = _spec(spec)
        calls = self.targets.of(BY_NAME[chosen.family], chosen.variant, chosen.path, chosen.order)
        layout = self.targets.module(chosen.variant).LAYOUT
        pad = self.placement(TWIN if chosen.role == "twin" else 0)
        batch = CallBatch(_world(), chosen, calls, layout, pad)
        batch.spend_extra(*extra)
        return batch

    def placement(self, further: int = 0) -> int:
        """Where this process puts code, in bytes from where the compiler did."""
        return PLACEMENTS[(self.process + further) % len(PLACEMENTS)]

    def process_facts(self) -> dict[str, Any]:
        """The placement of calls in this process, and how much of its memory is of huge pages."""
        return {"placement": self.placement(), "anon_huge_mib": anon_huge_mib()}

    def facts(self) -> dict[str, Any]:
        """What a timed section costs that makes no call; it is subtracted once a pass."""
        return {"timed_section_ns": round(_overhead_ns(), 2)}


class PositiveControl(NamedTuple):
    """Locked instructions for sweep, inverse and on which pass; and how many a pass that is on average."""

    plan: tuple[int, int, int]
    a_pass: tuple[float, ...]


def positive_control(passes: Sequence[float], locked_ns: float, loops: int) -> PositiveControl:
    """CONTROL_SIZE of passes that take so many ns, in runs of CONTROL_RUN or more on some of the passes."""
    wanted = [CONTROL_SIZE * ns / locked_ns for ns in passes]
    every = min(loops, math.ceil(max(1.0, CONTROL_RUN / min(wanted))))
    runs = [max(1, round(each * every)) for each in wanted]
    sweep, inverse = (*runs, 0)[:2]
    return PositiveControl((sweep, inverse, every), tuple(n * (loops // every) / loops for n in runs))


def _by_file(wanted: Iterable[tuple[Any, int]]) -> list[list[tuple[Any, int]]]:
    """Functions and placements by the file they are compiled in, the file with most of them first."""
    files: dict[str, list[tuple[Any, int]]] = {}
    for function, pad in wanted:
        files.setdefault(function.py_func.__code__.co_filename, []).append((function, pad))
    return sorted(files.values(), key=len, reverse=True)


@cache
def _world() -> World:
    return World()


@cache
def _overhead_ns() -> float:
    return timed_section_ns(_world())


def _spec(spec: dict[str, Any]) -> Spec:
    return Spec(spec["role"], spec["family"], spec["order"], spec.get("variant", ""), spec.get("path", ""))


def open_session(setup: dict[str, Any], process: int = 0) -> Session:
    """The lane's entry point for measuring processes, which are numbered."""
    return Session(setup, process)
