"""Measuring for real, small: the program from its command line to files that it and pyperf read."""

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
from tests.conftest import ROOT, Cli

SMALL = ("--processes", "2", "--rounds", "31", "--quiet")
SELECTED = ("remove", "order=0,4", "kind=file", "variant=v6.10,v6.12")
REMOVE = Case.of("call", "remove", kind="file", state="last", variant="v6.12", path="ptes", order=4)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """A result file of a few cases, measured once."""
    directory = tmp_path_factory.mktemp("measured")
    outcome = Cli(cache_dir, directory)("run", *SELECTED, *SMALL, "--seed", "7", "-o", "out.json")
    assert outcome.code == 0, outcome.err
    assert "wrote out.json" in outcome.out
    return directory / "out.json"


def test_a_run_holds_every_case_and_every_control(measured: Path) -> None:
    """Both paths, both variants, A/A, positive control, cost of calling and yardstick in each group."""
    loaded = results.load(measured)
    assert loaded.failed == {}
    assert REMOVE in loaded.runs
    assert REMOVE.but(path="pte", variant="v6.10") in loaded.runs
    group = [case for case in loaded.runs if case.group == REMOVE.group]
    assert {case.get("control") for case in group} == {"", "twin", "positive", "yardstick"}
    assert {case.get("path") for case in group if case.get("variant") == "_empty"} == {"pte", "ptes"}
    assert all([len(run.values) for run in runs] == [31, 31] for runs in loaded.runs.values())
    assert loaded.metadata["expected_cases"] == len(loaded.runs)


def test_a_run_says_what_it_was(measured: Path) -> None:
    """Command, seed, machine, versions; on the runs their base and controls; no path of this machine."""
    loaded = results.load(measured)
    for key in ("command", "seed", "hostname", "cpu_model_name", "numba_version", "date", "timed_section_ns"):
        assert key in loaded.metadata
    assert loaded.metadata["seed"] == 7
    assert loaded.note(REMOVE, "base") == "v6.10"
    assert loaded.note(REMOVE.but(control="positive"), "extra_locked")
    assert loaded.note(REMOVE.but(path="pte", order=0), "same_code") == 1
    assert str(measured.parent) not in measured.read_text()


@pytest.mark.parametrize(
    "arguments",
    [("show",), ("show", "--metadata"), ("stats",), ("hist",), ("check",), ("dump",), ("metadata",),
     ("compare_to", "out.json")],
)  # fmt: skip
def test_pyperf_reads_the_file(measured: Path, arguments: tuple[str, ...]) -> None:
    """Every command of pyperf that takes a file."""
    command, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", command, measured.name, *rest],
        cwd=measured.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout


def test_the_file_gives_tables_and_charts(cli: Cli, measured: Path) -> None:
    """Text, markdown, a projection, pictures."""
    assert "64K" in cli("report", measured).out
    assert "|" in cli("report", measured, "--markdown").out
    assert (
        "vs v6.10"
        in cli("report", measured, "--row", "order", "--col", "variant", "--base", "variant=v6.10").out
    )
    assert cli("chart", measured, "-o", "charts").code == 0
    assert {path.suffix for path in (cli.cwd / "charts").iterdir()} == {".png", ".svg"}


def test_an_existing_run_is_not_resumed_into_nothing(cli: Cli, measured: Path) -> None:
    """Resuming what is complete says so, and does not overwrite."""
    outcome = cli("run", "--resume", f"{measured}.journal")
    assert outcome.code == 2
    assert "complete" in outcome.err


@pytest.mark.parametrize("delay", [0.5, 2.0, 4.0])
def test_a_killed_run_resumes_to_the_same_file(cli: Cli, delay: float) -> None:
    """SIGKILL while compiling, calibrating or measuring."""
    command = [sys.executable, "-m", "bench", "run", *SELECTED, *SMALL, "-o", "out.json"]
    running = subprocess.Popen(command, cwd=cli.cwd, env=cli.environment(), stdout=subprocess.DEVNULL)
    journal = cli.cwd / "out.json.journal"
    while not (journal / "plan.json").exists():
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(delay)
    running.send_signal(signal.SIGKILL)
    running.wait()
    if (cli.cwd / "out.json").exists():
        pytest.skip("the run was over before it was killed")
    outcome = cli("run", "--resume", journal.name, "--quiet")
    assert outcome.code == 0, outcome.err
    loaded = results.load(cli.cwd / "out.json")
    assert {len(runs) for runs in loaded.runs.values()} == {2}
    assert loaded.metadata["expected_cases"] == len(loaded.runs)


