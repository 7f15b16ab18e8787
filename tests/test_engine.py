"""The engine on a fake lane: nothing is lost, failures cost their own cases only, no child stays."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.measure.assemble import assemble
from bench.measure.engine import Engine
from bench.measure.journal import Journal
from bench.measure.plan import Arm, Block, Plan, Settings
from bench.results import Results
from tests.conftest import ROOT

QUICK = Settings(processes=2, rounds=35, timeout=3.0, cpus=tuple(sorted(os.sched_getaffinity(0)))[:2])


class Silent:
    """A progress display that says nothing."""

    def update(self, stage: str, done: int, total: int) -> None:
        """Say nothing."""


def case(call: str, **keys: object) -> str:
    """A case name of the fake lane."""
    return "/".join(["call", call, *(f"{key}={value}" for key, value in keys.items())])


def plan(*specs: dict[str, Any], blocks: int = 1, **setup: Any) -> Plan:
    """Blocks of one arm a spec, each with a yardstick."""
    made = []
    for number in range(blocks):
        arms = [
            Arm((case(f"c{number}", variant=f"v{i}", order=0),), {"ns": 5.0, **spec})
            for i, spec in enumerate(specs)
        ]
        arms.append(Arm((case(f"c{number}", order=0, control="yardstick"),), {"ns": 4.0}))
        made.append(Block(f"block {number}", tuple(arms)))
    return Plan("tests.fake_lane", setup, tuple(made))


def measured(directory: Path, wanted: Plan, settings: Settings = QUICK) -> Results:
    """Run the plan to its end."""
    journal = Journal.create(directory, wanted, settings, {})
    return assemble(wanted, settings, Engine(wanted, settings, journal, Silent()).run(), {})


def test_every_case_gets_the_same_processes_and_rounds(tmp_path: Path) -> None:
    """Values can be paired by process and round over all cases of a block."""
    results = measured(tmp_path, plan({}, {"ns": 6.0}, blocks=2))
    assert len(results.runs) == 6
    shapes = {(len(runs), *(len(run.values) for run in runs)) for runs in results.runs.values()}
    assert shapes == {(2, 35, 35)}
    assert results.failed == {}


def test_a_case_that_lacks_a_value_in_one_round_is_not_shown(tmp_path: Path) -> None:
    """The other case of its arm is; what arms tell of a process is kept with its run, by case."""
    told = [{"gross": 7e-9, "vmas": 1}, {"unmeasurable": "too few folios"}]
    arm = Arm(
        (case("a", order=0), case("b", order=0)), {"ns": 5.0, "yields": 2, "lacks": [9, 1], "told": told}
    )
    results = measured(tmp_path, Plan("tests.fake_lane", {}, (Block("one", (arm,)),)))
    assert results.failed == {case("b", order=0): "UNMEASURABLE: too few folios"}
    ((only, runs),) = results.runs.items()
    assert only.op == "a" and [run.metadata["gross"] for run in runs] == [7e-9] * 2


def test_a_lane_says_how_many_rounds_are_thrown_away(tmp_path: Path) -> None:
    """The value missing in the second turn is one of them, or is not."""
    arm = Arm((case("a", order=0),), {"ns": 5.0, "lacks": [2, 0]})
    plan_of_one = Plan("tests.fake_lane", {}, (Block("one", (arm,)),))
    assert measured(tmp_path / "two", plan_of_one).failed == {}
    unspared = dataclasses.replace(QUICK, warmups=0)
    assert measured(tmp_path / "none", plan_of_one, unspared).failed


def shares(tmp_path: Path, processes: int, done: int, running: dict[int, list[int]]) -> dict[int, list[int]]:
    """The blocks that each idle one of two CPUs is given; of six, all measured `done` times."""
    settings = dataclasses.replace(QUICK, processes=processes, cpus=(0, 1))
    wanted = plan({}, blocks=6)
    engine = Engine(wanted, settings, Journal.create(tmp_path, wanted, settings, {}), Silent())
    engine.done = dict.fromkeys(range(6), done)
    given: dict[int, list[int]] = {}

    def start(mode: str, cpu: int, blocks: list[int]) -> None:
        engine.workers.append(SimpleNamespace(cpu=cpu, blocks=set(blocks)))  # type: ignore[arg-type]
        given[cpu] = blocks

    for cpu, blocks in running.items():
        start("measure", cpu, blocks)
    engine._start = start  # type: ignore[method-assign,assignment]
    given.clear()
    engine._start_where_idle(processes)
    return given


@pytest.mark.parametrize(
    ("processes", "done", "running", "given"),
    [
        (8, 0, {}, {0: [0, 1, 2, 3, 4, 5], 1: [0, 1, 2, 3, 4, 5]}),
        (8, 6, {1: [0, 1, 2, 3, 4, 5]}, {0: [0, 1, 2, 3, 4, 5]}),
        (5, 4, {}, {0: [0, 1, 2], 1: [3, 4, 5]}),
        (5, 3, {1: [5]}, {0: [0, 1, 2, 3, 4, 5]}),
        (5, 4, {1: [4, 5]}, {0: [0, 1, 2]}),
        (5, 5, {}, {}),
    ],
)
def test_the_last_process_is_shared_out_among_idle_cpus(
    tmp_path: Path, processes: int, done: int, running: dict[int, list[int]], given: dict[int, list[int]]
) -> None:
    """So that no CPU waits for another; one before the last measures everything."""
    assert shares(tmp_path, processes, done, running) == given


def test_every_cpu_calibrates_a_part(tmp_path: Path) -> None:
    """And all blocks are, once."""
    wanted = plan({}, blocks=5)
    measured(tmp_path, wanted, dataclasses.replace(QUICK, processes=1))
    lines = [path.read_text().splitlines() for path in sorted(tmp_path.glob("worker-*.jsonl"))]
    blocks = [[json.loads(line)[1] for line in each if line.startswith('["tuning"')] for each in lines]
    assert sorted(filter(None, blocks)) == (
        [[0, 2, 4], [1, 3]] if len(QUICK.cpus) == 2 else [[0, 1, 2, 3, 4]]
    )


@pytest.mark.parametrize("deed", ["crash", "hang", "raise"])
def test_an_arm_that_cannot_run_costs_only_its_own_case(tmp_path: Path, deed: str) -> None:
    """The other cases of the block are complete, the bad one is listed with its reason."""
    results = measured(tmp_path, plan({}, {"does": deed}))
    assert sorted(case.name for case in results.runs) == sorted(
        [case("c0", variant="v0", order=0), case("c0", order=0, control="yardstick")]
    )
    (name, reason), *rest = results.failed.items()
    assert (name, rest) == (case("c0", variant="v1", order=0), [])
    expected = {"crash": "SIGSEGV", "hang": "no sign of life for 3 s", "raise": "refused with -EBUSY"}
    assert expected[deed] in reason


def test_a_block_that_crashes_in_its_rounds_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    """A crash after calibration is tried twice, then the block's cases are listed as failed."""
    good, bad = plan({}).blocks[0], plan({"does": "crash", "after": 10}).blocks[0]
    renamed = Block("bad", tuple(Arm((str(a.cases[0]).replace("c0", "c1"),), a.spec) for a in bad.arms))
    results = measured(tmp_path, Plan("tests.fake_lane", {}, (renamed, good)))
    assert {case.op for case in results.runs} == {"c0"}
    assert len(results.failed) == 2
    assert all("SIGSEGV" in reason for reason in results.failed.values())


