"""Arms of several threads: a scene each, begun together, on CPUs of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from bench.lanes.model.arms import LEAST_SECONDS
from bench.lanes.model.scene_batch import SceneBatch
from kernels import scene
from kernels.memmap import get, put

JOINT_PASSES = 20  # some milliseconds, in which threads that have CPUs of their own meet


def usable() -> list[int]:
    """CPUs of the process that started this one, which is itself held on one of them."""
    try:
        return sorted(os.sched_getaffinity(os.getppid()))
    except OSError:
        return sorted(os.sched_getaffinity(0))


class ThreadedScene:
    """Several scenes timed at once; a value is the mean over threads of seconds per base page."""

    def __init__(self, batches: Sequence[SceneBatch]) -> None:
        self.batches = batches
        self.npages = batches[0].npages
        self.loops = 1
        self.overhead_ns = 0.0
        self.cpus = usable()
        self._start = batches[0].world.scratch.take(64)
        for batch in batches:
            put(batch.plan + scene.START, self._start)
            put(batch.plan + scene.THREADS, len(batches))

    def spend_extra(self, extra: int) -> None:
        """As of one thread, in every one."""
        for batch in self.batches:
            batch.spend_extra(extra)

    def nanoseconds(self, passes: int) -> tuple[float]:
        """Mean over threads of the time that so many passes took, all begun together."""
        for batch in self.batches:
            if len(batch.owned) == 1 and not batch.spec.what.undoes_itself:
                batch.reset()
        put(self._start, 0)
        others = [
            threading.Thread(target=self._pass, args=(batch, number, passes))
            for number, batch in enumerate(self.batches)
        ]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()
        return (sum(get(batch.plan + scene.NANOSECONDS) for batch in self.batches) / len(self.batches),)

    def _pass(self, batch: SceneBatch, number: int, passes: int) -> None:
        os.sched_setaffinity(0, {self.cpus[number % len(self.cpus)]})
        batch.pass_windows(passes)

    def run(self) -> tuple[float, ...]:
        """Seconds per base page."""
        return (self.seconds(0) / self.loops / self.npages,)

    def seconds(self, place: int) -> float:
        """Seconds of all passes, of one thread."""
        spent = self.nanoseconds(self.loops)[0] - self.overhead_ns * self.loops
        for batch in self.batches:
            batch.expect_success()
        return max(spent * 1e-9, LEAST_SECONDS)

    def verify(self) -> None:
        """Each scene by itself, then all at once, after which every folio must be as it was."""
        for batch in self.batches:
            batch.verify()
        self.nanoseconds(JOINT_PASSES)
        for batch in self.batches:
            batch.expect_first_state(f"{len(self.batches)} threads at once")
