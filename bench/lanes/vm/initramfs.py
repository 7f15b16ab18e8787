"""The guest's only file system: interpreter, workload, init, and the jobs of one boot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bench.lanes
from bench.lanes.vm import cpio, interpreter
from bench.lanes.vm.interpreter import Interpreter
from bench.lanes.vm.running import running
from bench.lanes.vm.unpacked import GuestRoot

WORKLOAD = Path(bench.lanes.__file__).parent / "live" / "workload"
INIT = Path(__file__).parent / "guest" / "init.py"
ARGUMENTS = ("-S", "-s", "/init.py")  # of the interpreter, which the kernel starts as /init
ENVIRONMENT = {"LD_LIBRARY_PATH": f"/{interpreter.LIBRARIES}", "PYTHONHASHSEED": "0"}

# What the guest's own programs import; the modules of the workload are packed with it.
MODULES = ("workload.serve", "ctypes", "runpy", "pkgutil", "zlib")  # running a directory takes runpy


def base(root: GuestRoot | None = None) -> bytes:
    """What every boot has in common of guests with the Python of this root, or else the running one."""
    of = root.interpreter if root else running
    python = of(WORKLOAD.parent, MODULES)
    return cpio.archive(
        [
            *python.entries(),
            *_programs(python),
            cpio.symlink("init", interpreter.PROGRAM),
            cpio.directory("tmp"),
            cpio.device("dev/console", 5, 1),
            cpio.device("dev/null", 1, 3),
            cpio.device("dev/urandom", 1, 9),
        ]
    )


def _programs(python: Interpreter) -> Iterator[cpio.Entry]:
    for path in sorted(WORKLOAD.glob("*.py")):
        yield from python.source(f"workload/{path.name}", path.read_bytes())
    yield from python.source("init.py", INIT.read_bytes())


def jobs(requests: Sequence[dict[str, Any]]) -> bytes:
    """An archive to append: requests to the workload, one a line (see its `serve`)."""
    text = "".join(json.dumps(request) + "\n" for request in requests)
    return cpio.archive([cpio.file("jobs", text.encode())])