def test_a_state_that_went_wrong_fails_the_case(tmp_path: Path) -> None:
    """What verify() raises is the reason."""
    results = measured(tmp_path, plan({}, {"wrong": True}))
    assert list(results.failed.values()) == ["RuntimeError: state went wrong"]


def test_a_spent_budget_keeps_what_is_complete(tmp_path: Path) -> None:
    """No process begins after the budget; what is missing is said."""
    settings = Settings(processes=50, rounds=40, budget=2.0, cpus=QUICK.cpus)
    results = measured(tmp_path, plan({"sleep": 0.005}), settings)
    processes = {len(runs) for runs in results.runs.values()}
    assert processes and max(processes) < 50


def _start(directory: Path) -> subprocess.Popen[bytes]:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from tests.test_engine import *\n"
        "wanted = plan({'sleep': 0.002}, {'sleep': 0.002}, blocks=3)\n"
        "measured(Path(sys.argv[2]), wanted)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script, str(ROOT), str(directory)], cwd=ROOT)


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.3, 1.8])
def test_a_killed_run_loses_nothing_and_resumes(tmp_path: Path, delay: float) -> None:
    """SIGKILL at any moment: every complete record stays, no worker survives, the rest is measured later."""
    directory = tmp_path / "run"
    running = _start(directory)
    while not (directory / "plan.json").exists():
        time.sleep(0.02)
    time.sleep(delay)
    running.send_signal(signal.SIGKILL)
    running.wait()
    _wait_for_the_killed(directory)
    before = {path.name: path.read_bytes() for path in directory.glob("worker-*.jsonl")}
    journal = Journal(directory)
    wanted, settings, _ = journal.header()
    results = assemble(wanted, settings, Engine(wanted, settings, journal, Silent()).run(), {})
    assert {len(runs) for runs in results.runs.values()} == {2}
    assert len(results.runs) == 9
    for name, content in before.items():
        assert (directory / name).read_bytes().startswith(content)


