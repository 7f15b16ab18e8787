"""What a worker of a cluster does: keeps files by their content, and boots one kernel at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.lanes.vm.cluster.connection import Here, directory_of
from bench.lanes.vm.cluster.fitness import Found, examined
from bench.measure import own
from bench.measure.journal import Reader, Record

LOOK = 0.25  # seconds between two looks whether the result is still wanted
MOST_KEPT = 2 << 30  # bytes of kernels and archives that a worker keeps for the next time
LIFE = ("at", "end")  # records that say no more than that a process lives
LOG = 1 << 20  # bytes of a console that are handed back

_one_guest = threading.Lock()


@dataclass(frozen=True)
class Order:
    """A measuring process's job with a plan of one kernel, and by content the files that it needs."""

    job: dict[str, Any]
    kernel: str
    image: str  # content of the kernel
    archive: str  # of the file system that all guests have
    fit: Found


@dataclass(frozen=True)
class Booted:
    """What came of an order: records of the process, or what must be done first."""

    worker: str
    records: list[Record] = field(default_factory=list)
    consoles: dict[str, bytes] = field(default_factory=dict)  # of what failed, by file name
    found: Found | None = None  # that the worker is other than it must be
    lacks: tuple[str, ...] = ()  # files, by content


def content(data: bytes) -> str:
    """The name of a file by what is in it."""
    return hashlib.sha256(data).hexdigest()


def keep(files: Mapping[str, bytes], dask_worker: Any = None) -> None:
    """Keep files for guests to come; the longest unused go when they grow too many."""
    store = _store(directory_of(dask_worker))
    for name, data in files.items():
        if content(data) != name:
            raise ValueError("a file changed while it was sent")
        _write(store / name, data)
    room = MOST_KEPT
    for path in sorted(store.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        room -= path.stat().st_size
        if room < 0 and path.name not in files:
            path.unlink()


def boot(order: Order) -> Booted:
    """Carry out an order, if this worker is what it must be and has the files."""
    here = Here()
    found = examined(order.fit.qemu)
    if dataclasses.replace(found, host=order.fit.host) != order.fit:
        return Booted(here.address, found=found)
    with _turn(here):
        store = _store(here.directory)
        if lacks := _lacking(store, {order.image, order.archive}):
            return Booted(here.address, lacks=lacks)
        with tempfile.TemporaryDirectory(dir=here.directory) as directory:
            return _booted(order, store, Path(directory), here)


@contextlib.contextmanager
def _turn(here: Here) -> Iterator[None]:
    """Wait until no guest runs here."""
    while not _one_guest.acquire(timeout=LOOK):
        if not here.wanted():
            raise here.elsewhere()
    try:
        yield
    finally:
        _one_guest.release()


def _booted(order: Order, store: Path, directory: Path, here: Here) -> Booted:
    out = directory / f"worker-{order.job['number']:03d}.jsonl"
    process = _measuring(_local(order, store, out), directory)
    while process.poll() is None:
        if not here.wanted():
            process.kill()  # QEMU goes with it
            process.wait()
            raise here.elsewhere()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
    records = list(Reader(out)())
    if not records or records[-1] != ["end"]:
        raise RuntimeError(_last_words(directory / "said") or f"it ended with code {process.returncode}")
    logs = {path.name: path.read_bytes()[-LOG:] for path in directory.glob("*.console")}
    return Booted(here.address, [record for record in records if record[0] not in LIFE], logs)


def _local(order: Order, store: Path, out: Path) -> dict[str, Any]:
    """The job with the files as they are called here."""
    setup = order.job["plan"]["setup"]
    image = {**setup["kernels"][order.kernel], "path": str(store / order.image)}
    here = {**setup, "kernels": {order.kernel: image}, "archive": str(store / order.archive)}
    return {**order.job, "plan": {**order.job["plan"], "setup": here}, "out": str(out), "parent": os.getpid()}


def _measuring(job: dict[str, Any], directory: Path) -> subprocess.Popen[bytes]:
    """A measuring process as they are everywhere; it has no threads, and dies with this one."""
    (directory / "job").write_text(json.dumps(job))
    with (directory / "job").open("rb") as asked, (directory / "said").open("wb") as said:
        return subprocess.Popen(
            own.command("bench.measure.worker"),
            env=own.environment(), stdin=asked, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip


def _last_words(path: Path) -> str:
    return (path.read_text(errors="replace").strip().splitlines() or [""])[-1]


def _store(directory: Path) -> Path:
    store = directory / "rmapbench-files"
    store.mkdir(exist_ok=True)
    return store


def _lacking(store: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Those that are not kept; those that are count as used now."""
    lacks = []
    for name in sorted(names):
        try:
            os.utime(store / name)
        except FileNotFoundError:
            lacks.append(name)
    return tuple(lacks)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
