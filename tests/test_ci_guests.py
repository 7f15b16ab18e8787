"""What .ci/run prepares for booting: QEMU and kernels where they can be had, a line where they cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOLS = (
    "bash", "cat", "chmod", "env", "find", "grep", "head", "mkdir", "ps", "rm", "sed", "sleep", "sort",
    "tail", "timeout", "touch",
)  # fmt: skip
# An apt that logs who runs it and how, installs programs of this name, and downloads packages that are none.
APT_GET = """
[ "$(cat /proc/$PPID/comm)" = timeout ] && [ "$DEBIAN_FRONTEND" = noninteractive ] || echo unguarded >>$LOG
echo "apt-get $*" >>$LOG
[ -z "$APT_HANGS" ] || exec sleep 60
[ -z "$OFFLINE" ] || { echo "E: Unable to fetch some archives" >&2; exit 100; }
case "$*" in
*--download-only*) ;;
*install*qemu-system-x86) touch $BIN/qemu-system-x86_64; chmod +x $BIN/qemu-system-x86_64 ;;
*install*qemu-system-arm) touch $BIN/qemu-system-aarch64; chmod +x $BIN/qemu-system-aarch64 ;;
*download*) touch kernel.deb ;;
esac
"""
APT_CACHE = """
case "$*" in
*python3-minimal) echo "  Depends: python3.11-minimal" ;;
*pkgnames*) echo linux-image-6.12-cloud-arm64 ;;
*) echo "linux-image-cloud-amd64"; echo "  Depends: linux-image-6.12-cloud-amd64" ;;
esac
"""
DPKG = 'mkdir -p "$3/boot"; touch "$3/boot/vmlinuz-6.12"'
INSTALLED = ["qemu-system-x86", "qemu-system-arm"]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The programs of a machine with an apt-get and no QEMU, where the tests are run by root."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    for name, does in {"apt-get": APT_GET, "apt-cache": APT_CACHE, "dpkg": DPKG, "id": "echo 0"}.items():
        program(programs / name, does)
    return programs


def program(path: Path, does: str) -> None:
    """A shell script."""
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def environment(machine: Path, log: Path) -> dict[str, str]:
    """Nothing of the caller's, and how apt-get does."""
    return {"PATH": str(machine), "BIN": str(machine), "LOG": str(log), "APT_HANGS": "", "OFFLINE": ""}


def prepared(machine: Path, **more: str) -> tuple[list[str], list[str], dict[str, str]]:
    """What is said, the calls of apt-get, and the variables for tests."""
    work, log = machine.parent / "work", machine.parent / "log"
    work.mkdir()
    log.touch()
    script = ROOT / ".ci/guests"
    source = (
        'set -uo pipefail; running=; work=$1; shift; . "$1"; echo END; env | grep ^RMAPBENCH_TEST_ || true'
    )
    done = subprocess.run(
        ["bash", "-c", source, "bash", str(work), str(script)], cwd=ROOT, text=True, capture_output=True,
        env={**environment(machine, log), **more}, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    said, _, variables = done.stdout.partition("END\n")
    calls = log.read_text().splitlines()
    assert "unguarded" not in calls
    return said.splitlines(), calls, dict(line.split("=", 1) for line in variables.splitlines())


def installs(calls: list[str]) -> list[str]:
    """The packages that were installed."""
    return [call.split()[-1] for call in calls if " install " in call and "--download-only" not in call]


def test_root_gets_qemu_and_kernels(machine: Path) -> None:
    """Of both machines, without a question and under a time limit; the lists are fetched once."""
    said, calls, variables = prepared(machine)
    assert installs(calls) == INSTALLED
    assert sum(call.endswith("DPkg::Lock::Timeout=30 update") for call in calls) == 1
    assert set(variables) == {
        "RMAPBENCH_TEST_KERNEL", "RMAPBENCH_TEST_KERNEL_ARM64", "RMAPBENCH_TEST_ROOT_ARM64"
    }  # fmt: skip
    assert all(Path(path).exists() for path in variables.values())
    assert not [line for line in said if line.startswith("no boot")]


def test_what_is_there_is_used(machine: Path) -> None:
    """QEMU, and the kernels that the caller names: nothing is asked for."""
    for name in ("qemu-system-x86_64", "qemu-system-aarch64"):
        program(machine / name, "")
    named = {
        "RMAPBENCH_TEST_KERNEL": "a",
        "RMAPBENCH_TEST_KERNEL_ARM64": "b",
        "RMAPBENCH_TEST_ROOT_ARM64": "c",
    }
    _, calls, variables = prepared(machine, **named)
    assert calls == [] and variables == named


def test_others_than_root_are_told_what_to_install(machine: Path) -> None:
    """A line for each machine, and nothing is done."""
    program(machine / "id", "echo 1000")
    said, calls, variables = prepared(machine)
    assert said[:2] == [
        f"no boot of {name}: there is no qemu-system-{name}, "
        f"and only root can install it: apt-get install {package}"
        for name, package in zip(("x86_64", "aarch64"), INSTALLED)
    ]
    assert (calls, variables) == ([], {})


def test_without_apt_get_there_is_a_line_for_each_machine(machine: Path) -> None:
    """And with QEMU installed it is the kernel that is missing."""
    (machine / "apt-get").unlink()
    program(machine / "qemu-system-aarch64", "")
    said, _, variables = prepared(machine)
    assert said[0].startswith("no boot of x86_64: there is no qemu-system-x86_64, and no apt-get")
    assert said[1].startswith(
        "no boot of aarch64: there is no apt-get to download a kernel; name one with RMAP"
    )
    assert variables == {}


def test_without_network_it_goes_on(machine: Path) -> None:
    """With what apt-get said last."""
    program(machine / "qemu-system-aarch64", "")
    said, calls, variables = prepared(machine, OFFLINE="1")
    assert said[1].endswith("could not install qemu-system-x86 (E: Unable to fetch some archives)"), said
    assert said[2].startswith("no boot of aarch64: apt-get could not download a kernel and a Python (E: Una")
    assert variables == {} and installs(calls) == []


def test_an_apt_get_that_hangs_takes_no_more_than_the_time_there_is(machine: Path, tmp_path: Path) -> None:
    """All of it together."""
    script = (ROOT / ".ci/guests").read_text()
    assert "patience=280 " in script and script.count("patience=") == 1
    short = tmp_path / "guests"
    short.write_text(script.replace("patience=280 ", "patience=2 "))
    work = tmp_path / "work"
    work.mkdir()
    source = f"set -uo pipefail; running=; work={work}; . {short}; echo END"
    done = subprocess.run(
        ["bash", "-c", source], text=True, capture_output=True, timeout=30,
        env={**environment(machine, tmp_path / "log"), "APT_HANGS": "1"},
    )  # fmt: skip
    assert done.stdout.count("no boot of") == 2 and done.stdout.endswith("END\n"), done


def test_the_whole_check_prepares_guests_from_its_own_clone() -> None:
    """Before the tests, which find them by the variables."""
    text = (ROOT / ".ci/run").read_text()
    assert text.index('cd "$work/tree"') < text.index("\n. .ci/guests\n") < text.index("step tests")
