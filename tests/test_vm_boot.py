"""A real guest: a kernel that is at hand is booted under TCG and counts the instructions of a fork."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from tests.conftest import Cli
from tests.vm import kernel, lacking


@pytest.mark.slow
def test_a_kernel_boots_and_counts_the_instructions_of_a_fork(cli: Cli, tmp_path: Path) -> None:
    """Order 0 and 2 MiB; a page of order 0 is some hundred instructions, PMD-mapped a few."""
    if reason := lacking():
        pytest.skip(reason)
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
