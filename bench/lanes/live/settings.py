"""Settings of the machine, saved before measuring and put back whatever happens; one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.live import watchdog
from bench.measure.affinity import adopt_orphans

PATIENCE = 5.0  # seconds to wait for the watchdog of a run that was just killed
ALWAYS_ROOT = Path("/run")


def directory() -> Path:
    """Where lock and saved settings are kept: what root restores, nobody else may write."""
    if os.geteuid() == 0 and ALWAYS_ROOT.is_dir():
        return ALWAYS_ROOT / "rmapbench"
    return Path(tempfile.gettempdir()) / f"rmapbench-{os.geteuid()}"


@contextlib.contextmanager
def kept(settings: Sequence[Path], place: Path | None = None) -> Iterator[None]:
    """Whatever the block writes to these files is undone when it ends, and also if this process is killed.

    LaneUnavailable if another run is at work. What an earlier run left behind is put back first.
    """
    place = place or directory()
    place.mkdir(mode=0o700, exist_ok=True)
    state = place / "settings.json"
    with _locked(place / "lock") as lock:
        if state.exists():
            _repair(state)
        _save(settings, state)
        guard = _start_watchdog(state, lock)
        try:
            with adopt_orphans(guard.pid):
                yield
        finally:
            try:
                _repair(state)
            finally:
                guard.communicate()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The lock, with this process's number in it; a lock whose process is gone does not count."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _acquire(lock, path)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _acquire(lock: int, path: Path) -> None:
    """Take the lock; the watchdog of a run that was killed keeps it until the settings are back."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode().strip()
            if _alive(holder) or time.monotonic() > deadline:
                raise LaneUnavailable(
                    f"another live run is at work (process {holder or 'unknown'}, {path}); wait for its end"
                ) from None
            time.sleep(0.1)


def _alive(number: str) -> bool:
    return number.isdigit() and Path(f"/proc/{number}").exists()


def _save(settings: Sequence[Path], state: Path) -> None:
    """Write the settings to disk before any of them is changed; complete or not at all."""
    saved = {str(path): watchdog.current(str(path)) for path in settings}
    beside = state.with_suffix(".part")
    with beside.open("w") as file:
        json.dump(saved, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state)


def _repair(state: Path) -> None:
    """Put the settings back; those that cannot be written are named, and kept for the next start."""
    failed = watchdog.restore(str(state))
    if failed:
        raise LaneUnavailable(f"a setting could not be put back: {'; '.join(failed)}; write it by hand")
    state.unlink()


def _start_watchdog(state: Path, lock: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what ends this one's processes does not end it."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, str(state)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, pass_fds=(lock,),
    )  # fmt: skip
