"""The engine: builds, calibrates and measures a plan in fresh worker processes, one a CPU, into a journal."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from bench.errors import BenchError, Interrupted
from bench.measure import own
from bench.measure.journal import Journal, Reader, State
from bench.measure.plan import Plan, Settings, yardstick_column
from bench.measure.rounds import MIN_ROUNDS, kept_rounds
from bench.measure.running import Worker

POLL = 0.05  # seconds between two looks at the workers
CRASHES = 2  # of a block during its rounds before it is given up


class Progress(Protocol):
    """Where the engine says how far it is."""

    def update(self, stage: str, done: int, total: int) -> None:
        """Stage name and units done of all units."""
        ...


class Engine:
    """Carries out one plan; everything it learns is in the journal."""

    def __init__(self, plan: Plan, settings: Settings, journal: Journal, progress: Progress) -> None:
        self.plan, self.settings, self.journal, self.progress = plan, settings, journal, progress
        self.state = journal.read()
        self.number = self.state.processes
        self.workers: list[Worker] = []
        self.done = {block: self._completed(block) for block in range(len(plan.blocks))}
        self.crashes: dict[int, int] = {}
        self.started = time.monotonic()
        self.durations: list[float] = []

    def run(self, replace: bool = True) -> State:
        """Measure what the journal lacks, and with `replace` again what was disturbed.

        The workers are gone when this returns or raises.
        """
        with self._stoppable():
            self.journal.sweep()
            if self._missing(self.settings.processes):
                self._build()
                self._calibrate()
                self._measure(self.settings.processes)
                if replace:
                    self._replace()
        return self.journal.read()

    def more(self, blocks: Sequence[int], most: int) -> State:
        """After run(): each of these blocks in one more process a CPU, but in no more than `most` in all."""
        with self._stoppable():
            for cpu in self.settings.cpus:
                lacking = [block for block in self._missing(most) if block in blocks]
                if lacking and self._fits():
                    self._start("measure", cpu, lacking)
            while self.workers and not self._out_of_time():
                self._hear()
                self.progress.update("measure", len(self.done) - len(blocks), len(self.done))
        return self.journal.read()

    @property
    def out_of_time(self) -> bool:
        """Is the budget spent, or too little of it left for another process?"""
        return self._out_of_time() or not self._fits()

    def _completed(self, block: int) -> int:
        return sum(measured.complete for measured in self.state.done.get(block, {}).values())

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into Interrupted, and leave no worker behind in any case."""

        def stop(signum: int, frame: object) -> None:
            raise Interrupted(
                f"interrupted; everything measured so far is in {self.journal.directory}, "
                f"go on with: rmapbench run --resume {self.journal.directory}"
            )

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for worker in self.workers:
                worker.process.kill()
                worker.process.wait()
            for number, handler in before.items():
                signal.signal(number, handler)

    # Stages

    def _build(self) -> None:
        """Compile once, before anything is timed, each part in one process."""
        cpus = self.settings.cpus
        for part, cpu in enumerate(cpus):
            self._start("build", cpu, [], part=part, parts=len(cpus))
        while self.workers:
            for worker in self._finished():
                if not worker.ended:
                    raise _broken("the kernels could not be compiled", worker.last_words())
            self.progress.update("compile", len(cpus) - len(self.workers), len(cpus))

    def _calibrate(self) -> None:
        """Find the loops of every arm, once for all processes."""
        total = len(self.plan.blocks)
        while missing := [block for block in range(total) if block not in self.state.tuning]:
            for part, cpu in enumerate(self.settings.cpus[: len(missing)]):
                self._start("calibrate", cpu, missing[part :: len(self.settings.cpus)])
            while self.workers:
                for worker in self._finished():
                    self._bury(worker)
                self.progress.update("calibrate", len(self.state.tuning), total)

    def _measure(self, processes: int, stage: str = "measure") -> None:
        """Fresh processes over all blocks that lack some, one a CPU at a time."""
        total = processes * len(self.plan.blocks)
        while self._missing(processes) or self.workers:
            if self._out_of_time():
                return
            self._start_where_idle(processes)
            if not self.workers:
                return
            self._hear()
            self.progress.update(stage, sum(self.done.values()), total)

    def _start_where_idle(self, processes: int) -> None:
        """A process on every idle CPU, over no more blocks than make all CPUs finish together."""
        busy = {worker.cpu for worker in self.workers}
        for cpu in self.settings.cpus:
            lacking = self._missing(processes)
            if cpu not in busy and lacking and self._fits():
                left = sum(processes - self.done[block] for block in lacking)
                begun = sum(len(worker.blocks - set(lacking)) for worker in self.workers)
                self._start("measure", cpu, lacking[: -(-(left + begun) // len(self.settings.cpus))])

    def _hear(self) -> None:
        """Of measuring workers that are over."""
        for worker in self._finished():
            self.durations.append(time.monotonic() - worker.begun)
            self._bury(worker)

    def _replace(self) -> None:
        """Measure a block once more for every process whose rounds the yardstick drop rule took away."""
        for block, usable in self._undisturbed().items():
            self.done[block] = usable
        self._measure(self.settings.processes, "measure again what was disturbed")

    def _undisturbed(self) -> dict[int, int]:
        """Of every block that has a yardstick, the processes with enough quiet rounds."""
        usable = {}
        for number, measured in self.journal.read().done.items():
            column = yardstick_column(self.plan, number)
            if column is not None:
                rows = [[row[column] for row in m.rounds] for m in measured.values() if m.complete]
                usable[number] = sum(sum(kept) >= MIN_ROUNDS for kept in kept_rounds(rows))
        return usable

    # What is left to do

    def _missing(self, processes: int) -> list[int]:
        """Blocks that fewer processes have measured, or are measuring, than are wanted."""
        return [
            block
            for block, done in self.done.items()
            if done + self._running(block) < processes and self.crashes.get(block, 0) < CRASHES
        ]

    def _running(self, block: int) -> int:
        """How many workers are about to measure it."""
        return sum(block in worker.blocks for worker in self.workers)

    def _out_of_time(self) -> bool:
        budget = self.settings.budget
        return budget is not None and time.monotonic() - self.started > budget

    def _fits(self) -> bool:
        """Is there time for one more process, going by the fastest finished so far?"""
        if self.settings.budget is None or not self.durations:
            return True
        return time.monotonic() - self.started + min(self.durations) <= self.settings.budget

    # Workers

    def _start(self, mode: str, cpu: int, blocks: list[int], **more: Any) -> None:
        self.number += 1
        out = self.journal.worker_file(self.number)
        job = {
            "mode": mode, "cpu": cpu, "blocks": blocks, "number": self.number, "out": str(out),
            "plan": dataclasses.asdict(self.plan), "skip": list(self.state.failed),
            "tuning": self.state.tuning, "rounds": self.settings.rounds, "seed": self.settings.seed,
            "batch_ns": self.settings.batch_ns, "warmups": self.settings.warmups,
            "timeout": self.settings.timeout, "parent": os.getpid(), **more,
        }  # fmt: skip
        stderr = out.with_suffix(".err")
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                own.command("bench.measure.worker"),
                env=own.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
        self.workers.append(Worker(self.number, mode, cpu, process, Reader(out), stderr, set(blocks)))

    def _finished(self) -> list[Worker]:
        """Wait a little, listen to every worker, and give those that are over."""
        time.sleep(POLL)
        over = []
        for worker in list(self.workers):
            gone = worker.process.poll() is not None
            self._listen(worker)
            if not gone and time.monotonic() - worker.heard > self._patience(worker):
                worker.process.kill()
                worker.process.wait()
                worker.stderr.write_text(f"no sign of life for {self.settings.timeout:g} s")
                gone = True
            if gone:
                self.workers.remove(worker)
                over.append(worker)
        return over

    def _patience(self, worker: Worker) -> float:
        """Compiling says nothing until it is done."""
        return self.settings.timeout * (10 if worker.mode == "build" else 1)

    def _listen(self, worker: Worker) -> None:
        for kind, *rest in worker.reader():
            worker.heard = time.monotonic()
            if kind == "at":
                worker.at = (rest[0], rest[1])
            elif kind == "tuning":
                self.state.tuning[rest[0]] = rest[1]
            elif kind == "failed":
                self.state.failed[rest[0], rest[1]] = rest[2]
            elif kind == "done":
                worker.blocks.discard(rest[0])
                self.done[rest[0]] += 1
            elif kind == "end":
                worker.ended = True

    def _bury(self, worker: Worker) -> None:
        """Blame what a worker that did not end by itself was doing."""
        if worker.ended:
            worker.stderr.unlink(missing_ok=True)
            return
        block, arm = worker.at
        reason = worker.last_words()
        if block < 0:
            raise _broken("a worker could not start", reason)
        if arm >= 0:
            self._fail(worker.number, block, arm, reason)
            return
        self.crashes[block] = self.crashes.get(block, 0) + 1
        if self.crashes[block] >= CRASHES:
            for index in range(len(self.plan.blocks[block].arms)):
                self._fail(worker.number, block, index, reason)

    def _fail(self, number: int, block: int, arm: int, reason: str) -> None:
        self.state.failed[block, arm] = reason
        self.journal.fail(number, block, arm, reason)


def _broken(what: str, why: str) -> BenchError:
    return BenchError(f"{what}: {why}; mend that, then go on (`rmapbench run --resume`) or start anew")
