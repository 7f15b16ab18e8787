"""A guest's Python from packages: found without being run, complete, and never this machine's own files."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import LaneUnavailable, UsageError
from bench.lanes.vm import elf, unpacked
from bench.lanes.vm.interpreter import VERSION
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.aarch64 import AARCH64
from bench.lanes.vm.machines.x86_64 import X86_64
from tests import vm
from tests.conftest import ROOT, Cli

MODULES = ("ctypes", "zlib")  # the latter is built in
ELSEWHERE = AARCH64 if platform.machine() != "aarch64" else X86_64


def found(path: Path) -> unpacked.GuestRoot:
    """The root in a directory."""
    (root,) = unpacked.roots([str(path)], [AARCH64]).values()
    return root


def packed(path: Path) -> dict[str, bytes]:
    """What a guest gets of the root, by place."""
    python = found(path).interpreter(path.parent / "no workload", MODULES)
    return {entry.name: entry.data for entry in python.entries()}


def test_what_the_programs_import_is_packed_and_nothing_else(tmp_path: Path) -> None:
    """Modules, those that they import when loaded, extensions; not what functions may import later."""
    path = vm.guest_root(tmp_path / "root", version=VERSION)
    names = packed(path)
    home = f"usr/lib/python{VERSION}"
    sources = {name.removeprefix(f"{home}/") for name in names if name.endswith(".py")}
    assert sources == {
        "encodings/__init__.py",
        "encodings/aliases.py",
        "ctypes/__init__.py",
        "os.py",
        "stat.py",
    }
    assert f"{home}/lib-dynload/_ctypes.cpython-311-aarch64-linux-gnu.so" in names
    assert any(name.startswith(f"{home}/ctypes/__pycache__/__init__") for name in names)


def test_libraries_are_those_that_programs_and_libraries_need(tmp_path: Path) -> None:
    """By the name they are asked for, the loader where the program looks for it."""
    names = packed(vm.guest_root(tmp_path / "root"))
    libraries = {name for name in names if ".so" in name and "lib-dynload" not in name}
    assert libraries == {"lib/ld.so.1", *(f"usr/lib/lib{lib}" for lib in ("c.so.6", "z.so.1", "ffi.so.8")),
                         "usr/lib/ld.so.1"}  # fmt: skip
    assert names["usr/bin/python"] == (tmp_path / "root/usr/bin/python3.11").read_bytes()
    assert names["usr/lib/libz.so.1"] == vm.elf(AARCH64.elf, needed=["libc.so.6"])


def test_links_lead_to_files_of_the_root_and_never_out_of_it(tmp_path: Path) -> None:
    """An absolute link is the guest's; one that climbs out, or goes in circles, leads nowhere."""
    path = vm.guest_root(tmp_path / "root")
    outside = tmp_path / "outside.so"
    outside.write_bytes(vm.elf(AARCH64.elf))
    for target in (str(outside), "../../../outside.so", "libc.so.6"):
        library = path / "lib/aarch64-linux-gnu/libc.so.6"
        library.unlink()
        library.symlink_to(target)
        with pytest.raises(LaneUnavailable, match=r"libc\.so\.6, which .* needs, is not there"):
            packed(path)


def test_another_version_of_python_compiles_for_itself(tmp_path: Path) -> None:
    """This one's bytecode would be refused there."""
    other = "3.99" if VERSION != "3.99" else "3.98"
    names = packed(vm.guest_root(tmp_path / "root", version=other))
    assert f"usr/lib/python{other}/os.py" in names
    assert not any("__pycache__" in name for name in names)


def test_a_missing_library_is_named_with_who_needs_it_and_the_remedy(tmp_path: Path) -> None:
    """A package was forgotten."""
    path = vm.guest_root(tmp_path / "root")
    (path / "usr/lib/aarch64-linux-gnu/libffi.so.8").unlink()
    with pytest.raises(LaneUnavailable, match=r"libffi\.so\.8, which _ctypes\S+ needs, is not there; get it"):
        packed(path)