def test_a_budget_too_small_is_exit_code_6_and_the_rest_can_be_had(cli: Cli, measured: Path) -> None:
    """The budget is of one command: resuming without one measures what is missing."""
    outcome = cli("run", *SELECTED, *SMALL, "--budget", "0.001", "-o", "out.json")
    assert outcome.code == 6
    assert "the budget was spent" in outcome.err
    assert "rmapbench run --resume out.json.journal" in outcome.err
    assert not (cli.cwd / "out.json").exists()
    outcome = cli("run", "--resume", "out.json.journal", "--quiet")
    assert outcome.code == 0, outcome.err
    assert set(results.load(cli.cwd / "out.json").runs) == set(results.load(measured).runs)


def test_an_interrupt_is_exit_code_130_and_says_how_to_go_on(cli: Cli) -> None:
    """Ctrl-C."""
    outcome = cli.interrupted("run", *SELECTED)
    assert outcome.code == 130
    assert outcome.err.startswith("rmapbench: interrupted; ")
    assert "rmapbench run --resume out.json.journal" in outcome.err


def test_a_copied_template_is_a_variant_without_another_edit(cli: Cli) -> None:
    """It is listed, passes check, is measured and is shown."""
    (cli.cwd / "mine.py").write_text((ROOT / "kernels/rmap/_template.py").read_text())
    mine = ("--variant", "mine=mine.py")
    assert "variant=mine/" in cli("list", *mine).out
    checked = cli("check", *mine)
    assert (checked.code, checked.out.count("\n")) == (0, 1), checked.err
    assert checked.out.startswith("mine: agrees with the oracle")
    outcome = cli("run", *mine, "remove", "order=0,4", "variant=mine,v6.12", *SMALL, "-o", "out.json")
    assert outcome.code == 0, outcome.err
    assert "remove (file, last), mine" in outcome.out
    assert "vs v6.12" in cli("report", "out.json").out


def test_a_wrong_variant_is_never_timed(cli: Cli) -> None:
    """run refuses it like check, naming call, counter, expected and found; nothing is left behind."""
    text = (ROOT / "kernels/rmap/_template.py").read_text()
    wrong = text.replace("mod_stat(LAYOUT, folio, -nr, 0, vma)", "mod_stat(LAYOUT, folio, -nr - 1, 0, vma)")
    assert wrong != text
    (cli.cwd / "mine.py").write_text(wrong)
    words = ("--variant", "mine=mine.py", "remove", "order=0", "variant=mine")
    outcome = cli("run", *words, *SMALL, "-o", "out.json")
    assert outcome.code == 2
    for word in ("remove", "expected", "found"):
        assert word in outcome.err
    assert not (cli.cwd / "out.json").exists()


def test_counts_are_compared_exactly(cli: Cli) -> None:
    """Equal: 0. One locked operation more: 3, and the line says which."""
    few = ("remove", "order=0,4", "variant=v6.12")
    assert cli("count", *few, "-o", "counts.json").code == 0
    same = cli("count", *few, "--against", "counts.json")
    assert (same.code, "all counts equal" in same.out) == (0, True)
    counts = json.loads((cli.cwd / "counts.json").read_text())
    name = REMOVE.name
    counts[name]["locked_used"] -= 1
    (cli.cwd / "counts.json").write_text(json.dumps(counts))
    worse = cli("count", *few, "--against", "counts.json")
    assert (worse.code, f"{name}: locked_used 16 -> 17" in worse.out) == (3, True)


def test_the_pyperf_script_takes_filters_and_pyperfs_own_options(cli: Cli) -> None:
    """Its file is marked unpaired, and report reads it."""
    script = ("-m", "bench.lanes.model_call", "remove", "order=0", "kind=file", "state=last", "variant=v6.12")
    outcome = cli.python(*script, "--debug-single-value", "-o", "out.json")
    assert outcome.code == 0, outcome.err
    assert results.load(cli.cwd / "out.json").unpaired
    assert "Unpaired" in cli("report", "out.json").out
    fast = cli.python(
        *script, "--fast", "--processes", "2", "--values", "2", "--min-time", "0.01", "-o", "b.json"
    )
    assert fast.code == 0, fast.err
    assert cli.python(*script, "colour=red").code == 2


def test_the_affinity_it_is_given_is_respected(cli: Cli) -> None:
    """Started on one CPU, it measures on that one."""
    only = max(os.sched_getaffinity(0))
    words = ["run", "remove", "order=0", "kind=file", "state=last", "variant=v6.12", *SMALL, "-o", "out.json"]
    code = (
        f"import os, runpy, sys; os.sched_setaffinity(0, {{{only}}}); "
        f"sys.argv = ['rmapbench', *{words!r}]; runpy.run_module('bench', run_name='__main__')"
    )
    outcome = cli.python("-c", code)
    assert outcome.code == 0, outcome.err
    assert results.load(cli.cwd / "out.json").metadata["cpus"] == str(only)
