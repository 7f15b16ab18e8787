"""Boots on a cluster's workers: one a worker at once; files they lack are sent; lost ones are made anew."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError, LaneUnavailable, UsageError
from bench.lanes.vm.cluster import fitness, remote
from bench.lanes.vm.cluster.connection import WORKER_COMMAND, Connection, Future, Killed
from bench.lanes.vm.cluster.fitness import Found
from bench.lanes.vm.cluster.remote import Booted, Order

LOOK = 2.0  # seconds between two looks who is there


@dataclass
class Flight:
    """An order that some worker is carrying out."""

    order: Order
    future: Future
    begun: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Came:
    """An order that is carried out, or the reason why it cannot be."""

    order: Order
    seconds: float
    booted: Booted
    reason: str = ""


def qualified(connection: Connection, programs: Iterable[str]) -> Found:
    """What the workers are, all alike; an error naming the one that is not."""
    wanted: Found | None = None
    for address, found in sorted(connection.everywhere(fitness.examined, tuple(programs)).items()):
        if isinstance(found, OSError):
            continue  # lost while it was asked
        if wanted is None:
            wanted = fitness.examined((), like=found)
        if wrong := fitness.unfit(address, found, wanted):
            raise wrong
    if wanted is None:
        raise UsageError(
            f"--cluster {connection.where}: its workers are gone; start some with: {WORKER_COMMAND}"
        )
    return wanted


class Fleet:
    """The workers, as far as they have something to do for this run."""

    def __init__(self, connection: Connection, files: Mapping[str, Path | bytes], patience: float) -> None:
        self._connection, self._files, self._patience = connection, files, patience
        self._run, self._started = uuid.uuid4().hex[:12], 0
        self._flights: list[Flight] = []
        self._size, self._looked, self._seen = 0, 0.0, time.monotonic()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        """No guest runs on for somebody who is not there."""
        self._connection.cancel([flight.future for flight in self._flights])

    @property
    def busy(self) -> bool:
        """Is an order on its way?"""
        return bool(self._flights)

    def has_room(self) -> bool:
        """Has a worker nothing to do? An error if there has been none for too long."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked, self._size = now, len(self._connection.workers())
            self._seen = now if self._size else self._seen
        if not self._size and now - self._seen > self._patience:
            raise LaneUnavailable(
                f"--cluster {self._connection.where}: no worker for {self._patience:g} s; "
                f"start some with: {WORKER_COMMAND} {self._connection.where}"
            )
        return len(self._flights) < self._size

    def start(self, order: Order, prefer: str = "") -> None:
        """Hand out an order."""
        self._started += 1
        key = f"rmapbench-{self._run}-{order.job['number']}-{order.kernel}-{self._started}"
        future = self._connection.submit(remote.boot, order, key=key, prefer=prefer)
        self._flights.append(Flight(order, future))

    def finished(self) -> Iterator[Came]:
        """The orders that are over; files are sent to workers that lack some."""
        for flight in list(self._flights):
            outcome = self._connection.outcome(flight.future)
            if outcome is None:
                continue
            self._flights.remove(flight)
            seconds = time.monotonic() - flight.begun
            if not isinstance(outcome, Booted):
                yield Came(flight.order, seconds, Booted(""), _why(outcome))
            elif outcome.found:
                raise _unfit(outcome, flight.order)
            elif outcome.lacks:
                self._send(outcome)
                self.start(flight.order, outcome.worker)
            else:
                yield Came(flight.order, seconds, outcome)

    def _send(self, outcome: Booted) -> None:
        """The files a worker lacks; if it is lost meanwhile, it needs none."""
        files = {name: self._read(name) for name in outcome.lacks}
        answer = self._connection.everywhere(remote.keep, files, workers=[outcome.worker]).get(outcome.worker)
        if isinstance(answer, OSError) and answer.filename:
            raise LaneUnavailable(
                f"worker {outcome.worker}: {answer.filename} cannot be written there ({answer.strerror}); "
                "make room for kernels"
            )

    def _read(self, name: str) -> bytes:
        given = self._files[name]
        data = given if isinstance(given, bytes) else given.read_bytes()
        if remote.content(data) != name:
            raise UsageError(f"{given!s:.200}: changed while kernels were booted; give an image that stays")
        return data


def _unfit(outcome: Booted, order: Order) -> BenchError:
    """The error for a worker that came later, and is other than it must be."""
    wrong = fitness.unfit(outcome.worker, outcome.found, order.fit)
    return wrong or UsageError(f"worker {outcome.worker} has changed meanwhile; start it again")


def _why(outcome: Any) -> str:
    if isinstance(outcome, Killed):
        return f"{outcome.workers} workers were lost, one after the other, each while it booted this kernel"
    return f"its measuring process failed on a worker ({outcome})"
