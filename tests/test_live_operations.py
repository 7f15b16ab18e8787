"""The live lane's operations: what exactly is timed, and with which priority."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.lanes.live import catalogue
from bench.lanes.live.workload import operations, timing, userfault
from bench.lanes.live.workload.memory import Mapping, mapped
from bench.lanes.live.workload.system import PAGE, PMD, Unmeasurable
from tests.conftest import ROOT

START = 64 << 20


@pytest.mark.parametrize(("moves", "moved"), [(4, True), (3, False)])
def test_migration_moves_a_page_of_each_folio(
    monkeypatch: pytest.MonkeyPatch, moves: int, moved: bool
) -> None:
    """Which moves all of the folio; where too few arrive there is no time but a reason."""
    asked: list[int] = []

    def move(
        _call: object, _nr: int, _pid: int, count: Any, pages: Any, nodes: Any, status: Any, _: int
    ) -> int:
        asked.extend(pages)
        assert count.value == len(pages) == len(nodes)
        status[:] = [1] * moves + [-16] * (len(pages) - moves)  # EBUSY
        return 5

    mapping: Any = SimpleNamespace(start=START, size=4 << 14, folio=1 << 14, filled=True)
    monkeypatch.setattr(operations, "_other_node", lambda: 1)
    monkeypatch.setattr(operations, "stopwatch", move)
    expected = contextlib.nullcontext() if moved else pytest.raises(Unmeasurable, match=r"only 75\.0%")
    with expected:
        assert operations.migrate(mapping, "default").gross == 5
    assert asked == [START, START + (1 << 14), START + (2 << 14), START + (3 << 14)]


@pytest.mark.parametrize(
    ("with_memory", "here", "found"),
    [
        ("0-1", 0, 1),
        ("0,3", 0, 3),
        ("0-3,8", 2, 0),
        ("0", 0, "this machine has one memory node"),
        ("0", 1, "runs on a node without memory"),
    ],
)
def test_migration_goes_to_another_node_with_memory(
    tmp_path: Path, with_memory: str, here: int, found: int | str
) -> None:
    """Nodes of CPUs only have none to give, and what lies elsewhere already would not be moved."""
    for node in range(10):
        (tmp_path / f"node{node}").mkdir()
    (tmp_path / "has_memory").write_text(f"{with_memory}\n")
    (tmp_path / f"node{here}/cpu{min(os.sched_getaffinity(0))}").touch()
    if isinstance(found, int):
        assert operations._other_node(str(tmp_path)) == found
    else:
        with pytest.raises(Unmeasurable, match=found):
            operations._other_node(str(tmp_path))


def test_what_is_moved_stays_inside_the_room_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in a PMD that room begins; else it would replace memory of others. It never begins a PMD."""
    mapping: Any = SimpleNamespace(start=0, size=4 * PMD)
    begins, rooms, targets = range(START, START + PMD, PAGE), [], []

    def reserve(_at: int, room: int, *_: object, **__: object) -> int:
        rooms.append(room)
        return begins[len(rooms) - 1]

    def move(_call: object, *where: int) -> int:
        targets.append(where[-1])
        return 5

    monkeypatch.setattr(operations.system, "mmap", reserve)
    monkeypatch.setattr(operations.system, "munmap", lambda *_: None)
    monkeypatch.setattr(operations, "stopwatch", move)
    for _ in begins:
        operations.mremap(mapping, "default")
    for begin, room, target in zip(begins, rooms, targets, strict=True):
        assert begin <= target and target + mapping.size <= begin + room
        assert target % PMD


@pytest.mark.skipif(bool(userfault.missing_continue()), reason="needs UFFDIO_CONTINUE of shmem (5.14)")
def test_cached_pages_are_mapped_without_faults() -> None:
    """All of them, by one call, as its own proof says; a file that lacks pages has no time but a reason."""
    with mapped("shmem", 0, 64 * PAGE) as mapping:
        with pytest.raises(Unmeasurable, match="timed call: Bad address"):
            operations.uffd_continue(mapping, "default")
        mapping.populate(by_pmd=False)
        gc.collect()  # faults on every page that a fork before this shared
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        timed = operations.uffd_continue(mapping, "default")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults < 64
    assert timed.gross > 0 and (timed.proof["present"], timed.proof["vmas"]) == (1, 1)
    assert (timed.proof["wp_even"], timed.proof["wp_odd"]) == (0, 0)


