"""What the live lane's workload does between requests and operations: memory kept, splits counted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.lanes.live.workload import memory, proof, serve, userfault
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
    mapping: Any = SimpleNamespace(kind="anon", order=4, nominal=10 << 16, folio=1 << 16, empties={})
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


@pytest.mark.skipif(bool(userfault.missing("anon")), reason="needs userfaultfd")
def test_a_userfaultfd_that_is_of_no_use_is_closed(opened: Callable[[], set[str]]) -> None:
    """As of memory that is not there."""
    mapping: Any = SimpleNamespace(kind="anon", start=0, size=4096)
    with pytest.raises(Unmeasurable, match="UFFDIO_REGISTER"):
        userfault.register(mapping)
    assert not opened()


@pytest.mark.parametrize("kind", ["shmem", "shmem_private"])
def test_a_file_that_is_too_large_to_be_mapped_is_closed(kind: str, opened: Callable[[], set[str]]) -> None:
    """More than there are addresses."""
    with pytest.raises((OSError, Unmeasurable)):
        memory.Mapping(kind, 0, 1 << 50)
    assert not opened()


def test_a_file_whose_memory_cannot_be_had_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[], set[str]]
) -> None:
    """That of a request, however it fails; a mapping that was never there is not unmapped."""

    def unnamed(directory: str, size: int) -> int:
        return os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)

    def refuse(*_: object, **__: object) -> int:
        assert opened()
        raise Unmeasurable("no room")

    monkeypatch.setattr(serve.files, "unnamed", unnamed)
    monkeypatch.setattr(memory, "mmap", refuse)
    monkeypatch.setattr(memory, "munmap", lambda *_: pytest.fail("it was unmapped"))
    request = {"kind": "file", "path": "default", "order": 0, "bytes": 4096, "ops": ["munmap"]}
    assert serve.measure({**request, "directory": ""})["unmeasurable"] == {"munmap": "no room"}


def test_memory_is_given_back_once() -> None:
    """What another mapping may have got since is left alone."""
    mapping = memory.Mapping("anon", 0, 4096)
    mapping.free()
    with memory.mapped("anon", 0, 4096) as other:
        mapping.free()
        assert proof.vmas(other) == 1


def test_memory_that_was_kept_goes_before_other_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before pages are reserved, and before anything is mapped; that of the same token stays."""
    steps: list[str] = []
    kept: Any = {token: SimpleNamespace(free=lambda token=token: steps.append(token)) for token in "ab"}

    def reserve(*_: object) -> None:
        steps.append("reserved")
        raise Unmeasurable("no pages")

    monkeypatch.setattr(serve, "_kept", kept)
    monkeypatch.setattr(serve, "reserved", reserve)
    request = {"kind": "anon", "path": "default", "order": 0, "bytes": 4096, "ops": ["fork"], "keep": "b"}
    assert serve.measure(request)["unmeasurable"] == {"fork": "no pages"}
    serve.measure({**request, "kind": "hugetlb", "keep": None})
    assert steps == ["a", "reserved", "b", "reserved"]
