"""Which CPUs a worker gets, pinning, and what the kernel counted against it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.measure import affinity
from bench.measure.affinity import Counters
from tests.test_environment import CPU, machine


@pytest.mark.parametrize(
    ("cpus", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 8], "0-2,8"), ([4, 0, 1], "0-1,4")]
)
def test_cpu_lists_read_back_as_written(cpus: list[int], text: str) -> None:
    """The kernel's notation of CPU sets, both ways."""
    assert affinity.format_cpu_list(cpus) == text
    assert affinity.parse_cpu_list(text + "\n") == sorted(cpus)


def test_usable_cpus_are_the_allowed_ones_with_one_of_each_core_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of CPUs 0-5, where 0+3, 1+4, 2+5 share cores and 2 is not allowed: 0 1 5 come before 3 4."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 3, 4, 5})
    pairs = {cpu: f"{cpu % 3},{cpu % 3 + 3}\n" for cpu in range(6)}
    files = {f"{CPU}/cpu{cpu}/topology/thread_siblings_list": text for cpu, text in pairs.items()}
    assert affinity.usable_cpus(machine(tmp_path, files)) == [0, 1, 5, 3, 4]


def test_usable_cpus_without_topology_are_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that does not say which CPUs share a core gets them by number."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 0, 7})
    listings = {7: "garbage", 2: "3-4"}  # the second leaves out the CPU it is about
    files = {f"{CPU}/cpu{cpu}/topology/thread_siblings_list": text for cpu, text in listings.items()}
    assert affinity.usable_cpus(machine(tmp_path, files)) == [0, 2, 7]


def test_pinning_keeps_the_process_on_one_cpu() -> None:
    """After pin() the affinity is that CPU; it is put back for the other tests."""
    before = os.sched_getaffinity(0)
    try:
        affinity.pin(max(before))
        assert os.sched_getaffinity(0) == {max(before)}
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("cpu", [-1, 1 << 20, 1 << 70])
def test_pinning_to_a_cpu_that_is_not_there_names_the_allowed_ones(cpu: int) -> None:
    """A wrong CPU number is bad input, not a traceback."""
    with pytest.raises(UsageError, match=f"CPU {cpu} .*allowed here: [0-9]"):
        affinity.pin(cpu)


def test_steal_time_is_read_per_cpu_and_in_seconds(tmp_path: Path) -> None:
    """The eighth column of /proc/stat, in clock ticks."""
    stat = "cpu  0 0 0 0 0 0 0 250 0 0\ncpu0 0 0 0 0 0 0 0 50 0 0\ncpu1 0 0 0 0\nintr 1\n"
    root, second = machine(tmp_path, {"proc/stat": stat}), os.sysconf("SC_CLK_TCK")
    assert affinity.steal_time(root=root) == 250 / second
    assert affinity.steal_time(0, root) == 50 / second
    assert affinity.steal_time(1, root) == affinity.steal_time(7, root) == 0.0


def test_counters_see_faults_of_this_process() -> None:
    """Touching fresh memory between two readings shows as minor faults in their difference."""
    before = Counters.now()
    touched = bytearray(64 << 20)
    difference = Counters.now() - before
    assert touched and difference.minor_faults > 0
    assert difference.major_faults >= 0 and difference.steal >= 0


def test_counters_read_migrations_where_the_kernel_tells(tmp_path: Path) -> None:
    """The field of /proc/self/sched; without the file 0, in both readings alike."""
    assert Counters.now(root=tmp_path).migrations == 0
    sched = "python (1, #threads: 1)\nse.nr_others : 3\nse.nr_migrations      :      17\n"
    assert Counters.now(root=machine(tmp_path, {"proc/self/sched": sched})).migrations == 17


def test_counters_subtract_field_by_field() -> None:
    """The difference of two readings, each field its own."""
    now, then = Counters(9, 8, 7, 6, 5, 4.5), Counters(1, 2, 3, 4, 5, 0.5)
    assert now - then == Counters(8, 6, 4, 2, 0, 4.0)
