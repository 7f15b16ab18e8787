"""Scenarios in a measuring process: what must be compiled, and arms made ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from bench.lanes.model.scenarios import BY_NAME
from bench.lanes.model.scene import Code, SceneSpec
from bench.lanes.model.scene_batch import WINDOW_PAGES, SceneBatch, kernels_of
from bench.lanes.model.scene_world import SceneWorld
from bench.lanes.model.targets import Targets
from bench.lanes.model.threaded import ThreadedScene
from kernels.callers import entries

TWIN_PAD = 32  # bytes by which the A/A twin's scenario is moved
LEAST_PASSES = 4  # over a hot window; one takes some 20 us
LEAST_COLD_PASSES = 2  # where each pass is over another window
SETUP = {"anon": ("ADD_ANON", "ADD_ANON_ONE", "ADD_NEW"), "file": ("ADD_FILE", "ADD_FILE_ONE")}
EMPTY_RULES = "v6.12"  # how callers behave where no call does anything


class Scenes:
    """Makes arms of scenarios with the functions of all variants."""

    def __init__(self, targets: Targets, threads: int = 1) -> None:
        self.targets, self.threads = targets, threads
        self.code = cache(self._code)
        self.turns: dict[int, int] = {}  # arms made so far, by how many there are in the block

    def _code(self, variant: str) -> Code:
        file, module = self.targets.files[variant], self.targets.module(variant)
        return Code(entries(file, module), module.LAYOUT, file.generation or EMPTY_RULES)

    def kernels(
        self, needs: Iterable[tuple[bool, str, str, str]], placements: Iterable[int]
    ) -> Iterator[tuple[Any, int]]:
        """What must be compiled, with the bytes that it is moved by.

        Calls lie where the process puts them; scenarios take long to compile and move for the twin only.
        """
        for twin, scenario, variant, path in needs:
            for function in kernels_of(BY_NAME[scenario].forms[path]):
                yield function, TWIN_PAD if twin else 0
            entries, what = self.code(variant).entries, BY_NAME[scenario]
            for word in (word for word in what.words if word in entries):
                yield from ((entries[word], pad) for pad in placements)
            yield from ((entries[word], 0) for word in SETUP[what.kind] if word in entries)

    def npages(self, spec: Mapping[str, Any]) -> int:
        """Base pages of a pass."""
        chosen = BY_NAME[spec["scenario"]]
        drawn = SceneSpec("", chosen.name, spec["order"], "", "", spec["pattern"]).picture(WINDOW_PAGES)
        return drawn.walked

    def least_passes(self, spec: Mapping[str, Any]) -> int:
        """Passes of a batch at least."""
        return LEAST_COLD_PASSES if spec["memory"] else LEAST_PASSES

    def arm(self, spec: Mapping[str, Any], extra: int, pad: int) -> SceneBatch | ThreadedScene:
        """The arm made ready; the arms of a block take turns at the windows of its arena."""
        chosen, arms = SceneSpec.of(spec), spec["arms"]
        turn = self.turns[arms] = (self.turns.get(arms, -1) + 1) % arms
        moved = TWIN_PAD if chosen.role == "twin" else 0
        share = (turn, arms) if chosen.memory else (0, 1)
        world = _world(self.threads)
        scenes = [
            SceneBatch(world, chosen, self.code(chosen.variant), pads=(moved, pad), share=share, cpu=cpu)
            for cpu in range(chosen.threads)
        ]
        made = scenes[0] if chosen.threads == 1 else ThreadedScene(scenes)
        made.spend_extra(extra)
        return made


@cache
def _world(threads: int) -> SceneWorld:
    return SceneWorld(threads)
