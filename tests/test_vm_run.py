"""Runs of the vm lane with a QEMU that boots nothing: figures, failures, exit codes, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from tests.conftest import Cli, Outcome
from tests.vm import bzimage, fake_qemu

FAST = ("--fast", "--rounds", "1", "--timeout", "20", "--quiet")


@pytest.fixture
def kernels(tmp_path: Path) -> tuple[str, ...]:
    """Two kernels, to be told apart by name."""
    paths = [bzimage(tmp_path / name, f"6.12-{name}") for name in ("old", "new")]
    return tuple(word for path in paths for word in ("--kernel", f"{path.name}={path}"))


def run(cli: Cli, tmp_path: Path, kernels: tuple[str, ...], *more: str, does: str = "") -> Outcome:
    """Measure into vm.json."""
    words = ("run", "--lane", "vm", *kernels, *FAST, *more, "-o", str(tmp_path / "vm.json"))
    return cli(*words, env=fake_qemu(tmp_path, does), cwd=tmp_path)


def alive(text: str) -> list[str]:
    """Processes whose command line holds the text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_text().replace("\0", " "):
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def test_figures_are_instructions_a_page_for_both_kernels(
    cli: Cli, tmp_path: Path, kernels: tuple[str, ...]
) -> None:
    """Net of what the operation costs without pages; pyperf calls them integers, tables instructions."""
    done = run(cli, tmp_path, kernels, "fork", "kind=anon", "order=0,4", "path=pte,ptes")
    assert done.code == 0, done.err
    assert "instructions a page" in done.out and ", ns a page" not in done.out
    found = results.load(tmp_path / "vm.json")
    case = Case.parse("vm/fork/kernel=new/path=pte/order=0")
    assert [list(run.values) for run in found.runs[case]] == [[pytest.approx(330e-9)]]
    assert found.counted and '"unit": "integer"' in (tmp_path / "vm.json").read_text().replace('":"', '": "')
    compared = cli("report", str(tmp_path / "vm.json"), "fork", "--base", "kernel=old")
    assert "+10.0 %" in compared.out and "330.0" in compared.out
    shown = cli.python("-m", "pyperf", "show", str(tmp_path / "vm.json"))
    assert shown.code == 0 and "330" in shown.out


def test_spread_stands_beside_each_figure(cli: Cli, tmp_path: Path, kernels: tuple[str, ...]) -> None:
    """With more than one boot."""
    words = [word for word in FAST if word != "--fast"]
    done = cli(
        "run", "--lane", "vm", *kernels, *words, "--processes", "2", "fork", "kind=anon", "order=0",
        "-o", str(tmp_path / "vm.json"), env=fake_qemu(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert "300.0 +-0.00%" in done.out, done.out + done.err


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("panics", "kernel panic: Attempted to kill init! exitcode=0x00000100; last on its console:"),
        ("hangs", "hung: silent for 8 s; last on its console: [ 0.000000] Linux version"),
        ("silent", "nothing on the console for 8 s"),
        ("fails", "QEMU ended with exit code 1; last on its console:"),
    ],
)
def test_a_kernel_that_fails_says_why_and_the_other_survives(
    cli: Cli, tmp_path: Path, kernels: tuple[str, ...], does: str, said: str
) -> None:
    """One sentence with the last lines; the other kernel's figures are saved; no QEMU stays."""
    done = run(cli, tmp_path, kernels, "fork", "kind=anon", "order=0", "path=ptes", does=f"new:{does}")
    assert done.code == 0, done.err
    assert f"new: {said}" in " ".join(done.out.split())
    found = results.load(tmp_path / "vm.json")
    assert {case.get("kernel") for case in found.runs} == {"old"}
    assert alive(str(tmp_path / "programs")) == []


def test_nothing_at_all_is_exit_code_6(cli: Cli, tmp_path: Path, kernels: tuple[str, ...]) -> None:
    """With the reason of the first."""
    done = run(cli, tmp_path, kernels, "fork", "kind=anon", "order=0", does="all:panics")
    assert done.code == 6 and "kernel panic" in done.err


