"""A measuring process: takes a job from its standard input, appends what it measures to its journal file.

Started as `python -m bench.measure.worker`; it prints nothing and dies with its parent.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bench.measure.affinity import Counters, die_with_parent, pin
from bench.measure.journal import Writer
from bench.measure.plan import Block, Plan


class Timed(Protocol):
    """An arm ready to run: `run` times one batch and gives seconds per base page for each case.

    An arm may also have `told()`: for each case what to keep of this process, once all rounds are over.
    """

    def run(self) -> tuple[float | None, ...]:
        """Time one batch; None for a case that has no value."""
        ...

    def verify(self) -> None:
        """Raise if the memory worked on is not in the state it must be in after any number of batches."""
        ...


class Session(Protocol):
    """What a lane's `open_session(setup, process)` returns.

    One that cannot run an arm by itself has `measure(plan, job, write)`, which appends the records of all
    the job's blocks (see bench.measure.journal).
    """

    def build(self, part: int, parts: int) -> None:
        """Compile one part of what the plan needs."""
        ...

    def calibrate(self, specs: list[dict[str, Any]], batch_ns: int) -> list[Any]:
        """Find the loops of each arm; each was seen to run alone."""
        ...

    def arm(self, spec: dict[str, Any], tuning: Any) -> Timed:
        """Make an arm ready."""
        ...

    def facts(self) -> dict[str, Any]:
        """Scalars worth keeping about the run."""
        ...

    def process_facts(self) -> dict[str, Any]:
        """Scalars worth keeping about this process: what it varies on purpose."""
        ...


def main() -> None:
    """Do the job that standard input describes."""
    job = json.loads(sys.stdin.read())
    die_with_parent(job["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    if job["cpu"] is not None:
        pin(job["cpu"])
    plan = Plan.from_json(job["plan"])
    write = Writer(Path(job["out"]))
    session: Session = importlib.import_module(plan.lane).open_session(plan.setup, job["number"])
    gc.disable()
    _MODES[job["mode"]](session, plan, job, write)
    write("end")


def _build(session: Session, plan: Plan, job: dict[str, Any], write: Writer) -> None:
    session.build(job["part"], job["parts"])


def _calibrate(session: Session, plan: Plan, job: dict[str, Any], write: Writer) -> None:
    for number in job["blocks"]:
        write("tuning", number, _calibrate_block(session, plan.blocks[number], number, job, write))
    write("facts", session.facts())


def _calibrate_block(
    session: Session, block: Block, number: int, job: dict[str, Any], write: Writer
) -> list[Any]:
    """Try each arm alone first: one that crashes the process is known by its "at" record."""
    skip = {arm for at, arm in job["skip"] if at == number}
    working = []
    for index, arm in enumerate(block.arms):
        if index in skip:
            continue
        write("at", number, index)
        try:
            session.arm(arm.spec, None).run()
            working.append(index)
        except Exception as error:
            write("failed", number, index, f"{type(error).__name__}: {error}")
    tuned = session.calibrate([block.arms[index].spec for index in working], job["batch_ns"])
    by_index = dict(zip(working, tuned))
    return [by_index.get(index) for index in range(len(block.arms))]


def _measure(session: Session, plan: Plan, job: dict[str, Any], write: Writer) -> None:
    if whole := getattr(session, "measure", None):
        whole(plan, job, write)
        return
    for number in job["blocks"]:
        _measure_block(session, plan.blocks[number], number, job, write)


def _measure_block(session: Session, block: Block, number: int, job: dict[str, Any], write: Writer) -> None:
    arms = _ready_arms(session, block, number, job, write)
    rng = random.Random(f"{job['seed']}/{job['number']}/{number}")
    write("at", number, -1)
    for turn in range(-job["warmups"], job["rounds"]):
        before = Counters.now(job["cpu"])
        values = _round(block, number, arms, rng, write)
        met = dataclasses.asdict(Counters.now(job["cpu"]) - before)
        if turn >= 0:
            write("round", number, values, {name: count for name, count in met.items() if count})
    for index, arm in arms.items():
        _guarded(arm.verify, number, index, write)
        if told := getattr(arm, "told", None):
            write("told", number, index, told())
    write("done", number, session.process_facts())


def _ready_arms(
    session: Session, block: Block, number: int, job: dict[str, Any], write: Writer
) -> dict[int, Timed]:
    skip = {arm for at, arm in job["skip"] if at == number}
    arms = {}
    for index, tuning in enumerate(job["tuning"][str(number)]):
        if tuning is not None and index not in skip:
            write("at", number, index)
            arms[index] = session.arm(block.arms[index].spec, tuning)
    return arms


def _round(
    block: Block, number: int, arms: dict[int, Timed], rng: random.Random, write: Writer
) -> list[float | None]:
    """Every arm once, in random order; values in the order of the plan, to six digits (None: none)."""
    order = list(arms)
    rng.shuffle(order)
    timed: dict[int, tuple[float | None, ...]] = {}
    for index in order:
        got = _guarded(arms[index].run, number, index, write)
        if got is None:
            del arms[index]
        else:
            timed[index] = got
    values: list[float | None] = []
    for index, planned in enumerate(block.arms):
        row = timed.get(index, (None,) * len(planned.cases))
        wanted = (value if case else None for case, value in zip(planned.cases, row))
        values += [None if value is None else float(f"{value:.6g}") for value in wanted]
    return values


def _guarded(step: Callable[[], Any], block: int, arm: int, write: Writer) -> Any:
    """The step's result; None, and the arm recorded as failed, if it raises."""
    try:
        return step()
    except Exception as error:
        write("failed", block, arm, f"{type(error).__name__}: {error}")
        return None


_MODES = {"build": _build, "calibrate": _calibrate, "measure": _measure}

if __name__ == "__main__":
    main()