@pytest.mark.parametrize(
    ("name", "module"), [("os", "os"), ("ctypes/__init__", "ctypes"), ("lib-dynload/_ctypes", "_ctypes")]
)
def test_a_forgotten_package_of_the_library_is_noticed(name: str, module: str, tmp_path: Path) -> None:
    """Before a guest is booted that could not start."""
    path = vm.guest_root(tmp_path / "root")
    (found,) = path.glob(f"usr/lib/python3.11/{name}.*")
    found.unlink()
    with pytest.raises(LaneUnavailable, match=f"module {module} is not there; get it"):
        packed(path)


def test_a_newer_python_than_this_one_is_refused_if_it_cannot_be_read(tmp_path: Path) -> None:
    """What its modules import would be missed."""
    path = vm.guest_root(tmp_path / "root", version="3.99")
    (path / "usr/lib/python3.99/stat.py").write_text("def words of a later grammar")
    with pytest.raises(LaneUnavailable, match=r"stat\.py: not understood by .* with Python 3\.99"):
        packed(path)


@pytest.mark.parametrize("given_root", [False, True])
def test_no_python_for_guests_is_exit_code_4_with_the_commands(
    given_root: bool, cli: Cli, tmp_path: Path
) -> None:
    """Whether no directory was named or nothing is in it; the commands are for a shell."""
    image = vm.arm64_image(tmp_path / "Image") if ELSEWHERE is AARCH64 else vm.bzimage(tmp_path / "Image")
    words = ["run", "--lane", "vm", "--kernel", str(image), "--fast", "fork", "order=0"]
    words += ["--guest-root", str(tmp_path / "it's")] if given_root else []
    done = cli(*words, env=vm.fake_qemu(tmp_path), cwd=tmp_path)
    assert done.code == 4, done.err
    assert "--guest-root" in done.err
    commands = done.err.partition("with:\n")[2]
    checked = subprocess.run(["sh", "-n"], input=commands, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    words = commands.split()
    assert f"APT::Architecture={ELSEWHERE.debian}" in words
    assert set(unpacked.PACKAGES) <= set(words)


def test_the_manual_has_the_same_commands() -> None:
    """Word for word; they were run as they stand there."""
    manual = (ROOT / "README.md").read_text()
    commands = unpacked.remedy(AARCH64, Path("root")).splitlines()[1:]
    assert len(commands) == 4
    assert [command for command in commands if f"\n{command.strip()}\n" not in manual] == []


def test_roots_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """Two for one machine, or one for a machine that guests cannot be."""
    paths = [str(vm.guest_root(tmp_path / name)) for name in ("a", "b")]
    with pytest.raises(UsageError, match="there is one for aarch64 already"):
        unpacked.roots(paths, [AARCH64])
    (tmp_path / "a/usr/bin/python3.11").write_bytes(vm.elf(243))
    with pytest.raises(UsageError, match="for ELF machine 243; guests can be x86_64, aarch64"):
        unpacked.roots(paths[:1], [AARCH64])


def test_both_machines_take_their_python_from_packages_if_told_to(tmp_path: Path) -> None:
    """This machine's own too; without a root it is the running Python."""
    for machine in MACHINES.values():
        root = found(vm.guest_root(tmp_path / machine.name, machine))
        assert root.machine == machine
        assert unpacked.require(machine, {machine.name: root}) == root
    here = MACHINES.get(platform.machine(), X86_64)
    if here.name == platform.machine():
        assert unpacked.require(here, {}) is None
    with pytest.raises(LaneUnavailable, match=f"guests of {ELSEWHERE.name} need a Python of theirs"):
        unpacked.require(ELSEWHERE, {})


@given(st.integers(0, 600), st.integers(0, 600), st.binary(max_size=4))
def test_no_broken_program_gives_a_traceback(tmp_path_factory: pytest.TempPathFactory, cut: int, at: int,
                                             change: bytes) -> None:  # fmt: skip
    """Cut anywhere, changed anywhere: facts, or one sentence."""
    data = vm.elf(AARCH64.elf, "/lib/ld.so.1", ["libc.so.6"])
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes((data[:at] + change + data[at + len(change) :])[: cut or None])
    try:
        assert elf.read(path).machine >= 0
    except LaneUnavailable as error:
        assert str(path) in str(error)


def test_facts_of_a_program_are_read() -> None:
    """This Python's own: a program for this machine."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    told = elf.read(program)
    if machine := MACHINES.get(platform.machine()):
        assert told.machine == machine.elf
    assert told.loader is None or Path(told.loader).name.startswith("ld")
