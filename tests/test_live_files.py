"""The live lane on files: where they may be, how they get folios of an order, what is left afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.case import Filters
from bench.errors import UsageError
from bench.lanes.live import lane, machine
from bench.lanes.live.machine import FILES, Machine, directories
from bench.lanes.live.process import hello
from bench.lanes.live.workload import files, proof, userfault
from bench.lanes.live.workload.memory import mapped
from bench.lanes.live.workload.system import PAGE, Unmeasurable

MIB = 1 << 20
# Says on standard output that it holds an unnamed file in the directory given, and stays.
HOLDS = """
import sys, time
from bench.lanes.live.workload import files
files.unnamed(sys.argv[1], 1 << 20)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def bdi(tmp_path: Path) -> Path:
    """The read-ahead of the disk that has the temporary files, as a file that can be written."""
    device = tmp_path.stat().st_dev
    control = tmp_path / f"bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
    control.parent.mkdir(parents=True)
    control.write_text("128\n")
    return control


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """An unnamed file of one MiB after its lead."""
    try:
        fd = files.unnamed(str(tmp_path), MIB)
    except Unmeasurable as error:
        pytest.skip(str(error))
    yield fd
    os.close(fd)


@pytest.mark.parametrize(("order", "kib"), [(0, "4"), (4, "64"), (9, "2048")])
def test_a_file_is_opened_while_its_disk_reads_one_folio_ahead(
    tmp_path: Path, bdi: Path, file: int, order: int, kib: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the disk has its own value again before anything is read."""
    seen, really = [], os.open

    def opened(path: str, flags: int, *rest: int) -> int:
        seen.append(bdi.read_text())
        return really(path, flags, *rest)

    def read(*_: object) -> int:
        seen.append(bdi.read_text())
        return 0

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "preadv", read)
    files.fill(file, order, MIB, str(bdi.parent.parent))
    ours = [text for text in seen if text in (kib, "128")]
    assert ours[:2] == [kib, "128"] and set(ours[1:]) == {"128"}


def test_the_read_ahead_comes_back_when_the_file_cannot_be_opened(
    bdi: Path, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after any other failure."""

    def refuse(path: str, *_: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "open", refuse)
        with pytest.raises(OSError, match="Too many"):
            files.fill(file, 4, MIB, str(bdi.parent.parent))
    assert bdi.read_text() == "128"


def test_a_disk_without_such_a_control_is_named(tmp_path: Path, file: int) -> None:
    """With its path."""
    with pytest.raises(Unmeasurable, match="read_ahead_kb: cannot be read"):
        files.fill(file, 4, MIB, str(tmp_path / "nowhere"))


def test_a_file_takes_no_space_and_has_no_name(tmp_path: Path, file: int) -> None:
    """It is a hole of the size asked for and its lead."""
    said = os.fstat(file)
    assert (said.st_size, said.st_nlink) == (files.LEAD + MIB, 0)
    assert said.st_blocks == 0 and list(tmp_path.iterdir()) == []


def test_nothing_is_left_after_a_kill(tmp_path: Path, file: int) -> None:
    """What has no name ends with its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and process.stdout.readline() == "held\n"
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_does_not_serve_says_why(tmp_path: Path) -> None:
    """One that is not there, and one where no file without a name can be."""
    said = hello([str(tmp_path / "missing"), "/proc"])["no_files"]
    assert "No such file or directory" in said[str(tmp_path / "missing")]
    assert "no file without a name can be made there" in said["/proc"]


def usable() -> str:
    """A directory of this machine whose files have large folios; empty if there is none."""
    reasons = hello(directories())["no_files"]
    return next((directory for directory, reason in reasons.items() if not reason), "")


@pytest.mark.skipif(not usable(), reason="no directory here serves: needs root, ext4 (6.16) or xfs")
@pytest.mark.parametrize("order", [0, 1, 4, 9])
@pytest.mark.parametrize("kind", files.KINDS)
def test_files_have_the_folios_asked_for(kind: str, order: int) -> None:
    """All of the order, with the bits of each path; nothing is dirty, so nothing will be written back."""
    with mapped(kind, order, 8 * MIB, files.unnamed(usable(), 8 * MIB)) as mapping:
        before = Path(files.read_ahead(mapping.file)).read_text()
        mapping.populate(by_pmd=False)
        assert proof.doubts(proof.take(mapping), "default") == ""
        assert Path(files.read_ahead(mapping.file)).read_text() == before
        assert os.fstat(mapping.file).st_blocks == 0
        assert dirty(mapping.start, mapping.size) == (PAGE >> 10 if kind == "file_private" else 0)
        for path in ("pte", "ptes", "default"):
            userfault.arm(mapping, path)
            assert proof.doubts(proof.take(mapping), path) == "" or userfault.missing(kind)
        mapping.renew()
        by_pmd = order == 9 and kind == "file"
        mapping.populate(by_pmd)
        assert proof.doubts(proof.take(mapping), "pmd" if by_pmd else "default") == ""


def dirty(start: int, size: int) -> int:
    """KiB of the mapping that smaps calls dirty."""
    text = Path("/proc/self/smaps").read_text().partition(f"\n{start:08x}-")[2].partition("VmFlags:")[0]
    words = text.split()
    return sum(int(words[words.index(key) + 1]) for key in ("Shared_Dirty:", "Private_Dirty:"))


def use(monkeypatch: pytest.MonkeyPatch, here: Machine) -> None:
    monkeypatch.setattr(lane, "machine", lambda: here)


def fake(root: Path) -> Path:
    """A root with memory only."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text("MemAvailable: 1048576 kB\n")
    return root


def test_a_directory_gives_cases_of_every_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every path, by PMD at order 9; and its disk's read-ahead is among what is put back."""
    here = Machine(fake(tmp_path), directory=str(tmp_path), no_files="")
    use(monkeypatch, here)
    listed = [case for case in lane.cases({}) if case.get("kind") == "file"]
    assert {case.op for case in listed} == {"munmap", "fault_around", "fork"}
    assert {case.order for case in listed} == set(range(10))
    munmaps = {(case.get("path"), case.order) for case in listed if case.op == "munmap"}
    by_ptes = {(path, order) for path in ("pte", "ptes", "default") for order in range(10)}
    assert munmaps == by_ptes | {("pmd", 9)}
    assert lane.plan(listed, {}).setup["directory"] == str(tmp_path)
    device = tmp_path.stat().st_dev
    control = tmp_path / f"sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
    assert control not in here.settings()
    control.parent.mkdir(parents=True)
    control.write_text("128\n")
    assert control in here.settings()


def test_files_have_one_path_where_nothing_write_protects_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before 6.7; other memory keeps its paths, and what is missing is said."""
    said = "userfaultfd with write-protection: Invalid argument"
    use(monkeypatch, Machine(fake(tmp_path), file_write_protection=said, directory="/d", no_files=""))
    listed = lane.cases({})
    assert {case.get("path") for case in listed if case.get("kind") == "file"} == {"default", "pmd"}
    assert "pte" in {case.get("path") for case in listed if not case.get("kind")}
    assert f"path=pte and path=ptes of files: {said}; Linux 6.7 or later" in lane.skipped()


def test_without_a_directory_the_reasons_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each that was tried, with the variable that names another."""
    reasons = {"/a": "this file system has no large folios", "/b": "seeing folios takes root"}
    reasons["/c"] = reasons["/a"]
    said = lane._no_files(reasons)
    use(monkeypatch, Machine(fake(tmp_path), no_files=said))
    assert all(case.get("kind") != "file" for case in lane.cases({}))
    assert f"munmap, fault_around, fork (file): {said}" in lane.skipped()
    assert said.startswith("/a, /c: this file system has no large folios; /b: seeing folios takes root; ")
    assert f"{FILES}=DIR" in said


def test_the_user_names_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no other is tried; else where the program was started, and where large temporary files are."""
    monkeypatch.chdir(tmp_path)
    assert directories()[:2] == [str(tmp_path), "/var/tmp"]
    monkeypatch.setenv(FILES, "/somewhere")
    assert directories() == ["/somewhere"]


def test_a_current_directory_that_is_gone_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "/var/tmp" in directories()


def test_each_kind_counts_the_copies_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that lives keeps its copies while its parent makes others; munmap and fork take one memory."""
    pool = tmp_path / machine.HUGETLB / "nr_hugepages"
    pool.parent.mkdir(parents=True)
    pool.write_text("0")
    use(monkeypatch, Machine(fake(tmp_path)))  # of 1 GiB
    chosen = lane.cases({}, Filters.parse(["memory=512MiB"]))
    lane.prepare([case for case in chosen if case.op in ("fork", "munmap")], {})
    with pytest.raises(UsageError, match=r"live/cow_byte/path=default/order=0/memory=512MiB: needs 1190 MiB"):
        lane.prepare([case for case in chosen if case.op == "cow_byte"], {})
