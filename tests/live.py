"""What tests of the live lane share: whether this machine can run it, what it may change, another user."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.lanes.live import lane
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
    return {str(path): current(str(path)) for path in lane.machine().settings()}


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


def tree(root: Path, files: dict[str, str]) -> Path:
    """Files below a root, with their contents."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def machine_files(root: Path) -> Path:
    """The root of a machine with two mTHP sizes, 8 GiB, one node, no swap, no ksmd, no hugetlb pool."""
    thp = "sys/kernel/mm/transparent_hugepage"
    files = {
        f"{thp}/enabled": "always [madvise] never\n",
        f"{thp}/shmem_enabled": "always within_size advise [never] deny force\n",
        f"{thp}/hugepages-64kB/enabled": "always inherit madvise [never]\n",
        f"{thp}/hugepages-2048kB/enabled": "always [inherit] madvise never\n",
        f"{thp}/hugepages-8kB/shmem_enabled": "always inherit within_size advise [never]\n",
        f"{thp}/hugepages-2048kB/shmem_enabled": "always [inherit] within_size advise never\n",
        "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
        "proc/self/cgroup": "0::/a/b\n",
        "sys/devices/system/node/node0/cpulist": "0-1\n",
        "sys/devices/system/node/has_memory": "0\n",
    }
    return tree(root, files)


def use(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    """Let the lane take this for its machine."""
    monkeypatch.setattr(lane, "machine", lambda: machine)
