"""The probe of KVM: it is believed only when it ran something."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import LaneUnavailable
from bench.lanes.vm import kvm
from bench.lanes.vm.machines.aarch64 import AARCH64
from bench.lanes.vm.machines.x86_64 import X86_64


def program(path: Path, *lines: str) -> str:
    """A program of these shell lines."""
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device file that can be opened."""
    path = tmp_path / "kvm"
    path.touch()
    monkeypatch.setattr(kvm, "DEVICE", path)
    monkeypatch.setattr(kvm.platform, "machine", lambda: "x86_64")
    return path


def test_a_guest_that_says_the_code_is_believed(tmp_path: Path) -> None:
    """The debug device makes QEMU's exit code of what the boot sector says."""
    kvm.require(program(tmp_path / "qemu", f"exit {kvm.CODE << 1 | 1}"), X86_64)


def test_the_guest_gets_a_boot_sector_with_its_signature(tmp_path: Path) -> None:
    """512 bytes, in a file that is gone afterwards."""
    copy = 'for word; do case $word in file=*) word=${word#file=}; cp "${word%%,*}" "$COPY";; esac; done'
    code = f"exit {kvm.CODE << 1 | 1}"
    kvm.require(program(tmp_path / "qemu", f"COPY='{tmp_path}/copy'", copy, code), X86_64)
    sector = (tmp_path / "copy").read_bytes()
    assert len(sector) == 512 and sector[510:] == b"\x55\xaa"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("echo 'ioctl(KVM_CREATE_VM) failed: 16' >&2", "exit 1"), r"ioctl\(KVM_CREATE_VM\) failed: 16"),
        (("exit 0",), "exit code 0"),
        (("exec sleep 60",), "silent for 0.2 s"),
    ],
)
def test_a_device_that_runs_nothing_is_unavailable(
    lines: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With QEMU's reason, and what to do instead."""
    monkeypatch.setattr(kvm, "TIMEOUT", 0.2)
    with pytest.raises(LaneUnavailable, match=f"does not run a guest .{said}.*--accel tcg"):
        kvm.require(program(tmp_path / "qemu", *lines), X86_64)


def test_a_missing_device_is_unavailable(device: Path) -> None:
    """Nothing is started."""
    device.unlink()
    with pytest.raises(LaneUnavailable, match=r"missing or not permitted.*--accel tcg"):
        kvm.require("no-such-program", X86_64)


def test_another_architecture_is_not_for_kvm(tmp_path: Path) -> None:
    """It runs guests of the machine's own only."""
    with pytest.raises(LaneUnavailable, match=r"guests of aarch64 do not run with KVM here.*--accel tcg"):
        kvm.require(program(tmp_path / "qemu", f"exit {kvm.CODE << 1 | 1}"), AARCH64)
