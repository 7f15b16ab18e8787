"""Scenarios over pictures of any kind: what the oracle says is left, and batched the same as page by page."""

from __future__ import annotations

import ctypes
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.lanes.model.patterns import Picture, Pte
from bench.lanes.model.random_picture import MARKS, cut_out, random_picture
from bench.lanes.model.scenarios import BY_NAME, SCENARIOS, Scenario
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_check import check_one
from kernels import pgtable
from kernels.mm_types import VM_SOFTDIRTY
from kernels.pgtable import PAGE_RW
from kernels.variants import GENERATIONS
from tests.scenes import batch, code, targets, world

ANY = [what.name for what in SCENARIOS if not (what.undoes_itself or what.alike or what.op == "contpte")]
BOTH = [name for name in ANY if {"pte", "ptes"} <= BY_NAME[name].forms.keys()]
SETTINGS = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def pictures(draw: st.DrawFn, orders: tuple[int, ...]) -> Picture:
    """Small folios of orders that exist, any of their pages mapped, or larger ones; PTEs alike or not."""
    if draw(st.integers(0, 3)) == 0:
        return random_picture(random.Random(draw(st.integers(0, 999))), orders)
    small = [order for order in orders if order <= 5]
    folios, at = [], 0
    for wanted in draw(st.lists(st.sampled_from(small), min_size=1, max_size=5)):
        order = max(order for order in small if order <= wanted and at % (1 << order) == 0)
        folios.append((at, order))
        at += 1 << order
    mapped = draw(st.lists(st.integers(0, at - 1), unique=True, min_size=1).map(sorted))
    lacks = st.sampled_from((0, 0, 0, *MARKS, PAGE_RW))
    ptes = tuple(Pte(page, page, draw(lacks)) for page in mapped)
    marked, flags = draw(st.sampled_from((0, sum(MARKS)))), draw(st.sampled_from((0, VM_SOFTDIRTY)))
    return Picture(at, tuple(folios), ptes, at, flags, marked)


def pictures_of(what: Scenario, variant: str) -> st.SearchStrategy[Picture]:
    """Those of orders that the variant has of the scenario's kind of folio."""
    drawn = pictures(what.orders(targets.files[variant]))
    return drawn.flatmap(_cuts_of) if what.cuts else drawn


def _cuts_of(drawn: Picture) -> st.SearchStrategy[Picture]:
    return st.integers(0, 99).map(lambda seed: cut_out(random.Random(seed), drawn))


def can(what: Scenario, variant: str, path: str) -> bool:
    """Has the variant the calls of the form?"""
    return path in what.forms and what.forms[path].exists(targets.files[variant], 4)


@pytest.mark.parametrize("scenario", ANY)
def test_whatever_is_mapped_the_state_afterwards_is_the_oracles(scenario: str) -> None:
    """Property-based: in every generation, page by page and batched."""
    what = BY_NAME[scenario]

    @settings(SETTINGS, max_examples=25)
    @given(st.data())
    def right(data: st.DataObject) -> None:
        variant = data.draw(
            st.sampled_from([v for v in GENERATIONS if any(can(what, v, p) for p in what.forms)])
        )
        drawn = data.draw(pictures_of(what, variant))
        path = data.draw(st.sampled_from([path for path in ("pte", "ptes") if can(what, variant, path)]))
        check_one(world(), SceneSpec("case", scenario, 4, variant, path, "random"), code(variant), drawn)

    right()


@pytest.mark.parametrize("scenario", BOTH)
def test_batched_leaves_the_same_as_page_by_page(scenario: str) -> None:
    """PTEs without the bits that a batch takes from its first, mapping counts and references."""
    what = BY_NAME[scenario]

    @settings(SETTINGS, max_examples=12)
    @given(st.data())
    def same(data: st.DataObject) -> None:
        variant = data.draw(st.sampled_from([name for name in GENERATIONS if can(what, name, "ptes")]))
        drawn = data.draw(pictures_of(what, variant))
        left = []
        for path in ("pte", "ptes"):
            arm = batch(scenario, variant, path, 4, drawn=drawn)
            arm.reset()
            arm.scenario(arm.block)
            left.append((tables(arm), states(arm)))
        assert left[0] == left[1]

    same()


SAME = ~(pgtable.PAGE_DIRTY | pgtable.PAGE_SOFT_DIRTY | pgtable.PAGE_CONT)


def tables(arm: SceneBatch) -> list[int]:
    """Both mms' PTEs."""
    arena, slots = arm.arena, arm.scene.drawn.slots
    found = [(ctypes.c_int64 * slots).from_address(at) for at in (arena.tables, arena.child_tables)]
    return [word & SAME for table in found for word in table]


def states(arm: SceneBatch) -> list[object]:
    """Every folio, but whether it was ever seen mapped in part."""
    scene = arm.scene
    found = [scene.memmap.read(scene.page(first), order) for first, order in scene.drawn.folios]
    return [state._replace(partially_mapped=None, deferred=None) for state in found]


def test_random_pictures_hold_folios_of_every_order() -> None:
    """Up to order 9, tables filled and more, with long runs and short ones, and whole folios."""
    drawn = [random_picture(random.Random(seed), range(10)) for seed in range(200)]
    assert {order for one in drawn for _, order in one.folios} == set(range(10))
    assert max(one.npages for one in drawn) > 512
    lengths = [run.nr for one in drawn for run in one.runs]
    assert 1 in lengths and 512 in lengths and len(set(lengths)) > 60
    for one in drawn:
        ends = [first + (1 << order) for first, order in one.folios]
        assert [0, *ends] == [*(first for first, _ in one.folios), one.npages]
