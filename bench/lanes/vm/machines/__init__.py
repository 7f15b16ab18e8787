"""The architectures of guests, one a file, by the name that uname -m gives them."""

from __future__ import annotations

from bench.lanes.vm.machines.aarch64 import AARCH64
from bench.lanes.vm.machines.machine import Machine
from bench.lanes.vm.machines.x86_64 import X86_64

MACHINES: dict[str, Machine] = {machine.name: machine for machine in (X86_64, AARCH64)}
