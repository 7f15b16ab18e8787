"""The live lane's workload for a user without rights, for real where root can become one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

NOBODY = 65534


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


@pytest.mark.skipif(not nobodys_python(), reason="needs root, and an interpreter that others may run")
def test_a_user_without_rights_measures_or_is_told_why() -> None:
    """Order 0 is proven by the counters of larger folios; choosing a size is refused with the file's name."""
    asked = {"do": "measure", "kind": "anon", "path": "default", "bytes": 8 << 20, "ops": ["munmap"]}
    requests = [{**asked, "order": 0, "select": False}, {**asked, "order": 4}, {"do": "hello"}]
    command = [nobodys_python(), "-I", "-S", str(ROOT / "bench/lanes/live/workload")]
    lines = as_nobody(command, "\n".join(map(json.dumps, requests))).stdout.splitlines()
    plain, chosen, hello = map(json.loads, lines)
    if not plain["unmeasurable"]:
        assert plain["values"]["munmap"]["proof"]["order_share"] >= 0.99
    assert chosen["values"] == {} and chosen["unmeasurable"]["munmap"]
    assert hello["realtime"] == 0
