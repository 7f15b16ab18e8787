"""The live lane for real, small: the kernel that runs the tests, from the command line to the table."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.case import Case
from bench.lanes.live import lane
from bench.lanes.live.machine import Machine
from tests.conftest import Cli
from tests.live import ORDER, lacking, state

SMALL = ("--lane", "live", "--processes", "2", "--rounds", "1", "--quiet")
SELECTED = (
    "fork",
    "munmap",
    "unmap_after_fork",
    "split_pmd",
    f"order=0,{ORDER},9",
    "kind=anon",
    "memory=16MiB",
)


REASON = lacking()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """A result file, measured once; the machine is as before."""
    directory, before = tmp_path_factory.mktemp("live"), state()
    outcome = Cli(cache_dir, directory)("run", *SELECTED, *SMALL, "--seed", "3", "-o", "live.json")
    assert outcome.code == 0, outcome.err
    assert state() == before
    return directory / "live.json"


def test_every_case_has_a_proven_value_or_a_reason(measured: Path) -> None:
    """Folios of the order, bits of the path, one VMA; nothing is a number without them."""
    loaded = results.load(measured)
    plain = [case for case in loaded.runs if not case.get("control")]
    assert {case.op for case in plain} >= {"munmap", "unmap_after_fork"}
    for case, runs in loaded.runs.items():
        for run in runs:
            said = run.metadata
            assert float(said["order_share"]) >= 0.99 and said["vmas"] == 1
            assert float(said["gross"]) > float(said["empty"]) >= 0
            even, odd = {"pte": (1, 0), "ptes": (1, 1)}.get(case.get("path"), (0, 0))
            assert (said["wp_even"], said["wp_odd"]) == (even, odd)
            if case.order == 9:
                assert said["by_pmd"] == (case.get("path") == "pmd")
    assert all(reason.startswith("UNMEASURABLE: ") for reason in loaded.failed.values())
    assert len(loaded.runs) + len(loaded.failed) == loaded.metadata["expected_cases"]


def test_controls_are_in_the_file(measured: Path) -> None:
    """The same arm twice, and one over a memory larger by a known part."""
    loaded = results.load(measured)
    munmap = Case.of("live", "munmap", path="ptes", order=ORDER, memory="16MiB")
    assert munmap.but(control="twin") in loaded.runs
    positive = munmap.but(control="positive")
    assert (loaded.note(positive, "extra_pages"), loaded.note(positive, "pages")) == (128, 4096)


def test_the_table_says_what_the_paths_are(measured: Path, cli: Cli) -> None:
    """Under every table that compares them; the positive control's true size is known."""
    text = cli("report", measured, "munmap").out
    said = " ".join(text.split())
    assert "this kernel's batching code meeting batches of one" in said
    assert "it is not the code of kernels before batching" in said
    assert "positive control:" in said and "of true +3.1 %" in said and "none measured" not in said
    assert f"{64}K default" in text and "2M pmd" in text
    assert cli("chart", measured, "-o", "charts").code == 0


def test_pyperf_reads_a_live_file(measured: Path) -> None:
    """Its values are seconds a page."""
    command = [sys.executable, "-m", "pyperf", "metadata", str(measured)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "lane: live" in done.stdout


def start(cli: Cli) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "run", *SELECTED, *SMALL, "--rounds", "50", "-o", "out.json"]
    return subprocess.Popen(command, cwd=cli.cwd, env=cli.environment(), stderr=subprocess.PIPE, text=True)


def family(pid: int) -> set[int]:
    """The processes below one, at this moment."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, below = {pid}, {pid}
    while below := {child for child, parent in parents.items() if parent in below} - found:
        found |= below
    return found - {pid}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_the_machine_as_it_was(cli: Cli, number: signal.Signals) -> None:
    """Settings are back, no process is left, and the next run may start."""
    before = state()
    process = start(cli)
    while not list(cli.cwd.glob("out.json.journal/worker-*.jsonl")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    time.sleep(random.Random().random() * 2)
    children = family(process.pid)
    process.send_signal(number)
    err = process.communicate(timeout=30)[1]
    assert process.returncode == (-number if number == signal.SIGKILL else 130), err
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)
    assert children and state() == before


# Measures what changes every kind of setting, again and again, until somebody ends it.
CHANGES = """
from bench.case import Filters
from bench.lanes.live import lane
from bench.lanes.live.session import open_session
words = ["fault", "ksm", "fork", "munmap", "order=0,4,9", "path=default,folio"]
plan = lane.plan(Filters.parse(words).select(lane.cases({})), {})
with lane.kept_machine():
    session = open_session(plan.setup, 1)
    print("begun", flush=True)
    while True:
        for block in plan.blocks:
            session.arm(block.arms[0].spec, None)._measured()
