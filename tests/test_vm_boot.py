"""A real guest: a kernel that is at hand is booted under TCG and counts the instructions of a fork."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from bench.measure.affinity import usable_cpus
from tests.conftest import Cli

NAMED = os.environ.get("RMAPBENCH_TEST_KERNEL")


def kernel() -> Path:
    """The image that RMAPBENCH_TEST_KERNEL names, or the newest of /boot; skips without one."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("no qemu-system-x86_64 here (apt-get install qemu-system-x86)")
    found = [Path(NAMED)] if NAMED else sorted(Path("/boot").glob("vmlinuz-*"))
    if not found or not os.access(found[-1], os.R_OK):
        pytest.skip("no kernel image here: name one with RMAPBENCH_TEST_KERNEL")
    return found[-1]


@pytest.mark.slow
def test_a_kernel_boots_and_counts_the_instructions_of_a_fork(cli: Cli, tmp_path: Path) -> None:
    """Order 0 and 2 MiB; a page of order 0 is some hundred instructions, PMD-mapped a few."""
    output = tmp_path / "vm.json"
    done = cli(
        "run", "--lane", "vm", "--kernel", f"k={kernel()}", "fork", "order=0,9", "kind=anon", "--fast",
        "--rounds", "1", "-o", str(output), cwd=tmp_path, timeout=280,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = results.load(output)
    figures = {case: next(iter(run.values)) * 1e9 for case, (run,) in found.runs.items()}
    small = figures[Case.parse("vm/fork/kernel=k/path=default/order=0")]
    assert 50 < small < 1000
    assert figures[Case.parse("vm/fork/kernel=k/path=pmd/order=9")] < small / 5
    assert "instructions a page" in done.out


@pytest.mark.slow
def test_a_boot_counts_the_same_wherever_it_is_made(cli: Cli, tmp_path: Path) -> None:
    """To the last digit: by a process of this run, and by a worker of a cluster."""
    pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install '.[cluster]'")
    found = []
    # On one CPU, a run without a cluster gives its first boot the number that a cluster's first has.
    for number, where in enumerate((("--affinity", str(usable_cpus()[0])), ("--cluster", "local"))):
        output = tmp_path / f"{number}.json"
        done = cli(
            "run", "--lane", "vm", "--kernel", f"k={kernel()}", "fork", "order=0", "kind=anon", "--fast",
            "--rounds", "1", "--seed", "1", *where, "-o", str(output), cwd=tmp_path, timeout=280,
        )  # fmt: skip
        assert done.code == 0, done.err
        runs = results.load(output).runs
        found.append({case.name: [list(run.values) for run in made] for case, made in runs.items()})
    assert found[0] == found[1] and found[0]
