"""How much memory the live lane takes: what there is, what it refuses, what it says would fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.case import Filters
from bench.errors import UsageError
from bench.lanes.kernel_arms import larger
from bench.lanes.live import lane
from bench.lanes.live.catalogue import MIB, format_memory, parse_memory
from bench.lanes.live.machine import DURING, Machine, fits
from tests.live import machine_files, tree, use


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files of a machine."""
    return machine_files(tmp_path)


def test_memory_is_a_quarter_of_what_there_is(tmp_path: Path) -> None:
    """A power of two, 1 GiB at most."""
    for available, expected in ((8 << 20, "1GiB"), (3 << 20, "512MiB"), (300 << 10, "64MiB")):
        machine = Machine(tree(tmp_path, {"proc/meminfo": f"MemAvailable: {available} kB\n"}))
        assert format_memory(machine.default_memory()) == expected


@pytest.mark.parametrize(
    ("cgroup", "files", "mebibytes"),
    [
        ("0::/a/b\n", {"a/memory.max": f"{512 << 20}", "a/memory.current": f"{200 << 20}"}, 312),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/b/memory.current": "5"}, 8192),
        ("0::/a\n", {"a/memory.max": f"{100 << 20}", "a/memory.current": f"{100 << 20}",
                     "a/memory.stat": f"anon 1\ninactive_file {30 << 20}\n"}, 30),
        ("4:cpu,memory:/c\n", {"memory/c/memory.limit_in_bytes": f"{400 << 20}",
                               "memory/c/memory.usage_in_bytes": "0"}, 400),
    ],
)  # fmt: skip
def test_the_limits_of_control_groups_count(
    root: Path, cgroup: str, files: dict[str, str], mebibytes: int
) -> None:
    """Of both versions, of every group above; page cache that can be dropped is free."""
    tree(
        root, {"proc/self/cgroup": cgroup, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    )
    assert Machine(root).available() == mebibytes << 20


def test_too_much_memory_is_refused_with_what_would_fit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is measured; what is suggested is then accepted."""
    use(monkeypatch, Machine(root))
    chosen = lane.cases({}, Filters.parse(["memory=16GiB"]))
    with pytest.raises(
        UsageError, match=r"needs \d+ MiB, 8192 MiB are available; memory=\d+MiB would fit"
    ) as e:
        lane.prepare(chosen, {})
    fitting = str(e.value).rpartition("memory=")[2].split()[0]
    lane.prepare(
        [case.but(memory=fitting) for case in chosen if case.name.startswith(chosen[0].name[:9])], {}
    )
    assert fits(Machine(root).available(), parse_memory(fitting), 1) == ""
    assert "would fit" not in fits(Machine(root.parent / "nowhere").available(), MIB, 1)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("order", [0, 9])
def test_what_fits_before_the_run_fits_during_it(order: int, copies: int) -> None:
    """With the positive control's memory, though other programs have taken a little meanwhile."""
    for size in (4 * MIB, 16 * MIB, 1 << 30, 10 << 30):
        available = int(size * copies * 1.1) + 64 * MIB
        assert fits(available, size, copies) == ""
        assert fits(available - size // 100, larger(size, order), copies, DURING) == ""
    refused = fits(10 << 30, 16 << 30, copies, DURING)
    assert fits(10 << 30, parse_memory(refused.rpartition("memory=")[2].split()[0]), copies) == ""


def test_memory_that_makes_no_sense_is_refused() -> None:
    """One sentence with an example."""
    for text in ("1GB", "0MiB", "3MiB", "1.5GiB", "GiB", "-4MiB", "4KiB", "99999999999GiB"):
        with pytest.raises(UsageError, match="multiple of 4 MiB"):
            parse_memory(text)
    assert [parse_memory(text) for text in ("4MiB", "1GiB", "4096KiB")] == [4 * MIB, 1024 * MIB, 4 * MIB]


def test_a_tebibyte_is_refused_with_what_it_needs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other amount that is too much; it is one of 1024 GiB."""
    use(monkeypatch, Machine(root))
    chosen = lane.cases({}, Filters.parse(["munmap", "order=0", "memory=1TiB"]))
    with pytest.raises(UsageError, match=r"memory=1TiB: needs 1153497 MiB, 8192 MiB are available; memory="):
        lane.prepare(chosen, {})
    assert [format_memory(parse_memory(text)) for text in ("1024GiB", "3TiB")] == ["1TiB", "3TiB"]


def test_the_positive_control_is_a_thirty_second_larger() -> None:
    """In whole folios."""
    assert larger(1 << 30, 0) - (1 << 30) == 32 * MIB
    assert larger(16 * MIB, 9) - 16 * MIB == 2 * MIB