class Forks:
    """In place of a fork that is timed: what each child inherits, and a time that is given."""

    def __init__(self, mapping: Mapping, times: list[int]) -> None:
        self.mapping, self.times = mapping, iter(times)
        self.children: list[tuple[bool, int]] = []
        self.ticks: list[bool] = []

    def __call__(self, tick: bool = True) -> int:
        self.ticks.append(tick)
        reader, writer = os.pipe()
        if not (child := os.fork()):
            try:
                maps = Path("/proc/self/maps").read_text()
                os.write(writer, f"{f'{self.mapping.start:x}-' in maps:d} {maps.count('rw-p')}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        has, vmas = os.read(reader, 64).split()
        os.close(reader)
        os.close(writer)
        self.children.append((has == b"1", int(vmas)))
        return next(self.times)


@pytest.mark.parametrize("counts", [False, True])
def test_a_fork_is_timed_with_the_memory_and_without(monkeypatch: pytest.MonkeyPatch, counts: bool) -> None:
    """Every child has as many VMAs; the first is not timed; the median stands, of counts the least.

    Only counts alternate and wait for ticks: times want the caches as one fork leaves them for the next.
    """
    gross, empty = [500, 100, 300, 200, 400], [50, 10, 30, 20, 40]
    times = [time for both in zip(gross, empty, strict=True) for time in both] if counts else gross + empty
    with mapped("anon", 0, 4 * PAGE) as mapping:
        mapping.counts = counts
        mapping.populate(by_pmd=False)
        forks = Forks(mapping, [7, *times])
        monkeypatch.setattr(operations, "_fork", forks)
        timed = operations.fork(mapping, "default")
    assert (timed.gross, timed.empty) == ((100, 10) if counts else (300, 30))
    n = operations.FORKS
    assert [has for has, _ in forks.children] == [
        True,
        *([True, False] * n if counts else [True] * n + [False] * n),
    ]
    assert set(forks.ticks[1:]) == {counts}
    assert len({vmas for _, vmas in forks.children[1:]}) == 1


def test_a_first_fork_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the memory there is one; without it a few, and one before, which is the first of the process."""
    with mapped("anon", 0, 4 * PAGE) as mapping:
        mapping.populate(by_pmd=False)
        forks = Forks(mapping, [7, 100, 10, 30, 20])
        monkeypatch.setattr(operations, "_fork", forks)
        timed = operations.first_fork(mapping, "default")
    assert (timed.gross, timed.empty) == (100, 20)
    assert [has for has, _ in forks.children] == [False, True, *[False] * timing.EMPTIES]


@pytest.mark.parametrize("operation", [operations.unmap_after_fork, operations.leave])
@pytest.mark.parametrize(
    ("counts", "filled", "children"), [(False, True, 1), (True, True, 2), (True, False, 1)]
)
def test_of_counts_the_lesser_of_two_children_stands(
    monkeypatch: pytest.MonkeyPatch, operation: timing.Operation, counts: bool, filled: bool, children: int
) -> None:
    """With its proof; of times, and of memory without pages, there is one."""
    times = [900, 800, 700]

    def in_child(*_: object) -> timing.Timed:
        return timing.Timed(times[0], proof={"vmas": times.pop(0)})

    monkeypatch.setattr(operations, "in_child", in_child)
    with mapped("anon", 0, 4 * PAGE) as mapping:
        mapping.counts, mapping.filled = counts, filled
        timed = operation(mapping, "default")
    assert len(times) == 3 - children
    assert timed.gross == timed.proof["vmas"] == [900, 800][children - 1]


def flags(mapping: Mapping) -> set[str]:
    """What smaps says of the VMA: `dc` of one that a fork leaves out."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"{mapping.start:x}-"))
    return set(next(line for line in lines[at:] if line.startswith("VmFlags:")).split()[1:])


def test_a_fork_that_fails_leaves_no_trace_in_memory_that_is_kept() -> None:
    """Neither memory that forks leave out, nor memory beside it."""

    def fail() -> int:
        assert "dc" not in flags(mapping)
        raise Unmeasurable("no child")

    with mapped("anon", 0, 4 * PAGE) as mapping:
        before = Path("/proc/self/maps").read_text().count("---p")
        with pytest.raises(Unmeasurable, match="no child"), mapping.left_out():
            assert "dc" in flags(mapping)
            raise Unmeasurable("no child")
        with pytest.raises(Unmeasurable, match="no child"):
            timing.with_and_without(mapping, fail)
        assert "dc" not in flags(mapping)
        assert Path("/proc/self/maps").read_text().count("---p") == before  # of a reservation


def test_an_operation_without_pages_is_timed_beside_more_and_more_vmas() -> None:
    """So that no state of the kernel's caches is that of all; the memory itself is left alone."""
    seen: list[int] = []

    def operation(nothing: Mapping, path: str) -> timing.Timed:
        assert nothing is not mapping and not nothing.filled and nothing.counts
        seen.append(Path("/proc/self/maps").read_text().count("---p"))
        return timing.Timed([13_195, 18_961, 18_961][len(seen) - 1])

    with mapped("anon", 0, 4 * PAGE) as mapping:
        mapping.counts = True
        assert timing.bare(mapping, "default", operation) == 13_195
        assert len(set(seen)) == timing.EMPTIES and seen == sorted(seen)


def test_memory_that_is_had_anew_keeps_what_was_known_of_it_empty() -> None:
    """It was measured before there were pages, and is not measured again."""
    with mapped("anon", 0, 4 * PAGE) as mapping:
        mapping.empties, mapping.counts = {"munmap": 5}, True
        mapping.populate(by_pmd=False)
        mapping.renew()
        assert (mapping.empties, mapping.counts, mapping.filled) == ({"munmap": 5}, True, False)


def named(text: str) -> set[str]:
    """The calls that a docstring names, as patterns: `_ptes` after one of them ends like it, else."""
    found: list[str] = []
    for word in re.findall(r"\b(?:folio|hugetlb)_\w*rmap\w*\*?|(?<!\w)_(?:ptes|pte|pmd)\b", text):
        found.append(found[-1].rpartition("_")[0] + word if word.startswith("_") else word)
    return set(found)


@pytest.mark.parametrize("name", sorted(operations.OPERATIONS))
def test_each_operation_says_the_calls_that_the_catalogue_has(name: str) -> None:
    """Of all kinds of memory together: none is missing, none is too many; those that make none say so."""
    text = operations.OPERATIONS[name].__doc__ or ""
    calls = {call for _, _, op in catalogue.families() if op.name == name for call in op.calls}
    patterns = named(text)
    assert {call for call in calls if not any(fnmatch(call, pattern) for pattern in patterns)} == set()
    assert {pattern for pattern in patterns if not any(fnmatch(call, pattern) for call in calls)} == set()
    assert ("no rmap call" in text) == (not calls)


def test_waiting_for_real_time_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the work and the waiting move: what is timed twice begins after the waiting."""
    clock = [0]

    @contextlib.contextmanager
    def realtime() -> Iterator[None]:
        clock[0] += 4_000_000
        yield

    def work() -> None:
        clock[0] += 7

    monkeypatch.setattr(operations, "realtime", realtime)
    monkeypatch.setattr(operations, "now", lambda: clock[0])
    assert operations._twice(work) == (7, 7)


def test_the_workload_stays_as_unimportant_as_it_was_started() -> None:
    """Outside of what is timed; inside it is real time where that is permitted."""
    code = (
        "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); "
        "from bench.lanes.live.workload import timing; "
        "timing.set_realtime(True); timing.set_realtime(False); "
        "assert os.sched_getscheduler(0) == os.SCHED_IDLE"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
