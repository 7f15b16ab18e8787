"""Whatever a guest prints on its serial console, its run ends with true figures, or with a reason."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from bench import results
from bench.lanes.vm import boot, lane, session
from bench.lanes.vm.console import MARK, Console
from bench.measure.journal import Journal, Writer
from bench.measure.plan import Plan, Settings
from tests.fake_qemu import answer
from tests.fuzzing import AMOUNTS, fuzz, spoiled_bytes, watched
from tests.vm import bzimage, record

ROUNDS = 2
CONSOLE = Path(__file__).parent / "golden" / "console"
LINES = [line for path in sorted(CONSOLE.glob("*.txt")) for line in path.read_bytes().splitlines()]
NOISE = [line for line in LINES if MARK.encode() not in line]  # a kernel knows no checks of records
EXIT_CODES = (0, 1, -9)  # of QEMU; the last is of one that was silent for too long
Record = dict[str, Any]


class Log(NamedTuple):
    """What a guest printed, how it arrived, and how QEMU ended."""

    text: bytes
    step: int
    code: int


class Run:
    """One boot of a kernel that is asked for the cost of fork; what it prints is given."""

    def __init__(self, directory: Path) -> None:
        self.output, self.place = directory / "vm.json", directory / "vm.journal"
        words = {"variant": None, "accel": None, "fast": True}
        guests = lane.extra(argparse.Namespace(**words, kernel=[f"k={bzimage(directory / 'k')}"]))
        chosen = [case for case in lane.cases(guests) if case.op == "fork" and not case.get("kind")]
        chosen = [case for case in chosen if case.order in (0, 3, 9)]
        plan = dataclasses.asdict(lane.plan(chosen, guests))
        self.plan = Plan.from_json(json.loads(json.dumps(plan)))
        self.session = session.open_session(self.plan.setup, 1)
        self.job = {
            "blocks": list(range(len(self.plan.blocks))), "rounds": ROUNDS, "skip": [], "seed": 7,
            "number": 1, "timeout": 9.0, "out": str(self.place / "worker-001.jsonl"),
        }  # fmt: skip

    def records(self) -> list[Record]:
        """What a guest says that does as it is told."""
        asked = self.session.requests(self.plan, self.job)["k"]
        answers = (answer(request.as_job(counts=True), "k") for request in asked)
        told = [{"job": number, "answer": found} for number, found in enumerate(answers)]
        return [{"guest": {"kernel": "6.12"}, "clock": 570}, *told, {"end": True}]

    def ended(self) -> tuple[int, str]:
        """Exit code and message of the run, from its boot to its end."""
        metadata = {"lane": "vm", "figure": "instructions"}
        header = {"metadata": metadata, "output": str(self.output), "force": True}
        settings = Settings(processes=1, rounds=ROUNDS)
        self.output.unlink(missing_ok=True)
        write = Writer(Journal.create(self.place, self.plan, settings, header, force=True).worker_file(1))
        for index, block in enumerate(self.plan.blocks):
            write("tuning", index, self.session.calibrate([arm.spec for arm in block.arms], 0))
        self.session.measure(self.plan, self.job, write)
        code, _, said = watched("run", "--resume", str(self.place), "--quiet")
        return code, said

    def figures(self) -> dict[str, list[float]]:
        """The values that were saved, by case."""
        if not self.output.exists():
            return {}
        return {case.name: list(runs[0].values) for case, runs in results.load(self.output).runs.items()}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose guest is `Run.log`."""
    given = Run(tmp_path)
    monkeypatch.setattr(session.initramfs, "base", lambda root: b"")
    return given


def prints(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """From now on every guest does."""

    def booted(jobs: Sequence[boot.Job], at_once: int, silence: float, tell: boot.Listener) -> dict[str, Any]:
        return {job.name: heard(job, silence, tell) for job in jobs}

    def heard(job: boot.Job, silence: float, tell: boot.Listener) -> boot.Outcome:
        console = Console()
        for at in range(0, len(log.text), log.step):
            if records := console.feed(log.text[at : at + log.step]):
                tell(job.name, records)
        job.log.write_bytes(log.text)
        console.feed(b"\n")
        return boot.Outcome(console, boot.reason_of(console, log.code, silence))

    monkeypatch.setattr(boot, "run", booted)


def whole(records: Sequence[Record]) -> bytes:
    """A log of nothing but the records."""
    return "".join(f"\n{record(number, said)}\n" for number, said in enumerate(records)).encode()


@st.composite
def among_lines(draw: st.DrawFn, text: bytes) -> bytes:
    """The log's lines with the kernel's between and within them, some twice, some lost, some elsewhere."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        within = draw(st.integers(0, len(lines[at])))
        noise = draw(st.sampled_from(NOISE) | st.binary(max_size=60))
        kind = draw(st.sampled_from(["between", "within", "twice", "lost", "moved"]))
        if kind == "within":
            lines[at] = lines[at][:within] + noise + b"\n" + lines[at][within:]
        elif kind == "moved":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        else:
            instead = {"between": [noise, lines[at]], "twice": [lines[at]] * 2, "lost": [b""]}
            lines[at : at + 1] = instead[kind]
    return b"\n".join(lines) + b"\n"


def logs(text: bytes) -> st.SearchStrategy[Log]:
    """The log, spoiled, arriving in pieces of some size."""
    spoiled = among_lines(text) | spoiled_bytes(text) | among_lines(text).flatmap(spoiled_bytes)
    return st.builds(Log, spoiled, st.sampled_from([1, 7, 256, 1 << 16]), st.sampled_from(EXIT_CODES))


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_serial_log_is_answered(amount: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are those of the whole log, or there are none and the reason is said."""
    text = whole(run.records())
    prints(monkeypatch, Log(text, 256, 0))
    assert run.ended()[0] == 0
    true = run.figures()
    assert len(true) == 7  # order 3 is what the kernel lacks

    def check(log: Log) -> int:
        prints(monkeypatch, log)
        code, said = run.ended()
        found = run.figures()
        assert found.items() <= true.items()
        assert code == (0 if found else 6), said
        return code

    fuzz(amount, logs(text), check)
