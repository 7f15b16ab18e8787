"""What tests of clusters share: a real scheduler and real workers on loopback, whose QEMU boots nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.measure.journal import Reader
from tests.conftest import ROOT

PATIENCE = 120  # seconds for something that takes two on an idle machine


def until(seen: Callable[[], bool], what: str) -> None:
    """Wait for it; it is an error if it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def program(
    module: str, *words: str, directory: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Dask's, which is gone in the end."""
    command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    with (directory / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scheduler(directory: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler; its address."""
    said = directory / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(said))
    with program("dask_scheduler", *words, directory=directory, env={}) as process:
        until(lambda: said.exists() and said.read_text().rstrip().endswith("}"), "no scheduler")
        yield json.loads(said.read_text())["address"], process


@contextmanager
def worker(
    address: str, directory: Path, env: Mapping[str, str], name: str = "w"
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that the scheduler knows."""
    scratch = directory / f"scratch-{name}"
    scratch.mkdir(exist_ok=True)
    before = workers_of(address)
    words = ("--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", "--local-directory", str(scratch))
    with program("dask_worker", address, *words, directory=directory, env=env) as process:
        until(lambda: bool(workers_of(address) - before), "no worker")
        yield process


def workers_of(address: str) -> set[str]:
    """The addresses of a scheduler's workers."""
    import distributed

    with distributed.Client(address, set_as_default=False, timeout=PATIENCE) as client:
        return set(client.nthreads())


def boots(journal: Path) -> list[tuple[int, str, str]]:
    """Number, kernel and worker of every boot that is journalled."""
    found = []
    for path in sorted(journal.glob("worker-*.jsonl")):
        for kind, *rest in Reader(path)():
            if kind == "boot":
                found.append((int(path.stem.partition("-")[2]), rest[0], rest[1]))
    return found


def started(mark: str) -> list[int]:
    """Processes that were started with a text in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found
