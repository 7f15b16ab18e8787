"""The guest's file system: archives that cpio and the kernel read, and an interpreter that runs from one."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lanes.vm import cpio, elf, initramfs, interpreter
from tests.conftest import Cli

NAMES = st.text("abc/.", min_size=1, max_size=9).filter(
    lambda name: Path(name).parts == tuple(name.split("/"))
)


def read(data: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """A reader written from cpio(5), not from the writer: mode, data and device by name."""
    found: dict[str, tuple[int, bytes, tuple[int, int]]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, major, minor, length = fields[1], fields[6], fields[9], fields[10], fields[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        at += (110 + length + 3) & ~3
        if name == "TRAILER!!!":
            return found
        assert name not in found
        found[name] = (mode, data[at : at + size], (major, minor))
        at += (size + 3) & ~3


@given(st.dictionaries(NAMES, st.binary(max_size=9), max_size=6))
def test_an_archive_holds_every_file_after_its_directories(files: dict[str, bytes]) -> None:
    """Names that are a directory of another's are left to the caller not to give."""
    files = {n: d for n, d in files.items() if not any(o.startswith(f"{n}/") for o in files)}
    found = read(cpio.archive(cpio.file(name, data) for name, data in files.items()))
    assert {name: entry[1] for name, entry in found.items() if stat.S_ISREG(entry[0])} == files
    names = list(found)
    for name in names:
        for parent in Path(name).parents:
            assert str(parent) == "." or names.index(str(parent)) < names.index(name)


def test_devices_links_and_modes_are_kept() -> None:
    """The console's node is what the kernel opens for the first process."""
    entries = [
        cpio.device("dev/console", 5, 1), cpio.symlink("init", "usr/bin/python"),
        cpio.file("run", b"x", executable=True), cpio.file("run", b"y"),
    ]  # fmt: skip
    found = read(cpio.archive(entries))
    assert found["dev/console"] == (stat.S_IFCHR | 0o600, b"", (5, 1))
    assert found["init"] == (stat.S_IFLNK | 0o777, b"usr/bin/python", (0, 0))
    assert found["run"][:2] == (stat.S_IFREG | 0o644, b"y")


def test_archives_can_be_appended_and_are_equal_for_equal_files() -> None:
    """The kernel looks for the next archive at a multiple of four bytes."""
    data = cpio.archive([cpio.file("a", b"x")])
    assert len(data) % 4 == 0
    assert data == cpio.archive([cpio.file("a", b"x")])


def test_what_guests_have_in_common_is_the_same_whatever_else_is_loaded(cli: Cli) -> None:
    """So that a guest counts the same to the last digit, whoever packs it."""
    code = "import zlib, {}; from bench.lanes.vm import initramfs; print(zlib.crc32(initramfs.base()))"
    said = [cli.python("-c", code.format(more)).out for more in ("os", "asyncio, numpy, unittest.mock")]
    assert said[0] == said[1] and said[0]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio(1) here")
def test_cpio_unpacks_what_we_pack(tmp_path: Path) -> None:
    """The program of that name agrees with the format."""
    data = cpio.archive([cpio.file("a/b c", b"text"), cpio.symlink("l", "a")])
    subprocess.run(["cpio", "-idm", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "a" / "b c").read_text() == "text"
    assert (tmp_path / "l" / "b c").read_text() == "text"


def test_the_packed_interpreter_starts_by_itself_and_the_workload_answers(tmp_path: Path) -> None:
    """Unpacked anywhere, with its own loader and libraries only, it does what a guest asks of it."""
    found = read(initramfs.base())
    for name, (mode, data, _) in found.items():
        path = tmp_path / name
        if stat.S_ISDIR(mode):
            path.mkdir(exist_ok=True)
        elif stat.S_ISREG(mode):
            path.write_bytes(data)
            path.chmod(mode & 0o777)
    loader = elf.read(tmp_path / interpreter.PROGRAM).loader
    assert loader is not None
    command = [
        str(tmp_path / loader.lstrip("/")), "--library-path", str(tmp_path / interpreter.LIBRARIES),
        str(tmp_path / interpreter.PROGRAM), "-S", str(tmp_path / "workload"),
    ]  # fmt: skip
    done = subprocess.run(
        command, input='{"do": "hello"}\n', capture_output=True, text=True, cwd=tmp_path, check=False,
        env={"PYTHONHOME": str(tmp_path / "usr")}, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout)["kernel"] == os.uname().release, done.stderr
    assert found["init"][1] == interpreter.PROGRAM.encode()


def test_jobs_stand_one_a_line() -> None:
    """As the workload reads them."""
    found = read(initramfs.jobs([{"do": "hello"}, {"do": "measure"}]))
    assert found["jobs"][1] == b'{"do": "hello"}\n{"do": "measure"}\n'
