"""Killed at a hundred random moments, the program loses nothing, restores the machine, leaves no process.

What the moments were is printed (pytest --long -rP); results/reliability.md keeps it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench import results
from tests import live, vm
from tests.conftest import Cli

SEED = 20250101
GONE = 10.0  # seconds within which processes and settings of a killed run must be as before
MARK = "RMAPBENCH_KILLED"  # an environment variable that everything a run starts inherits


class Victim(NamedTuple):
    """How a lane is run, and how often it is killed."""

    moments: int
    words: tuple[str, ...]
    processes: int
    lacking: Callable[[], str] = str  # why it cannot be run here; empty if it can


CALLS = ("remove", "dup_file", "order=0,4", "kind=file", "variant=v6.10,v6.12", "--rounds", "100")
LIVE = ("--lane", "live", "fork", "munmap", "order=0,4", "kind=anon", "memory=16MiB", "--rounds", "5")
FORK = ("--lane", "vm", "fork", "order=0", "kind=anon", "memory=16MiB", "--rounds", "1", "--timeout", "600")
VICTIMS = {
    "model": Victim(40, CALLS, 3),
    "live": Victim(30, LIVE, 3, live.lacking),
    "vm": Victim(30, FORK, 3, vm.lacking),
}


class Killer:
    """Runs that are killed, in one directory; what became of the kills."""

    def __init__(self, cli: Cli, lane: str) -> None:
        self.cli, self.victim, self.lane = cli, VICTIMS[lane], lane
        self.random = random.Random(SEED)
        self.before = live.state() if lane == "live" else {}
        self.longest = 0.0  # seconds of a run that nobody kills
        self.met = Counter[str]()
        self.slowest = 0.0  # seconds until nothing was left of a killed run

    def words(self, name: str) -> list[str]:
        """The run's command line, its first time or as it is taken up again."""
        journal = self.cli.cwd / f"{name}.journal"
        if (journal / "plan.json").exists():
            return ["--resume", journal.name]
        kernel = ["--kernel", f"k={vm.kernel()}"] if self.lane == "vm" else []
        return [*self.victim.words, *kernel, "--processes", str(self.victim.processes), "-o", name, "--force"]

    def undisturbed(self) -> None:
        """Runs from start to end, to know how long one takes once everything is compiled."""
        for name in ("first.json", "second.json"):
            started = time.monotonic()
            assert not self.once(name, kill=False)
            self.longest = time.monotonic() - started

    def once(self, name: str, kill: bool = True) -> bool:
        """Start the run or go on with it, and kill it; was it still running?"""
        journal = self.cli.cwd / f"{name}.journal"
        kept = contents(journal)
        running = subprocess.Popen(
            [sys.executable, "-m", "bench", "run", *self.words(name), "--quiet"], cwd=self.cli.cwd,
            env=self.cli.environment({MARK: str(self.cli.cwd)}), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        killed = kill and self._kill(running)
        said = running.communicate(timeout=GONE if killed else None)[1].decode()
        assert killed or running.returncode == 0, said
        self._as_before()
        for file, content in kept.items():
            assert (journal / file).read_bytes().startswith(content), (name, file)
        if killed:
            self.met[stage(journal)] += 1
        return killed

    def _kill(self, running: subprocess.Popen[bytes]) -> bool:
        """At any moment of its way, the program alone or with all processes of its group."""
        alone = self.random.random() < 0.5
        try:
            running.wait(self.random.uniform(0, self.longest))
        except subprocess.TimeoutExpired:
            (os.kill if alone else os.killpg)(running.pid, signal.SIGKILL)
        killed = running.wait() == -signal.SIGKILL
        if killed:
            self.met["alone" if alone else "with its group"] += 1
        return killed

    def _as_before(self) -> None:
        """No process that the run started is there, and no setting is other than before."""
        started = time.monotonic()
        while (left := marked(self.cli.cwd)) or (self.lane == "live" and live.state() != self.before):
            assert time.monotonic() < started + GONE, left or "a setting is left changed"
            time.sleep(0.02)
        self.slowest = max(self.slowest, time.monotonic() - started)


def marked(directory: Path) -> list[str]:
    """The processes that a run in this directory started, at this moment."""
    mark, found = f"{MARK}={directory}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def contents(journal: Path) -> dict[str, bytes]:
    """What the workers have written."""
    return {path.name: path.read_bytes() for path in journal.glob("worker-*.jsonl")}


def stage(journal: Path) -> str:
    """How far a run has come."""
    written = b"".join(contents(journal).values())
    if b'["done"' in written:
        return "after a process"
    if b'["round"' in written:
        return "in the first rounds"
    return "before the first round" if (journal / "plan.json").exists() else "before its plan"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("lane", VICTIMS)
def test_runs_killed_at_random_moments_lose_nothing(cli: Cli, lane: str) -> None:
    """Each kill keeps every byte that was there; each run that was killed on its way is completed."""
    if reason := VICTIMS[lane].lacking():
        pytest.skip(reason)
    killer, done, run, started = Killer(cli, lane), 0, 0, time.monotonic()
    killer.undisturbed()
    while done < killer.victim.moments:
        run += 1
        while not (cli.cwd / f"run-{run}.json").exists():
            done += killer.once(f"run-{run}.json")
        whole(cli.cwd / f"run-{run}.json", killer.victim.processes)
        assert all(path.is_file() for path in (cli.cwd / f"run-{run}.json.journal").iterdir())
    leftovers = [path.name for path in cli.cwd.iterdir() if path.suffix not in (".json", ".journal")]
    assert leftovers == []
    met = ", ".join(f"{count} {what}" for what, count in sorted(killer.met.items()))
    print(
        f"{lane}: {done} kills of {run} runs of {killer.longest:.1f} s in {time.monotonic() - started:.0f} s;"
    )
    print(f"{met}; as before after {killer.slowest:.1f} s at most")


def whole(path: Path, processes: int) -> None:
    """Every case has all its processes."""
    loaded = results.load(path)
    assert {len(runs) for runs in loaded.runs.values()} == {processes} and loaded.failed == {}
    assert loaded.metadata["expected_cases"] == len(loaded.runs)


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
        whole(cli.cwd / name, 2)
    assert sorted(path.name for path in cli.cwd.iterdir()) == [
        "a.json",
        "a.json.journal",
        "b.json",
        "b.json.journal",
    ]
