"""The live lane's merging of pages: which counter proves it, what it does not count, what is put back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.lanes.live.workload import ksm, operations
from bench.lanes.live.workload.system import Unmeasurable

PAGES, STALE, OTHERS = 100, 70, 5000
BEFORE = {"run": "0", "pages_to_scan": "100", "sleep_millisecs": "20"}


class Ksmd:
    """Files of a kernel whose thread works while the workload sleeps: it scans, then merges ten pages."""

    def __init__(self, root: Path, own: bool, shared: bool) -> None:
        self.root, self.advised, self.works = root, False, True
        self.scans = self.merges = 0
        self.files = {"self/ksm_merging_pages": STALE} if own else {}
        self.files |= {"pages_sharing": STALE + OTHERS} if shared else {}
        (root / "self").mkdir()
        for name, text in {**BEFORE, **self.files, "full_scans": 3}.items():
            (root / name).write_text(f"{text}\n")

    def advise(self, *_: int) -> None:
        """Only advised memory is merged; what was merged of earlier memory has been noticed by then."""
        assert self.setting("run") == "0"
        self.advised = True

    def setting(self, name: str) -> str:
        return (self.root / name).read_text().strip()

    def sleep(self, _: float) -> None:
        """What the thread does meanwhile."""
        assert self.setting("run") == "1"
        self.merges += self.advised and self.works
        self.scans += not self.advised
        (self.root / "full_scans").write_text(f"{3 + self.scans}\n")
        for name, before in self.files.items():
            merged = before - (STALE if self.scans else 0) + 10 * self.merges
            (self.root / name).write_text(f"{merged}\n")


def merge(monkeypatch: pytest.MonkeyPatch, kernel: Ksmd) -> int:
    """Nanoseconds, on a clock that moves by a second at each look."""
    clock = iter(range(0, 10**15, 10**9))
    monkeypatch.setattr(ksm, "now", lambda: next(clock))
    monkeypatch.setattr(ksm, "sleep", kernel.sleep)
    monkeypatch.setattr(ksm.system, "madvise", kernel.advise)
    mapping: Any = SimpleNamespace(start=0, size=PAGES << 12, pages=PAGES)
    return ksm.ksm(mapping, "default", str(kernel.root), str(kernel.root)).gross


@pytest.mark.parametrize(("own", "shared"), [(True, True), (True, False), (False, True)])
def test_only_pages_merged_meanwhile_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool, shared: bool
) -> None:
    """Not those of memory that is gone, nor those of other processes: ten steps for a hundred pages."""
    kernel = Ksmd(tmp_path, own, shared)
    assert merge(monkeypatch, kernel) > 0
    assert (kernel.scans, kernel.merges) == (2, 10)
    assert {name: kernel.setting(name) for name in BEFORE} == BEFORE


def test_pages_that_others_merged_are_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing is merged, there is a reason and no time; the thread rests again."""
    kernel = Ksmd(tmp_path, own=False, shared=True)
    kernel.works = False
    with pytest.raises(Unmeasurable, match="0 pages of 100 were merged"):
        merge(monkeypatch, kernel)
    assert {name: kernel.setting(name) for name in BEFORE} == BEFORE


def test_without_a_counter_there_is_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files are named, and nothing is started."""
    kernel = Ksmd(tmp_path, own=False, shared=False)
    with pytest.raises(Unmeasurable, match=r"neither .*/ksm_merging_pages nor .*/pages_sharing can be read"):
        merge(monkeypatch, kernel)
    assert not kernel.advised and kernel.setting("full_scans") == "3"


def test_it_is_the_operation() -> None:
    """Which a request asks for."""
    assert operations.OPERATIONS["ksm"] is ksm.ksm
