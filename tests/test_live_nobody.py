"""The live lane's workload for a user without rights, for real where root can become one."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT
from tests.live import as_nobody, nobodys_python


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
