"""What tests of the live lane share: whether this machine can run it, and what it may change."""

from __future__ import annotations

import os

from bench.lanes.live.machine import Machine
from bench.lanes.live.process import hello
from bench.lanes.live.watchdog import current

ORDER = 4


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
