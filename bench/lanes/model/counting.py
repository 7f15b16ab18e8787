"""Exact operation counts of a case: its own sweep over one folio, interpreted and traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.lanes.model.arms import CallBatch, Spec, World
from bench.lanes.model.families import BY_NAME
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_session import Scenes
from bench.lanes.model.scene_world import SceneWorld
from bench.lanes.model.targets import Targets
from kernels import abi, driver, trace
from kernels.memmap import get
from kernels.mm_types import PAGE_BYTES

STATISTICS = ("lruvec_stat_mod_folio", "node_stat_mod_folio")
Counts = dict[str, int]
NOWHERE = range(0)


def count(job: Mapping[str, Any]) -> dict[str, Counts]:
    """Counts by case name, for whole folios; `job` holds user variants and the plan's arms."""
    counter = _Counter({name: Path(path) for name, path in job["extra"].items()})
    counted: dict[str, Counts] = {}
    for arm in job["arms"]:
        counts_of = counter.scenario if "scenario" in arm["spec"] else counter.arm
        for name, counts in zip(arm["cases"], counts_of(arm["spec"])):
            if name:
                counted[name] = counts
    return counted


class _Counter:
    def __init__(self, extra: dict[str, Path]) -> None:
        self.targets, self.world = Targets(extra), World()
        self.scenes, self.scene_world = Scenes(self.targets), SceneWorld()

    def arm(self, spec: Mapping[str, Any]) -> Iterable[Counts]:
        """Counts of the call and of its inverse."""
        chosen = Spec("case", spec["family"], spec["order"], spec["variant"], spec["path"])
        calls = self.targets.of(BY_NAME[chosen.family], chosen.variant, chosen.path, chosen.order)
        layout = self.targets.module(chosen.variant).LAYOUT
        batch = CallBatch(self.world, chosen, calls, layout, npages=1 << chosen.order)
        if prepare := get(batch.plan + driver.PREPARE):
            abi.interpreted_at(prepare)(get(batch.plan + driver.PREPARE_SITE))
        sweeps = ((driver.SWEEP, driver.SITE), (driver.INVERSE, driver.INVERSE_SITE))
        return [self._sweep(batch, function, site) for function, site in sweeps]

    def scenario(self, spec: Mapping[str, Any]) -> Iterable[Counts]:
        """Counts of one pass over the least there is of the pattern: a folio, if it is the full one."""
        chosen = SceneSpec.of(spec)
        npages = (2 if chosen.pattern == "mixed" else 1) << chosen.order
        batch = SceneBatch(
            self.scene_world, replace(chosen, memory=""), self.scenes.code(chosen.variant), npages
        )
        batch.reset()
        with trace.recording() as events:
            batch.scenario(batch.block)
        return [tally_in(events, *batch.arena.counted)]

    def _sweep(self, batch: CallBatch, function: int, site: int) -> Counts:
        address = get(batch.plan + function)
        if not address:
            return {}
        with trace.recording() as events:
            abi.interpreted_at(address)(get(batch.plan + site))
        return tally(events, self.world.memory.address, batch.npages)


def tally(events: Iterable[trace.Event], memmap: int, npages: int) -> Counts:
    """What the events did to the descriptors at `memmap`."""
    return tally_in(events, range(memmap, memmap + npages * PAGE_BYTES))


def tally_in(events: Iterable[trace.Event], descriptors: range, tables: range = NOWHERE) -> Counts:
    """What the events did to memory in two ranges of addresses; side effects are counted as calls only."""
    events = list(events)
    own = [e for e in events if not e.apart and (e.address in descriptors or e.address in tables)]
    kinds = Counter(event.kind for event in own)
    effects = Counter(event.name for event in events if event.kind == "call")
    return {
        "locked_used": kinds["U"],
        "locked_unused": kinds["N"],
        "fences": sum(event.kind == "F" for event in events),
        "loads": kinds["r"],
        "pte_loads": sum(event.kind == "r" and event.address in tables for event in own),
        "stores": kinds["w"],
        "lines": len({event.address // PAGE_BYTES for event in own}),
        "statistics": sum(effects[name] for name in STATISTICS),
        "deferred_split": sum(n for name, n in effects.items() if name.startswith("deferred_split")),
        "tlb": sum(n for name, n in effects.items() if name.startswith("tlb_")),
    }
