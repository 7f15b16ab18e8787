"""Real guests: kernels that are at hand are booted under TCG and count the instructions of a fork."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from bench import results
from bench.lanes.vm.image import parse
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.machine import Machine
from bench.lanes.vm.machines.x86_64 import X86_64
from bench.lanes.vm.operations import FAMILIES
from bench.measure.affinity import usable_cpus
from tests.conftest import Cli
from tests.vm import kernel, lacking

ROOTS = {"x86_64": "RMAPBENCH_TEST_ROOT_AMD64", "aarch64": "RMAPBENCH_TEST_ROOT_ARM64"}


def root(machine: Machine) -> list[str]:
    """The option for the Python that a variable names; skips without one."""
    named = os.environ.get(ROOTS[machine.name])
    if not named:
        pytest.skip(f"no Python for guests here: unpack one, and name it with {ROOTS[machine.name]}")
    return ["--guest-root", named]


def booted(machine: Machine) -> Path:
    """The kernel to boot; skips without one."""
    found = kernel(machine)
    if reason := lacking(machine):
        pytest.skip(reason)
    assert found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("packages", [False, True], ids=["running Python", "packages"])
@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_kernel_boots_and_counts_the_instructions_of_a_fork(
    name: str, packages: bool, cli: Cli, tmp_path: Path
) -> None:
    """A page of order 0 takes some hundred, one of a batched folio fewer, a PMD-mapped one a few."""
    machine = MACHINES[name]
    if not packages and machine.name != platform.machine():
        pytest.skip(f"this Python does not run in guests of {machine.name}")
    image = f"k={booted(machine)}"
    mthp = 4 in FAMILIES[0].orders(parse(image))
    words = ["--kernel", image, *(root(machine) if packages else [])]
    output = tmp_path / "vm.json"
    done = cli(
        "run", "--lane", "vm", *words, "fork", "order=0,4,9" if mthp else "order=0,9", "kind=anon", "--fast",
        "--rounds", "1", "-o", str(output), cwd=tmp_path, timeout=280,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = results.load(output)
    figures = {
        (case.get("path"), case.order): next(iter(run.values)) * 1e9 for case, (run,) in found.runs.items()
    }
    small = figures["default", 0]
    assert 50 < small < 1000
    assert figures["pmd", 9] < small / 5
    if mthp:
        assert figures["ptes", 4] < 0.8 * figures["pte", 4]
    assert {case.meaning("machine") for case in found.runs} == {machine.name}
    assert "instructions a page" in done.out


@pytest.mark.long
def test_a_boot_counts_the_same_wherever_it_is_made(cli: Cli, tmp_path: Path) -> None:
    """To the last digit: by a process of this run, and by a worker of a cluster."""
    pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install '.[cluster]'")
    found = []
    # On one CPU, a run without a cluster gives its first boot the number that a cluster's first has.
    for number, where in enumerate((("--affinity", str(usable_cpus()[0])), ("--cluster", "local"))):
        output = tmp_path / f"{number}.json"
        done = cli(
            "run", "--lane", "vm", "--kernel", f"k={booted(X86_64)}", "fork", "order=0", "kind=anon",
            "--fast", "--rounds", "1", "--seed", "1", *where, "-o", str(output), cwd=tmp_path, timeout=280,
        )  # fmt: skip
        assert done.code == 0, done.err
        runs = results.load(output).runs
        found.append({case.name: [list(run.values) for run in made] for case, made in runs.items()})
    assert found[0] == found[1] and found[0]
