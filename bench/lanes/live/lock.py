"""One live run at a time: a lock of this user's with the process in it, and one of the whole machine."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.errors import LaneUnavailable

PATIENCE = 5.0  # seconds to wait for the watchdog of a run that was just killed
# An abstract socket has no file, so no user needs rights on another's; it goes with the last who has it open.
# Note: containers with a network of their own have sockets of their own: there the lock is theirs alone.
MACHINE = "rmapbench-live"
LONGEST = 100  # bytes of its name; 107 are possible
TAKEN = (errno.EWOULDBLOCK, errno.EADDRINUSE)  # of the file, of the socket


@contextlib.contextmanager
def alone(place: Path, name: str = MACHINE) -> Iterator[tuple[int, int]]:
    """The file descriptors of both locks: who has them open is the run, or its watchdog.

    LaneUnavailable if another run is at work; a lock whose process is gone is waited for.
    """
    with _file(place) as own, _socket(name) as machine:
        yield own, machine


@contextlib.contextmanager
def _file(path: Path) -> Iterator[int]:
    """The lock of this user's, with this process's number in it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _acquire(
            lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB),
            lambda: os.pread(lock, 32, 0).decode().strip(),
            str(path),
        )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield lock
    finally:
        os.close(lock)


@contextlib.contextmanager
def _socket(name: str) -> Iterator[int]:
    """The lock of the machine: an abstract socket that nobody else can have then, whichever user it is."""
    address = b"\0" + name.encode()[-LONGEST:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        _acquire(lambda: lock.bind(address), lambda: _listener(address), f"@{name}")
        lock.listen()
        yield lock.fileno()


def _listener(address: bytes) -> str:
    """The number of the process that has the socket; empty where it cannot be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking, contextlib.suppress(OSError):
        asking.setblocking(False)
        asking.connect(address)
        said = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return str(struct.unpack("3i", said)[0])
    return ""


def _acquire(take: Callable[[], object], holder: Callable[[], str], where: str) -> None:
    """Take a lock; the watchdog of a run that was killed keeps it until the settings are back."""
    deadline, process = time.monotonic() + PATIENCE, ""
    while True:
        try:
            take()
            return
        except OSError as error:
            if error.errno not in TAKEN:
                raise LaneUnavailable(
                    f"{where}: the lock that keeps live runs apart cannot be taken ({error.strerror}); "
                    "run where that is permitted"
                ) from None
            process = holder() or process
            if _alive(process) or time.monotonic() > deadline:
                raise LaneUnavailable(
                    f"another live run is at work (process {process or 'unknown'}, {where}); wait for its end"
                ) from None
            time.sleep(0.1)


def _alive(number: str) -> bool:
    return number.isdigit() and Path(f"/proc/{number}").exists()
