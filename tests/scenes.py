"""Scenes for tests: one arm of a scenario, interpreted, in a world that tests share."""

from __future__ import annotations

from collections import Counter
from functools import cache

from bench.lanes.model.counting import tally_in
from bench.lanes.model.patterns import Picture
from bench.lanes.model.scene import Code, SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_session import Scenes
from bench.lanes.model.scene_world import SceneWorld
from bench.lanes.model.targets import Targets
from kernels import trace

targets = Targets({})
scenes = Scenes(targets)


@cache
def world() -> SceneWorld:
    return SceneWorld()


def code(variant: str) -> Code:
    made: Code = scenes.code(variant)
    return made


def batch(
    scenario: str, variant: str, path: str, order: int, pattern: str = "full", drawn: Picture | None = None
) -> SceneBatch:
    """An arm over one folio (two blocks of a mixed pattern), or over a picture."""
    npages = drawn.npages if drawn else (2 if pattern == "mixed" else 1) << order
    spec = SceneSpec("case", scenario, order, variant, path, pattern)
    return SceneBatch(world(), spec, code(variant), npages, drawn=drawn)


def counted(scenario: str, variant: str, path: str, order: int) -> Counter[str]:
    """What one pass over one folio does."""
    arm = batch(scenario, variant, path, order)
    arm.reset()
    with trace.recording() as events:
        arm.scenario(arm.block)
    return Counter(tally_in(events, *arm.arena.counted))


def locked(scenario: str, variant: str, path: str, order: int) -> int:
    """Locked instructions and fences of one folio, those of page tables and references among them."""
    found = counted(scenario, variant, path, order)
    return found["locked_used"] + found["locked_unused"] + found["fences"]
