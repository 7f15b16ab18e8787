"""What tests of the live lane share: whether this machine can run it, what it may change, another user."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from bench.lanes.live.machine import Machine
from bench.lanes.live.process import hello
from bench.lanes.live.watchdog import current
from tests.conftest import ROOT

ORDER = 4
NOBODY = 65534  # a user without rights


def lacking() -> str:
    """Why this machine cannot run these tests; empty if it can."""
    machine = Machine()
    if os.geteuid() != 0:
        return "live lane: needs root"
    if not {ORDER, 9} <= set(machine.controls("anon")) or not machine.may_choose("anon"):
        return "live lane: needs per-size mTHP controls that can be written"
    if machine.available() < 1 << 30:
        return "live lane: needs 1 GiB of memory"
    reason = hello()["no_write_protection"]
    return reason and f"live lane: {reason}"


def state() -> dict[str, str]:
    """Every setting that the lane may write."""
    return {str(path): current(str(path)) for path in Machine().settings()}


def nobodys_python() -> str:
    """An interpreter that a user without rights may run on this tree; empty if there is none."""
    if os.geteuid() != 0:
        return ""
    for python in (sys.executable, "/usr/bin/python3"):
        command = [python, "-I", "-S", str(ROOT / "bench/lanes/live/workload")]
        with contextlib.suppress(OSError):
            if not as_nobody(command, "").returncode:
                return python
    return ""


def as_nobody(command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, cwd="/", env={},
        user=NOBODY, group=NOBODY, extra_groups=[],
    )  # fmt: skip
