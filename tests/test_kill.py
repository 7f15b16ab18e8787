"""Killed at many random moments, the program loses nothing it measured and leaves no process behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import results
from tests.conftest import Cli
from tests.test_engine import _workers_of

MOMENTS = 100
LONGEST = 4.0  # seconds until a kill: start, calibration, rounds and the end are all met
SELECTED = ("remove", "dup_file", "order=0,4", "kind=file", "variant=v6.10,v6.12")
SEED = 20250101


def killed(cli: Cli, words: list[str], delay: float) -> bool:
    """Start the program, kill it after `delay` seconds; was it still running?"""
    command = [sys.executable, "-m", "bench", "run", *words, "--quiet"]
    output = subprocess.DEVNULL
    running = subprocess.Popen(command, cwd=cli.cwd, env=cli.environment(), stdout=output, stderr=output)
    try:
        running.wait(delay)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
    return running.wait() == -signal.SIGKILL


def no_workers(directory: Path) -> None:
    """Nobody holds a file of the run open a second later."""
    until = time.monotonic() + 5
    while still := _workers_of(directory):
        assert time.monotonic() < until, still
        time.sleep(0.02)


def contents(journal: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in journal.glob("worker-*.jsonl")}


@pytest.mark.slow
@pytest.mark.long
def test_a_run_killed_at_a_hundred_moments_loses_nothing(cli: Cli) -> None:
    """Each kill keeps every byte that was there; each run that was killed on its way is completed."""
    moments, done, run = random.Random(SEED), 0, 0
    while done < MOMENTS:
        run += 1
        name = f"run-{run}.json"
        journal = cli.cwd / f"{name}.journal"
        first = [*SELECTED, "--processes", "3", "--rounds", "100", "-o", name]
        while not (cli.cwd / name).exists():
            before = contents(journal)
            words = ["--resume", journal.name] if (journal / "plan.json").exists() else [*first, "--force"]
            done += killed(cli, words, moments.uniform(0.1, LONGEST))
            no_workers(cli.cwd)
            for file, content in before.items():
                assert (journal / file).read_bytes().startswith(content), (name, file)
        loaded = results.load(cli.cwd / name)
        assert {len(runs) for runs in loaded.runs.values()} == {3} and loaded.failed == {}
        assert loaded.metadata["expected_cases"] == len(loaded.runs)
    leftovers = [path.name for path in cli.cwd.iterdir() if path.suffix not in (".json", ".journal")]
    assert leftovers == []


def test_two_runs_at_once_do_not_touch_each_other(cli: Cli) -> None:
    """Same directory, same cases, different files; both are whole."""
    command = [sys.executable, "-m", "bench", "run", "remove", "order=0", "kind=file", "state=last"]
    command += ["variant=v6.12", "--processes", "2", "--rounds", "31", "--quiet", "-o"]
    both = [
        subprocess.Popen([*command, name], cwd=cli.cwd, env=cli.environment(), stdout=subprocess.DEVNULL)
        for name in ("a.json", "b.json")
    ]
    assert [running.wait(timeout=300) for running in both] == [0, 0]
    for name in ("a.json", "b.json"):
        loaded = results.load(cli.cwd / name)
        assert {len(runs) for runs in loaded.runs.values()} == {2} and loaded.failed == {}
    assert sorted(path.name for path in cli.cwd.iterdir()) == [
        "a.json",
        "a.json.journal",
        "b.json",
        "b.json.journal",
    ]
