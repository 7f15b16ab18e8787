"""Whether KVM really runs guests here: it may be there, and open, and fail at the first instruction."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.vm.machines.machine import Machine

DEVICE = Path("/dev/kvm")
TIMEOUT = 20  # seconds; it takes one
PORT = 0xF4
CODE = 0x15
# A boot sector that says CODE to the port: mov $CODE,%al; out %al,$PORT; hlt; and round again.
SECTOR = bytes([0xB0, CODE, 0xE6, PORT, 0xF4, 0xEB, 0xFD]).ljust(510, b"\0") + b"\x55\xaa"


def require(qemu: str, machine: Machine) -> None:
    """LaneUnavailable, with what is wrong, if a trivial guest of the machine does not run."""
    remedy = "count instructions instead, with --accel tcg"
    if machine.name != platform.machine() or not machine.probes_kvm:
        raise LaneUnavailable(f"guests of {machine.name} do not run with KVM here; {remedy}")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        raise LaneUnavailable(f"{DEVICE}: missing or not permitted; {remedy}")
    said = _tried(qemu)
    if said:
        raise LaneUnavailable(f"{DEVICE} is there but does not run a guest ({said}); {remedy}")


def _tried(qemu: str) -> str:
    """Boot the sector; empty if it ran, else what went wrong."""
    with tempfile.TemporaryDirectory(prefix="rmapbench-") as directory:
        disk = Path(directory) / "probe"
        disk.write_bytes(SECTOR)
        drive = str(disk).replace(",", ",,")  # as QEMU's options have commas
        command = [
            qemu, "-accel", "kvm", "-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-drive", f"file={drive},format=raw,if=ide",
            "-device", f"isa-debug-exit,iobase={PORT:#x},iosize=1",
        ]  # fmt: skip
        try:
            run = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"silent for {TIMEOUT} s"
        except OSError as error:
            return f"{qemu}: {error.strerror}"
    if run.returncode == CODE << 1 | 1:  # how the device ends QEMU
        return ""
    return (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
