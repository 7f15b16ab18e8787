"""Generations and kernels: which comes first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import results
from bench.case import Case, Filters
from bench.judge.generations import kernel_order, shown_of
from bench.judge.pairs import gated, pairs
from bench.results import ProcessRun, Results
from tests.booted import booted
from tests.gated import good


def forks(kernels: Sequence[tuple[str, str | None]], bases: dict[str, str]) -> Results:
    """Forks of kernels, each with its machine, as a run given them in this order leaves them."""
    runs = {
        Case.of("vm", "fork", kernel=name, machine=machine, path="default", order=order): [
            ProcessRun(0, [1.6e-7], 1, {"base": bases[name]} if name in bases else {})
        ]
        for order in (0, 9)
        for name, machine in kernels
    }
    return Results(runs, {"lane": "vm", "figure": "instructions"}, {})


def test_kernels_are_in_the_order_of_the_run(tmp_path: Path) -> None:
    """`new` after its base `old`, whatever their names; a file keeps it; several machines, each its own."""
    bases = {"new": "old", "a": "old"}
    found = forks([("old", None), ("new", None), ("a", None)], bases)
    results.save(found, tmp_path / "a.json")
    for one in (found, results.load(tmp_path / "a.json")):
        assert kernel_order(one) == ["old", "new", "a"]
    apart = [("b", "aarch64"), ("old", None), ("a", "aarch64"), ("new", None)]
    assert kernel_order(forks(apart, {"a": "b", "new": "old"})) == ["b", "a", "old", "new"]


def test_a_base_is_first_though_its_first_case_failed() -> None:
    """What others are compared with is before them."""
    found = forks([("old", None), ("new", None)], {"new": "old"})
    del found.runs[Case.of("vm", "fork", kernel="old", path="default", order=0)]
    assert kernel_order(found) == ["old", "new"]


def test_without_a_base_kernels_are_in_natural_order() -> None:
    """The file does not say which is the older one; one without kernels has none."""
    assert kernel_order(forks([("6.12", None), ("6.8", None)], {})) == ["6.8", "6.12"]
    assert kernel_order(Results({}, {}, {})) == []


def test_kernels_that_are_called_like_generations_are_kernels() -> None:
    """All are shown and judged, against their base at every order."""
    found = booted(["v6.10", "v6.12"], paths=["default"])
    for case in found.runs:
        if case.get("kernel") == "v6.12":
            found.runs[case] = [
                ProcessRun(run.process, run.values, run.loops, {**run.metadata, "base": "v6.10"})
                for run in found.runs[case]
            ]
    assert shown_of(found.runs) == ["v6.10", "v6.12"]
    judged = {(pair.case.get("kernel"), pair.case.order) for pair in gated(pairs(found))}
    assert judged == {("v6.12", 0), ("v6.12", 9)}


def test_an_older_generation_is_judged_where_it_is_named() -> None:
    """Otherwise only the newest one is, and older ones are a finding."""
    found = good()
    judged = {pair.case.get("variant") for pair in gated(pairs(found))}
    named = gated(pairs(found, Filters.parse(["variant=v6.12"])))
    assert judged == {"v6.15"}
    assert {pair.case.get("variant") for pair in named} == {"v6.12"}


def test_kernels_are_judged_on_their_own_way() -> None:
    """What write-protect bits make of one kernel is not the code of another; who names the path wants it."""
    found = booted(["old", "new"])
    between = [
        pair for pair in pairs(found) if (pair.case.get("kernel"), pair.base.get("kernel")) == ("new", "old")
    ]
    assert {pair.case.get("path") for pair in between} == {"pte", "ptes", "default"}
    assert {pair.case.get("path") for pair in gated(between)} == {"default"}
    named = pairs(found, Filters.parse(["path=pte", "kernel=new"]))
    assert {pair.case.get("path") for pair in gated(named)} == {"pte"}
    within = [pair for pair in gated(pairs(found)) if pair.base.get("kernel") == "new"]
    assert {pair.base.get("path") for pair in within} == {"pte"}