"""


def killed_while_changing(cli: Cli, delay: float) -> None:
    """Start the lane, kill it so many seconds after it began, wait until its watchdog is done."""
    command = [sys.executable, "-c", CHANGES]
    process = subprocess.Popen(command, cwd=cli.cwd, env=cli.environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "begun\n"
    children = family(process.pid)
    time.sleep(delay)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.02)


def test_every_setting_is_compared() -> None:
    """Read-ahead too, where a file with large folios can be made."""
    assert (any(path.endswith("read_ahead_kb") for path in state())) == bool(lane.machine().directory)
    assert any(path.endswith("hugepages-64kB/enabled") for path in state())


@pytest.mark.slow
@pytest.mark.long
def test_twenty_kills_leave_every_setting_as_it_was(cli: Cli) -> None:
    """Folio sizes, hugetlb pool, ksmd and read-ahead are changed all the time; SIGKILL at random moments."""
    before, moments = state(), random.Random(11)
    for _ in range(20):
        killed_while_changing(cli, moments.random())
        assert state() == before


def test_memory_that_became_scarce_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at before every value: then there is a reason with what would fit, and no request."""
    from bench.lanes.live import session as lane_session

    session = lane_session.Session({"select": {"anon": True}, "directory": ""})
    with session.workload:
        monkeypatch.setattr(lane_session, "fits", lambda *_: "needs 2 MiB, 1 MiB are available")
        monkeypatch.setattr(session, "ask", lambda **_: pytest.fail("it was taken"))
        spec = {"role": "case", "kind": "anon", "memory": "anon", "copies": 1, "path": "default", "order": 0,
                "shared": False, "bytes": 8 << 20, "ops": ["munmap"]}  # fmt: skip
        arm = session.arm(spec, {"loops": 1})
        assert arm.run() == (None,)
        assert arm.told() == [{"unmeasurable": "needs 2 MiB, 1 MiB are available"}]


@pytest.mark.parametrize(("memory", "beside"), [("anon", 1 << 20), ("shmem", 1 << 20), ("hugetlb", 0)])
def test_every_arm_takes_as_much_memory_as_the_largest(
    monkeypatch: pytest.MonkeyPatch, memory: str, beside: int
) -> None:
    """So that none alone takes pages that the others do not; not where it would have to be reserved."""
    from bench.lanes.live.session import Session

    asked: list[tuple[int, int]] = []

    def ask(**request: Any) -> dict[str, Any]:
        asked.append((request["bytes"], request["beside"]))
        return {"values": {}, "unmeasurable": {"munmap": "not asked"}}

    session = Session({"select": {memory: True}, "directory": ""})
    spec = {"kind": memory, "memory": memory, "copies": 1, "path": "ptes", "order": 4, "shared": False,
            "bytes": 32 << 20, "ops": ["munmap"]}  # fmt: skip
    with session.workload:
        monkeypatch.setattr(session, "ask", ask)
        for role in ("case", "twin", "positive"):
            session.arm({**spec, "role": role}, {"loops": 1}).run()
    assert asked == [(32 << 20, beside)] * 2 + [(33 << 20, 0)]


def anonymous(pid: int) -> int:
    """Bytes of anonymous memory that a process has."""
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("Anonymous:") + 1]) << 10


def test_memory_that_is_held_counts_as_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where exactly one memory fits, every arm of both rounds is measured, the larger control too."""
    from bench.lanes.live.session import Session

    session, size = Session({"select": {"anon": True}, "directory": ""}), 32 << 20
    pid, least = session.workload._process.pid, int(size * 1.1) + (64 << 20)
    monkeypatch.setattr(Machine, "available", lambda _: least - anonymous(pid))
    spec = {"kind": "anon", "memory": "anon", "copies": 1, "order": 0, "shared": True, "bytes": size,
            "ops": ["exit"]}  # fmt: skip
    roles = [("case", "ptes"), ("case", "default"), ("positive", "ptes")]
    with session.workload:
        arms = [session.arm({**spec, "role": role, "path": path}, {"loops": 1}) for role, path in roles]
        for arm in (*arms, *arms):
            arm.run()
        assert [arm.told()[0].get("unmeasurable") for arm in arms] == [None] * 3


def test_a_second_run_is_refused(cli: Cli) -> None:
    """Exit code 4, one sentence; nothing of the first is disturbed."""
    process = start(cli)
    try:
        while not list(cli.cwd.glob("out.json.journal/worker-*.jsonl")):
            assert process.poll() is None
            time.sleep(0.02)
        outcome = cli("run", *SELECTED, *SMALL, "-o", "second.json")
        assert outcome.code == 4
        assert f"another live run is at work (process {process.pid}" in outcome.err
        assert outcome.err.count("\n") == 1
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "memory=4096GiB"), "would fit"),
        (("run", "memory=1GB"), "multiple of 4 MiB"),
        (("run", "order=11", "memory=16MiB"), "unknown order '11'; valid: 0, "),
        (("run", "frok"), "unknown operation 'frok'"),
        (("list", "path=both"), "unknown path 'both'"),
        (("list", "--variants"), "variants are the model's"),
        (("run", "--variant", "a=b.py"), "variants are the model's"),
    ],
)
def test_bad_requests_are_one_sentence(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, before anything is measured."""
    outcome = cli(*arguments, "--lane", "live")
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert words in outcome.err and outcome.err.count("\n") == 1


def test_operations_on_every_kind_of_memory_work() -> None:
    """What this machine says it can measure, it measures: each operation once, without engine."""
    from bench.lanes.live.session import open_session

    chosen = [case for case in lane.cases({}) if case.order in (0, 9)]
    plan = lane.plan(chosen, {})
    with lane.kept_machine():
        session = open_session(plan.setup, 1)
        with session.workload:
            for arm in (arm for block in plan.blocks for arm in block.arms if arm.spec["role"] == "case"):
                found = session.arm(arm.spec, None)._measured()
                assert found["unmeasurable"] == {}, (arm.cases, json.dumps(found["unmeasurable"]))