def _wait_for_the_killed(directory: Path) -> None:
    """The kernel kills workers at once, but on a busy machine they take a moment to go."""
    until = time.monotonic() + 1
    while still := _workers_of(directory):
        assert time.monotonic() < until, still
        time.sleep(0.02)


def _workers_of(directory: Path) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(directory) in str(status.readlink()):
                found.append(str(status))
        except OSError:
            continue
    return found


def test_an_interrupt_stops_the_workers_and_says_how_to_go_on(tmp_path: Path) -> None:
    """SIGINT ends in Interrupted, whose message holds the command that resumes."""
    directory = tmp_path / "run"
    running = _start(directory)
    while not list(directory.glob("worker-*.jsonl")):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) != 0
    _wait_for_the_killed(directory)


def test_a_worker_whose_parent_is_gone_measures_nothing(tmp_path: Path) -> None:
    """A parent killed while its worker starts leaves nobody to notice: the worker does."""
    journal = Journal.create(tmp_path, plan({}), QUICK, {})
    engine = Engine(plan({}), QUICK, journal, Silent())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    engine._start("calibrate", QUICK.cpus[0], [0], parent=gone.pid)
    assert engine.workers[0].process.wait(timeout=20) == -signal.SIGKILL
    assert not journal.worker_file(1).exists()


def test_what_a_killed_worker_left_is_swept(tmp_path: Path) -> None:
    """Its scratch directory; records stay."""
    wanted, kept = plan({}), "worker-001.jsonl"
    journal = Journal.create(tmp_path, wanted, QUICK, {})
    (tmp_path / "tmp1").mkdir()
    (tmp_path / "tmp1" / "guest.cpio").write_bytes(b"x")
    journal.worker_file(1).write_text('["at",0,-1]\n')
    Engine(wanted, QUICK, journal, Silent()).run()
    assert not (tmp_path / "tmp1").exists() and (tmp_path / kept).read_text() == '["at",0,-1]\n'


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    """Half a record at the end of a journal file is what a kill leaves."""
    wanted = plan({})
    journal = Journal.create(tmp_path, wanted, QUICK, {})
    journal.worker_file(1).write_text(json.dumps(["round", 0, [1.0, 2.0], {}]) + '\n["round",0,[1.0')
    assert len(journal.read().done[0][1].rounds) == 1
