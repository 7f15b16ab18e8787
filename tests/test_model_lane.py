"""The model lane's plan: every case in one block, controls in every group, and arms that undo themselves."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from bench.case import Case
from bench.judge import generations
from bench.lanes.model import lane
from bench.lanes.model.arms import CallBatch, Spec, World
from bench.lanes.model.families import BY_NAME, FAMILIES
from bench.lanes.model.targets import Targets
from kernels.variants import GENERATIONS, discover

CASES = lane.cases({})
PLAN = lane.plan(CASES, {})


def test_judging_knows_the_generations_that_are_measured() -> None:
    """In the same order: it names them itself, for files of lanes that need no kernel code."""
    assert generations.GENERATIONS == GENERATIONS


def test_every_case_is_in_exactly_one_block() -> None:
    """No case is measured twice, none is forgotten."""
    counted = Counter(name for found in PLAN.blocks for name in found.cases)
    assert max(counted.values()) == 1
    assert {case.name for case in CASES} <= set(counted)


def test_every_group_has_its_controls() -> None:
    """A/A twin, positive control, yardstick, and the cost of calling on every path."""
    groups: dict[Case, list[Case]] = {}
    for name in (name for found in PLAN.blocks for name in found.cases):
        groups.setdefault(Case.parse(name).group, []).append(Case.parse(name))
    for group, cases in groups.items():
        roles = Counter(case.get("control") for case in cases)
        assert (roles["twin"], roles["positive"], roles["yardstick"]) == (1, 1, 1), group
        ordinary = [case for case in cases if not case.get("control")]
        paths = {case.get("path") for case in ordinary if case.get("variant") != "_empty"}
        assert paths <= {case.get("path") for case in ordinary if case.get("variant") == "_empty"}


def test_a_control_repeats_an_arm_of_its_group() -> None:
    """The twin of what is not measured would control nothing."""
    for found in PLAN.blocks:
        for name in found.cases:
            case = Case.parse(name)
            if case.get("control") in ("twin", "positive"):
                assert case.but(control=None).name in found.cases


def test_a_selection_is_planned_with_controls_of_its_own() -> None:
    """Only the selected cases, their group's controls and nothing of the inverse's group."""
    chosen = [
        case for case in CASES if case.op == "remove" and case.order == 4 and case.get("kind") == "file"
    ]
    chosen = [case for case in chosen if case.get("variant") == "v6.8" and case.get("state") == "last"]
    (only,) = lane.plan(chosen, {}).blocks
    ops = {Case.parse(name).op for name in only.cases}
    assert ops == {"remove"}
    variants = {Case.parse(name).get("variant") for name in only.cases}
    assert variants == {"v6.8", "_empty", ""}


@pytest.mark.parametrize(
    ("variant", "call", "same"),
    [
        ("v6.8", "remove", True), ("v6.8", "try_dup_anon", True), ("v6.8", "dup_file", True),
        ("v6.10", "remove", True), ("v6.10", "try_dup_anon", False), ("v6.12", "add_file", True),
        ("v6.12", "dup_file", False), ("v6.15", "add_anon", True), ("v6.15", "try_dup_anon", False),
    ],
)  # fmt: skip
def test_where_per_page_is_batched_with_one_page_is_known(variant: str, call: str, same: bool) -> None:
    """From 6.8 on add and remove; dup and try_dup until 6.10 gave them code of their own."""
    assert lane.same_code(lane.found({})[variant], call) is same


def test_order_0_lists_batched_only_where_it_is_other_code() -> None:
    """Both paths of v6.12's try_dup, one of its remove; both of 6.7's add_file, which had two functions."""
    listed = {case.name for case in CASES}
    for name in (
        "call/try_dup_anon/kind=anon/state=shared/variant=v6.12/path=ptes/order=0",
        "call/add_file/kind=file/state=first/variant=v6.7/path=ptes/order=0",
    ):
        assert name in listed
    assert "call/remove/kind=anon/state=last/variant=v6.12/path=ptes/order=0" not in listed


def test_what_a_generation_lacks_is_not_listed() -> None:
    """6.7 had no batched remove; nobody benchmarks dup_file on a PMD; hugetlb has one size here."""
    listed = {case.name for case in CASES}
    assert not [n for n in listed if "/remove/" in n and "variant=v6.7/path=ptes" in n]
    assert not [n for n in listed if "/dup_file/" in n and "path=pmd" in n]
    assert {case.order for case in CASES if case.get("kind") == "hugetlb"} == {9}
    assert not [n for n in listed if "/try_share_anon/" in n and "path=ptes" in n]


def test_a_call_that_nothing_undoes_is_not_listed() -> None:
    """Nor one whose folios nothing can bring into the state before it."""
    whole = discover()["v6.12"]
    lacking = {"folio_remove_rmap_pte", "folio_remove_rmap_ptes", "hugetlb_add_anon_rmap"}
    functions = {name: single for name, single in whole.functions.items() if name not in lacking}
    cases = lane._cases_of(dataclasses.replace(whole, functions=functions))
    assert {(case.op, case.get("path")) for case in cases if case.get("kind") != "hugetlb"} == {
        ("try_share_anon", "pte"),
        *((call, "pmd") for call in ("add_anon", "add_file", "remove", "try_dup_anon", "try_share_anon")),
        ("add_new_anon", "folio"),
        ("move_anon", "folio"),
    }
    assert {case.order for case in cases if case.op == "add_new_anon"} == {9}
    assert not {case.op for case in cases} & {"hugetlb_try_dup_anon", "hugetlb_try_share_anon"}


def test_the_main_job_is_about_two_generations_and_every_size() -> None:
    """Six calls, order 0 and every mTHP size, per page and batched."""
    main = lane.main_cases()
    assert {case.get("variant") for case in main} == {"v6.12", "v6.15"}
    assert {case.op for case in main} == {
        "add_new_anon", "add_anon", "add_file", "try_dup_anon", "dup_file", "remove",
    }  # fmt: skip
    assert {case.order for case in main} == set(range(10))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_call_and_its_inverse_leave_the_counters_as_they_were(family: object) -> None:
    """Every variant and path, interpreted, at orders 0, 2 and (PMD, hugetlb) 9."""
    world, targets = World(), Targets({})
    calls = [arm for found in PLAN.blocks for arm in found.arms if "family" in arm.spec]
    for arm in filter(lane.is_plain, calls):
        spec = Spec(arm.spec["role"], *(arm.spec[key] for key in ("family", "order", "variant", "path")))
        small = spec.order in (0, 2) or (spec.order == 9 and spec.path in ("pmd", "folio"))
        if BY_NAME[spec.family] is not family or not small:
            continue
        called = targets.of(BY_NAME[spec.family], spec.variant, spec.path, spec.order)
        layout = targets.module(spec.variant).LAYOUT
        batch = CallBatch(world, spec, called, layout, npages=2 << spec.order)
        assert all(seconds > 0 for seconds in batch.run())
        batch.verify()
