"""What the live lane's workload does between requests and operations: memory kept, splits counted."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.lanes.live.workload import memory, serve, timing, userfault
from bench.lanes.live.workload.system import Unmeasurable

GOOD = {"order_share": 1.0, "present": 1.0, "vmas": 1, "wp_even": 0.0, "wp_odd": 0.0}


def test_a_share_that_is_counted_falls_with_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where folios cannot be seen: two of ten were split after the memory was filled."""
    mapping: Any = SimpleNamespace(kind="anon", order=4, nominal=10 << 16, folio=1 << 16)
    mapping.known, mapping.counted = {"order_share": 1.0}, {"allocated": 5, "splits": 1, "fallbacks": 0}
    monkeypatch.setattr(serve.proof, "take", lambda _: {"present": 1.0})
    monkeypatch.setattr(serve.proof, "statistics", lambda *_: {"allocated": 15, "splits": 3, "fallbacks": 0})
    found = serve._as_it_is(mapping)
    assert (found["order_share"], found["splits"]) == (0.8, 2)
    monkeypatch.setattr(serve.proof, "take", lambda _: {"present": 1.0, "order_share": 1.0})
    assert serve._as_it_is(mapping)["order_share"] == 1.0


@pytest.mark.parametrize(
    ("op", "splits", "doubted"),
    [("fork", 2, False), ("fork", 3, True), ("exit", 5, True), ("unmap_after_fork", 3, True),
     ("pageout", 3, False)],
)  # fmt: skip
def test_folios_that_are_split_meanwhile_are_a_doubt(
    monkeypatch: pytest.MonkeyPatch, op: str, splits: int, doubted: bool
) -> None:
    """Two were split before the proof was taken, which counts as little as what reclaim splits."""
    mapping: Any = SimpleNamespace(kind="anon", order=4, nominal=10 << 16, folio=1 << 16, empties={op: 0})
    mapping.counted = {"allocated": 5, "splits": 1, "fallbacks": 0}
    monkeypatch.setitem(serve.OPERATIONS, op, lambda *_: serve.Timed(7))
    after = {"allocated": 15, "splits": 1 + splits, "fallbacks": 4}
    monkeypatch.setattr(serve.proof, "statistics", lambda *_: after)
    found = {**GOOD, "splits": 2.0, "fallbacks": 0.0}
    if doubted:
        with pytest.raises(Unmeasurable, match=rf"^{splits - 2} folios of this order were split"):
            serve._one(mapping, "default", op, found)
    else:
        known = serve._one(mapping, "default", op, found)["proof"]
        assert known == {**found, "fallbacks": 4.0 if op == "fork" else 0.0}


def test_counters_that_are_missing_are_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of order 0, of files, and of kernels before 6.10."""
    mapping: Any = SimpleNamespace(kind="anon", order=0, nominal=1 << 16, folio=1 << 12, empties={})
    monkeypatch.setitem(serve.OPERATIONS, "fork", lambda *_: serve.Timed(7))
    for counted in ({}, {"larger": 3}):
        mapping.counted = counted
        monkeypatch.setattr(serve.proof, "statistics", lambda *_, counted=counted: counted)
        assert serve._one(mapping, "default", "fork", dict(GOOD))["proof"] == GOOD


@pytest.fixture
def opened() -> Iterator[Callable[[], set[str]]]:
    """The files that were opened since and are open; at the end there must be none."""

    def links() -> set[str]:
        found = set()
        for number in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # that of the directory itself
                found.add(f"{number.name} {number.readlink()}")
        return found

    before = links()
    yield lambda: links() - before
    assert links() - before == set()


@pytest.mark.skipif(bool(userfault.missing("anon")), reason="needs userfaultfd write-protection")
@pytest.mark.parametrize("extra", [0, 65536])
def test_bits_are_cleared_before_a_userfaultfd_is_closed(monkeypatch: pytest.MonkeyPatch, extra: int) -> None:
    """Which leaves them before Linux 6.9; in pieces, for what memory was grown by may be another VMA."""
    drop, ioctl = memory.Mapping.drop_userfault, userfault._ioctl
    steps: list[tuple[str, int]] = []

    def dropped(mapping: memory.Mapping) -> None:
        if mapping.userfault >= 0:
            steps.append(("close", 0))
        drop(mapping)

    def asked(fd: int, number: int, at: int) -> int:
        _start, length, mode = (ctypes.c_uint64 * 3).from_address(at)
        if number == userfault.UFFDIO_WRITEPROTECT and not mode:
            steps.append(("clear", length))
        return ioctl(fd, number, at)

    monkeypatch.setattr(memory.Mapping, "drop_userfault", dropped)
    monkeypatch.setattr(userfault, "_ioctl", asked)
    request = {"kind": "anon", "order": 0, "bytes": 1 << 20, "ops": ["fork"], "keep": "a", "select": False}
    bits = {"ptes": (1, 1), "default": (0, 0), "pte": (1, 0)}
    try:
        for path, found in bits.items():
            answer = serve.measure({**request, "path": path, "extra": extra})
            proven = answer["values"]["fork"]["proof"]
            assert (proven["wp_even"], proven["wp_odd"]) == found
    finally:
        serve._give_back(None)
    pieces = [("clear", 1 << 20), *([("clear", extra)] if extra else []), ("close", 0)]
    assert steps == pieces * 2


def test_whether_nanoseconds_are_counts_is_said_by_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """And by no request before it."""
    said: list[bool] = []

    def fork(mapping: memory.Mapping, path: str) -> timing.Timed:
        said.append(mapping.counts)
        return timing.Timed(5)

    monkeypatch.setitem(serve.OPERATIONS, "fork", fork)
    request = {"kind": "anon", "path": "default", "order": 0, "bytes": 1 << 20, "ops": ["fork"], "keep": "b"}
    try:
        for more in ({}, {"counts": True}, {"counts": False}, {}):
            assert serve.measure({**request, **more, "select": False})["values"]["fork"]["gross"] == 5
    finally:
        serve._give_back(None)
    assert said == [False, True, False, False]


def test_memory_beside_is_filled_first_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there while the operation is timed."""
    filled: list[int] = []
    populate = memory.Mapping.populate

    def populated(mapping: memory.Mapping, by_pmd: bool) -> None:
        filled.append(mapping.size)
        populate(mapping, by_pmd)

    def munmap(mapping: memory.Mapping, path: str) -> timing.Timed:
        return timing.Timed(sum(filled) if mapping.filled else 0)

    monkeypatch.setattr(memory.Mapping, "populate", populated)
    monkeypatch.setitem(serve.OPERATIONS, "munmap", munmap)
    monkeypatch.setitem(serve.WITH_BARE, "munmap", munmap)
    request = {"kind": "anon", "path": "default", "order": 0, "bytes": 1 << 20, "ops": ["munmap"]}
    answer = serve.measure({**request, "beside": 1 << 16, "select": False})
    assert filled == [1 << 16, 1 << 20]
    assert answer["values"]["munmap"]["gross"] == (1 << 16) + (1 << 20)
