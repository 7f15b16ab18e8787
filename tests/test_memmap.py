"""The memory that kernels work on: private, and of huge pages where the system gives them."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from bench.measure.facts import anon_huge_mib
from kernels.memmap import Memory

THP = Path("/sys/kernel/mm/transparent_hugepage")
SIZE = 16 << 20


def mapping_of(address: int) -> str:
    """The paragraph of /proc/self/smaps on the mapping with this address."""
    smaps = Path("/proc/self/smaps").read_text()
    for paragraph in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", smaps, flags=re.M):
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", paragraph)
        if found and int(found[1], 16) <= address < int(found[2], 16):
            return paragraph
    return ""


def gives_none() -> bool:
    """Without MADV_COLLAPSE (Linux 6.1) the setting decides; some kernels have no huge pages at all."""
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    setting = THP / "enabled"
    return not setting.exists() or (release < (6, 1) and "[never]" in setting.read_text())


@pytest.mark.skipif(gives_none(), reason="this kernel gives no huge pages")
def test_descriptors_are_of_huge_pages() -> None:
    """All of them, in private memory: shared memory, Python's default, has none."""
    memory = Memory(SIZE)
    said = mapping_of(memory.address)
    assert re.match(r"\S+ rw-p ", said)
    found = re.search(r"^AnonHugePages:\s+(\d+) kB", said, re.M)
    assert found and int(found[1]) == SIZE >> 10
    assert anon_huge_mib() >= SIZE >> 20


def test_a_kernel_that_does_not_say_has_none(tmp_path: Path) -> None:
    """And nothing is raised."""
    assert anon_huge_mib(tmp_path) == 0
