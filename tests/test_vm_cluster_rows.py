"""Boots of single kernels in the journal of a run on a cluster: each once, wherever it is stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lanes.vm.cluster import rows
from bench.measure.journal import Journal, Reader, Record, State
from bench.measure.plan import Arm, Block, Plan, Settings


def plan() -> Plan:
    """Two kernels in a block, and one of them in another."""
    a, b = ({"kernel": name, "ops": ["fork"]} for name in "ab")
    both = Block("both", (Arm(("fork/a",), a), Arm(("fork/b", None), b), Arm(("twin/b",), b)))
    kernels = {name: {"name": name, "path": name, "machine": "x86_64", "release": ""} for name in "ab"}
    return Plan("", {"kernels": kernels, "accelerator": "tcg"}, (both, Block("one", (Arm(("x/b",), b),))))


def said(kernel: str) -> list[Record]:
    """What the boot of a kernel records, with arms as it knows them."""
    of: dict[str, list[list[float | None]]] = {"a": [[1.0], []], "b": [[2.0, None, 3.0], [4.0]]}
    values = of[kernel]
    arms = {"a": [1, 0], "b": [2, 1]}[kernel]
    found: list[Record] = [["facts", {f"clock_{kernel}": 7}]]
    for block in (0, 1):
        if arms[block]:
            found += [["round", block, [v and v + turn for v in values[block]], {}] for turn in (0, 10)]
            found += [["told", block, arm, [{"of": f"{kernel}{arm}"}]] for arm in range(arms[block])]
            found += [["done", block, {"boot_date": "today"}]]
    return found


def journal(directory: Path) -> Journal:
    """A journal of the plan."""
    return Journal.create(directory / "journal", plan(), Settings(), {})


def whole(directory: Path) -> tuple[bytes, State]:
    """A complete row, as bytes and as it is read."""
    kept = journal(directory)
    row = rows.begun(kept, 3, plan(), {"blocks": [0, 1], "skip": []})
    complete(row)
    return kept.worker_file(3).read_bytes(), kept.read()


def complete(row: rows.Row) -> None:
    """Boot what is missing, join the rest."""
    for kernel in row.kernels():
        if kernel not in row.boots:
            row.take(kernel, "tcp://w", said(kernel))
    assert row.complete
    row.join()


def test_boots_of_single_kernels_are_joined_to_rounds_of_all(tmp_path: Path) -> None:
    """In the order of the plan's arms, whatever came first; a kernel without an arm has no part."""
    _, state = whole(tmp_path)
    assert state.done[0][3].rounds == [[1.0, 2.0, None, 3.0], [11.0, 12.0, None, 13.0]]
    assert state.done[1][3].rounds == [[4.0], [14.0]]
    assert {arm: told[0]["of"] for arm, told in state.done[0][3].told.items()} == {0: "a0", 1: "b0", 2: "b1"}
    assert state.done[0][3].complete and state.facts == {"clock_a": 7, "clock_b": 7}


@given(share=st.floats(0, 1))
def test_a_row_stopped_anywhere_is_completed_with_each_boot_once(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any number of bytes; what comes out is what would have without the stop."""
    directory = tmp_path_factory.mktemp("row")
    data, expected = whole(directory)
    kept = Journal(directory / "journal")
    path = kept.worker_file(3)
    cut = data[: int(share * len(data))]
    path.write_bytes(cut)
    for row in rows.unfinished(kept, plan()):
        complete(row)
    if b"\n" in cut:
        assert kept.read().done == expected.done
        assert Counter(record[1] for record in Reader(path)() if record[0] == "boot") == {"a": 1, "b": 1}


def test_a_boot_is_asked_for_its_own_arms_as_it_numbers_them(tmp_path: Path) -> None:
    """What failed before is left out; a kernel with nothing left is not booted."""
    row = rows.begun(journal(tmp_path), 1, plan(), {"blocks": [0, 1], "skip": [(0, 0), (0, 2)]})
    assert row.kernels() == ["b"]
    assert row.asked_of("b") == {"blocks": [0, 1], "skip": [(0, 1)]}
    assert [len(block.arms) for block in rows.alone(plan(), "b").blocks] == [2, 1]
    assert list(row.failures("b", [["failed", 0, 1, "why"]])) == [(0, 2, "why")]
