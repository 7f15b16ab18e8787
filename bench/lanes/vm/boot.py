"""Boots guests, a few at once, and listens to them; none outlives this process, or its time."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.lanes.vm.console import Console, said
from bench.measure.affinity import ALLOWED

PR_SET_PDEATHSIG = 1  # prctl(2)
CHUNK = 1 << 16
GRACE = 5.0  # seconds for switching off after the last record
MOST_TOTAL = 20  # times the silence that is allowed: a guest that prints for ever ends too

_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Job:
    """A command to run under a name, and a file for what it says."""

    name: str
    command: Sequence[str]
    log: Path


@dataclass
class Outcome:
    """What a guest said, and why it did not come to its end; no reason if it did."""

    console: Console
    reason: str = ""


@dataclass
class Guest:
    """A running QEMU."""

    job: Job
    process: subprocess.Popen[bytes]
    console: Console = field(default_factory=Console)
    started: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)


Listener = Callable[[str, list[dict[str, Any]]], None]


def run(jobs: Sequence[Job], at_once: int, silence: float, listener: Listener) -> dict[str, Outcome]:
    """Run all jobs, at most `at_once` at a time; each is ended after so many seconds of silence.

    `listener` gets the name and the new records of a guest as they come.
    """
    waiting, running, done = list(jobs), dict[int, Guest](), dict[str, Outcome]()
    try:
        with selectors.DefaultSelector() as selector:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.pop(0)
                    try:
                        _start(job, running, selector)
                    except OSError as error:
                        reason = f"{job.command[0]}: cannot be started ({error.strerror})"
                        done[job.name] = Outcome(Console(), reason)
                for guest in _step(running, selector, silence, listener):
                    done[guest.job.name] = _outcome(guest, silence)
    finally:
        for guest in running.values():
            _end(guest)
    return done


def _start(job: Job, running: dict[int, Guest], selector: selectors.BaseSelector) -> None:
    parent = os.getpid()

    def leash() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before this could say so
            os._exit(1)
        # A measuring process keeps to one CPU; guests at once need one each.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, ALLOWED)

    process = subprocess.Popen(
        list(job.command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=leash,
    )  # fmt: skip
    assert process.stdout is not None
    running[process.stdout.fileno()] = Guest(job, process)
    selector.register(process.stdout, selectors.EVENT_READ)


def _step(
    running: dict[int, Guest], selector: selectors.BaseSelector, silence: float, listener: Listener
) -> Iterator[Guest]:
    """Listen for a moment; the guests that are over, their processes gone."""
    over = []
    for key, _ in selector.select(timeout=0.5):
        guest = running[key.fd]
        if not _listen(guest, listener):
            over.append(key.fd)
    now = time.monotonic()
    for fd, guest in running.items():
        limit = GRACE if guest.console.ended else silence
        late = now - guest.heard > limit or now - guest.started > MOST_TOTAL * silence
        if late and fd not in over:
            over.append(fd)
    for fd in over:
        guest = running.pop(fd)
        selector.unregister(fd)
        _end(guest)
        yield guest


def _listen(guest: Guest, listener: Listener) -> bool:
    """Take what the guest said; False if it has nothing more to say."""
    assert guest.process.stdout is not None
    data = os.read(guest.process.stdout.fileno(), CHUNK)
    if not data:
        with contextlib.suppress(subprocess.TimeoutExpired):
            guest.process.wait(GRACE)
        return False
    with guest.job.log.open("ab") as log:
        log.write(data)
    guest.heard = time.monotonic()
    if records := guest.console.feed(data):
        listener(guest.job.name, records)
    return True


def _end(guest: Guest) -> None:
    """Make sure that QEMU and whatever it started are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guest.process.pid, signal.SIGKILL)
    guest.process.wait()
    if guest.process.stdout is not None:
        guest.process.stdout.close()


def _outcome(guest: Guest, silence: float) -> Outcome:
    guest.console.feed(b"\n")  # half a line at the end is one as well
    return Outcome(guest.console, reason_of(guest.console, guest.process.returncode, silence))


def reason_of(console: Console, code: int, silence: float) -> str:
    """Why a guest did not come to its end; a killed one was silent for too long. Empty if it did."""
    fatal = next((str(record["fatal"]) for record in console.records if "fatal" in record), "")
    if console.ended:
        return ""
    if console.panic:
        what = f"kernel panic: {console.panic}"
    elif fatal:
        what = f"the guest's first process failed: {fatal}"
    elif code == -signal.SIGKILL and not console.records and not console.tail:
        what = f"nothing on the console for {silence:g} s; has the kernel a driver for the serial port?"
    elif code == -signal.SIGKILL:
        what = f"hung: silent for {silence:g} s"
    elif code:
        what = f"QEMU ended with exit code {code}"
    else:
        what = "the guest ended before it was done"
    memory = f"; {console.out_of_memory}" if console.out_of_memory else ""
    return f"{what}{memory}; last on its console: {said(console)}"
