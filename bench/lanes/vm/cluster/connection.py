"""Dask distributed as far as it is used: a scheduler's client, a cluster of this machine, a task's worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
from distributed.core import Status

from bench.errors import LaneUnavailable, UsageError

LOCAL = "local"
TIMEOUT = 10.0  # seconds for a scheduler to answer, and for a first worker to be there
MOMENT = 2.0  # seconds for handing over what is there already
WORKER_COMMAND = "dask worker --nworkers -1 --nthreads 1"
LOST = ("cancelled", "lost")  # what becomes of a future when the scheduler is gone

Future = distributed.Future


@dataclass(frozen=True)
class Killed:
    """What comes of a task each of whose workers was lost, one after the other."""

    workers: int


class Connection:
    """A scheduler, and through it the workers."""

    def __init__(self, client: distributed.Client, where: str) -> None:
        self._client, self.where = client, where

    def workers(self) -> list[str]:
        """Addresses of the workers that are there now."""
        with self._answering():
            return sorted(self._client.nthreads())

    def everywhere(
        self, function: Callable[..., Any], *args: Any, workers: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """What a function gives or raises on each worker, by address; beside what runs there."""
        chosen = None if workers is None else list(workers)
        with self._answering():
            return self._client.run(function, *args, workers=chosen, on_error="return")

    def submit(self, function: Callable[..., Any], *args: Any, key: str, prefer: str = "") -> Future:
        """Have a function run by a worker; if that is lost, by another one."""
        chosen = {"workers": [prefer], "allow_other_workers": True} if prefer else {}
        with self._answering():
            return self._client.submit(function, *args, key=key, pure=False, retries=1, **chosen)

    def outcome(self, future: Future) -> Any:
        """What a future came to: a result, the exception raised, or Killed; None while it has not."""
        if future.status in LOST:
            raise self._gone()
        if not future.done():
            return None
        try:
            return future.result(timeout=MOMENT)
        except TimeoutError:  # its worker was lost with it: it is made anew
            return None
        except asyncio.CancelledError:
            raise self._gone() from None
        except distributed.KilledWorker as error:
            return Killed(error.allowed_failures + 1)
        except Exception as error:
            return error

    def cancel(self, futures: Sequence[Future]) -> None:
        """Workers are to stop what they do for these."""
        with contextlib.suppress(Exception):  # without a scheduler they stop by themselves
            self._client.cancel(list(futures), force=True)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (OSError, TimeoutError, asyncio.CancelledError, RuntimeError):
            raise self._gone() from None

    def _gone(self) -> LaneUnavailable:
        return LaneUnavailable(f"--cluster {self.where}: the scheduler is gone; start it again")


@contextmanager
def connected(where: str, processes: int) -> Iterator[Connection]:
    """A connection to the scheduler at an address, or to one made here with so many workers."""
    with _quiet(), contextlib.ExitStack() as stack:
        address = stack.enter_context(_own_cluster(processes)) if where == LOCAL else where
        client = stack.enter_context(_client(where, address))
        connection = Connection(client, where)
        _wait_for_workers(connection)
        yield connection


@contextmanager
def _client(where: str, address: Any) -> Iterator[distributed.Client]:
    try:
        if where == address:  # a client waits without end for one who listens and never speaks
            asyncio.run(asyncio.wait_for(_greet(address), TIMEOUT))
        client = distributed.Client(address, timeout=TIMEOUT, set_as_default=False, name="rmapbench")
    except Exception as error:
        raise UsageError(
            f"--cluster {where}: no scheduler answers there ({_first_line(error)}); "
            "start one with `dask scheduler` and give its address"
        ) from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=TIMEOUT)


async def _greet(address: str) -> None:
    """Ask who is there; an error if it is nobody, or no scheduler."""
    security = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, timeout=TIMEOUT, connection_args=security) as there:
        identity = await there.identity()
    if identity["type"] != "Scheduler":
        raise ValueError(f"but a {identity['type'].lower()} does")


def _first_line(error: Exception) -> str:
    return (str(error) or f"nothing said for {TIMEOUT:g} s").splitlines()[0]


@contextmanager
def _own_cluster(processes: int) -> Iterator[distributed.LocalCluster]:
    """Processes of this machine, which end with this one; guests need memory, they do not."""
    with tempfile.TemporaryDirectory(prefix="rmapbench-") as directory:
        with _deaf_to_interrupts():
            cluster = distributed.LocalCluster(
                n_workers=processes, threads_per_worker=1, processes=True, memory_limit=0, host="127.0.0.1",
                dashboard_address=None, silence_logs=logging.CRITICAL, local_directory=directory,
                scheduler_kwargs={"local_directory": directory},
            )  # fmt: skip
        try:
            yield cluster
        finally:
            with contextlib.suppress(Exception):
                cluster.close(timeout=TIMEOUT)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started here never hears an interrupt; this process does afterwards, nothing is lost.

    A terminal interrupts workers too, which would end with a traceback before this program has said anything.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # ignored, it waits all the same
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which processes inherit, from any thread
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_for_workers(connection: Connection) -> None:
    until = time.monotonic() + TIMEOUT
    while not connection.workers():
        if time.monotonic() > until:
            raise UsageError(
                f"--cluster {connection.where}: the scheduler has no workers; "
                f"start some with: {WORKER_COMMAND} {connection.where}"
            )
        time.sleep(0.2)


@contextmanager
def _quiet() -> Iterator[None]:
    """What distributed logs about connections, this program says in its own words."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions that matter are compared
        try:
            yield
        finally:
            logging.disable(before)


class Here:
    """The worker that the running task is on."""

    def __init__(self) -> None:
        self._worker = distributed.get_worker()
        self._key = self._worker.get_current_task()

    @property
    def address(self) -> str:
        """As the scheduler knows it."""
        return str(self._worker.address)

    @property
    def directory(self) -> Path:
        """Its own, which goes when it does."""
        return directory_of(self._worker)

    def wanted(self) -> bool:
        """Is the task's result still asked for? Who asked may be gone, or the scheduler."""
        task = self._worker.state.tasks.get(self._key)
        alive = self._worker.status in (Status.running, Status.paused, Status.closing_gracefully)
        return alive and task is not None and task.state != "cancelled"

    def elsewhere(self) -> Exception:
        """To raise where this worker cannot go on: another one takes the task, if it is still wanted."""
        return distributed.Reschedule()


def directory_of(worker: Any) -> Path:
    """The directory of a worker."""
    return Path(worker.local_directory)
