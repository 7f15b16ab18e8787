"""Settings of the machine, saved before measuring and put back whatever happens; one run at a time."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.live import watchdog
from bench.lanes.live.lock import MACHINE, alone
from bench.measure.affinity import adopt_orphans

ALWAYS_ROOT = Path("/run")


def directory() -> Path:
    """Where lock and saved settings are kept: what root restores, nobody else may write."""
    if os.geteuid() == 0 and ALWAYS_ROOT.is_dir():
        return ALWAYS_ROOT / "rmapbench"
    return Path(tempfile.gettempdir()) / f"rmapbench-{os.geteuid()}"


@contextlib.contextmanager
def kept(settings: Sequence[Path], place: Path | None = None, machine: str = "") -> Iterator[None]:
    """Whatever the block writes to these files is undone when it ends, and also if this process is killed.

    LaneUnavailable if another run is at work. What an earlier run left behind is put back first.
    Without `place` and `machine` the locks are those of every run.
    """
    machine = machine or f"{MACHINE}{place or ''}"
    place = place or directory()
    _make_own(place)
    state = place / "settings.json"
    with alone(place / "lock", machine) as locks:
        if state.exists():
            _repair(state)
        _save(settings, state)
        guard = _start_watchdog(state, locks)
        try:
            with adopt_orphans(guard.pid):
                yield
        finally:
            try:
                _repair(state)
            finally:
                guard.communicate()


def _make_own(place: Path) -> None:
    """Make the directory; LaneUnavailable if it is there and others may write what is restored."""
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022 or not stat.S_ISDIR(found.st_mode):
        raise LaneUnavailable(f"{place}: others may write there what this user would restore; remove it")


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


def _start_watchdog(state: Path, locks: Sequence[int]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what ends this one's processes does not end it."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, str(state)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, pass_fds=tuple(locks),
    )  # fmt: skip
