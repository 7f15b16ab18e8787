"""Generations and kernels: which comes first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import results
from bench.case import Case
from bench.judge.generations import kernel_order
from bench.results import ProcessRun, Results


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
