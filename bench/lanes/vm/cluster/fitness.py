"""What machines that boot guests for one run must have in common, and what is said of one that has not."""

from __future__ import annotations

import functools
import hashlib
import shutil
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import BenchError, LaneUnavailable, UsageError
from bench.lanes.vm import qemu
from bench.lanes.vm.machines import MACHINES
from bench.measure import own

INSTALL = "pip install '.[cluster]'"


@dataclass(frozen=True)
class Found:
    """One machine: where figures are made, and by what."""

    host: str
    program: str  # digest of the sources of this program
    python: str
    qemu: dict[str, str]  # by program what it says of its version; empty if it is missing


def examined(programs: Iterable[str], like: object = None) -> Found:
    """This machine; with the QEMU of another one."""
    versions = {name: qemu.version(name) if shutil.which(name) else "" for name in programs}
    versions |= like.qemu if isinstance(like, Found) else {}
    return Found(socket.gethostname(), digest(), "{}.{}".format(*sys.version_info), versions)


@functools.cache
def digest() -> str:
    """Says whether two machines have the same rmapbench."""
    root = own.ROOT / "bench"
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:12]


def unfit(worker: str, found: object, wanted: Found) -> BenchError | None:
    """Why a worker cannot be used, if it cannot; what was not found there is an exception."""
    if not isinstance(found, Found):
        return LaneUnavailable(
            f"worker {worker} has no rmapbench like this one ({type(found).__name__}: {found}); "
            f"install it there with: {INSTALL}"
        )
    name = f"worker {worker} on {found.host}"
    for program, version in found.qemu.items():
        if not version:
            return LaneUnavailable(
                f"{name}: {program} is not installed there; "
                f"it comes with: apt-get install {_package(program)}"
            )
    return _different(name, found, wanted)


def _different(name: str, found: Found, wanted: Found) -> UsageError | None:
    for what, theirs, ours in (
        ("rmapbench", found.program, wanted.program),
        ("Python", found.python, wanted.python),
        *((program, version, wanted.qemu.get(program)) for program, version in found.qemu.items()),
    ):
        if theirs != ours:
            return UsageError(
                f"{name} has another {what}: {theirs} there, {ours} elsewhere; "
                "figures of one run come from the same programs, so install the same"
            )
    return None


def _package(program: str) -> str:
    return next(machine.package for machine in MACHINES.values() if machine.qemu == program)
