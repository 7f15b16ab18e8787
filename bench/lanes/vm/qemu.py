"""QEMU's command line for a guest, and whether there is a QEMU."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.vm import initramfs
from bench.lanes.vm.image import Image
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.machine import Machine

MEMORY_MIB = 512
ACCELERATORS = ("tcg", "kvm")
FIRST_DAY = datetime.date(2024, 1, 1)
DAYS_APART = 37  # of the dates that boots believe in
SETTLE = {"tcg": 20, "kvm": 1}  # seconds of the guest's own, in which what booting left behind is done


@dataclass(frozen=True)
class Boot:
    """One boot of one kernel; its number stands for what is different from boot to boot."""

    image: Image
    number: int
    accelerator: str = "tcg"

    @property
    def date(self) -> datetime.date:
        """What the guest's clock says when it starts."""
        return FIRST_DAY + datetime.timedelta(days=DAYS_APART * self.number)


def command(boot: Boot, archive: Path) -> list[str]:
    """The whole command: one CPU, no network, no disk, no display, the console on standard output.

    Under TCG an instruction takes a nanosecond of the guest's time. Date and seed set where the kernel and
    its processes lie: equal ones give equal figures, to the last digit.
    """
    machine = MACHINES[boot.image.machine]
    return [
        machine.qemu, *machine.board, *_accelerator(boot, machine), "-m", str(MEMORY_MIB),
        "-rtc", f"base={boot.date}T00:00:00,clock=vm", "-seed", str(boot.number + 1),
        "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-kernel", str(boot.image.path), "-initrd", str(archive), "-append", append(boot, machine),
    ]  # fmt: skip


def _accelerator(boot: Boot, machine: Machine) -> tuple[str, ...]:
    if boot.accelerator == "kvm":
        return "-accel", "kvm", "-cpu", "host"
    return "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", machine.tcg_cpu


def append(boot: Boot, machine: Machine) -> str:
    """The kernel's command line; what it does not know it hands to the first process."""
    environment = {**initramfs.ENVIRONMENT, "SETTLE": SETTLE[boot.accelerator]}
    return " ".join(
        [
            f"console={machine.console}", "loglevel=4", "panic=-1", *machine.append,
            *(f"{name}={value}" for name, value in environment.items()),
            "--", *initramfs.ARGUMENTS,
        ]
    )  # fmt: skip


def require(machine: Machine) -> str:
    """The path of the machine's QEMU; LaneUnavailable with what to install if there is none."""
    found = shutil.which(machine.qemu)
    if found is None:
        raise LaneUnavailable(
            f"{machine.qemu} is not installed; it comes with: apt-get install {machine.package}"
        )
    return found


def version(program: str) -> str:
    """The line that a QEMU says of itself."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return (said.splitlines() or ["unknown"])[0]