def test_a_broken_record_costs_its_own_arm_only(cli: Cli, tmp_path: Path, kernels: tuple[str, ...]) -> None:
    """And one that a line of the kernel's fell into is mended."""
    done = run(cli, tmp_path, kernels[:2], "fork", "kind=anon", "order=0", does="old:breaks")
    assert done.code == 0, done.err
    found = results.load(tmp_path / "vm.json")
    assert len(found.failed) == 1 and "an answer was garbled" in next(iter(found.failed.values()))
    assert len(found.runs) == 2


@pytest.mark.parametrize("how", ["by --affinity", "by whoever started the program"])
def test_guests_keep_to_the_cpus_that_the_program_was_given(
    how: str, cli: Cli, tmp_path: Path, kernels: tuple[str, ...]
) -> None:
    """A measuring process keeps to one CPU; its guests have them all, but no others."""
    cpus = sorted(os.sched_getaffinity(0))
    given = cpus[-1:] if how == "by --affinity" else cpus
    option = ["--affinity", str(given[0])] if how == "by --affinity" else []
    environment = fake_qemu(tmp_path) | {"FAKE_CPUS": str(tmp_path / "cpus")}
    words = ["run", "--lane", "vm", *kernels[:2], *FAST, "fork", "kind=anon", "order=0", *option]
    done = cli(*words, "-o", str(tmp_path / "vm.json"), env=environment, cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "cpus").read_text()) == given


def test_a_log_without_end_keeps_what_was_said(cli: Cli, tmp_path: Path, kernels: tuple[str, ...]) -> None:
    """All answers came; that the guest did not say goodbye spoils none."""
    done = run(cli, tmp_path, kernels[:2], "fork", "kind=anon", "order=0", does="old:stops")
    assert done.code == 0 and not results.load(tmp_path / "vm.json").failed


def test_what_a_kernel_lacks_is_said_and_not_a_figure(
    cli: Cli, tmp_path: Path, kernels: tuple[str, ...]
) -> None:
    """The guest knows what it has."""
    done = run(cli, tmp_path, kernels[:2], "fork", "kind=anon", "order=0,3", "path=ptes")
    found = results.load(tmp_path / "vm.json")
    reasons = {Case.parse(name).order: reason for name, reason in found.failed.items()}
    assert reasons == {3: "UNMEASURABLE: this kernel has no such folios"}, done.err


def test_a_missing_qemu_is_exit_code_4_with_the_package(cli: Cli, tmp_path: Path) -> None:
    """And how to install it."""
    path = bzimage(tmp_path / "k")
    done = cli("run", "--lane", "vm", "--kernel", str(path), *FAST, "fork", env={"PATH": str(tmp_path)})
    assert done.code == 4 and "apt-get install qemu-system-x86" in done.err


def test_refusals_are_exit_code_2(cli: Cli, tmp_path: Path, kernels: tuple[str, ...]) -> None:
    """Before anything is booted."""
    image = kernels[1]
    for words, said in [
        (("--lane", "vm", "--kernel", image, "--kernel", image), "NAME=PATH"),
        (("--lane", "vm", "--kernel", str(tmp_path / "no")), "no such file"),
        (("--lane", "vm"), "--kernel IMAGE"),
        (("--kernel", image), "add --lane vm"),
    ]:
        done = cli("run", *words, "fork", env=fake_qemu(tmp_path))
        assert done.code == 2 and said in done.err, done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_qemu_outlives_the_program(
    cli: Cli, tmp_path: Path, kernels: tuple[str, ...], number: signal.Signals
) -> None:
    """Not even one whose parent was killed outright."""
    command = [sys.executable, "-m", "bench", "run", "--lane", "vm", *kernels, "--quiet", "fork", "order=0"]
    environment = cli.environment(fake_qemu(tmp_path, "all:hangs"))
    program = subprocess.Popen(
        [*command, "-o", str(tmp_path / "vm.json")], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    mark = str(tmp_path / "programs" / "qemu-system-x86_64") + " -machine"  # a guest, not `--version`
    deadline = time.monotonic() + 60
    while not alive(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(mark), "no QEMU was started"
    os.kill(program.pid, number)
    program.wait()
    deadline = time.monotonic() + 20
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(mark) == []
