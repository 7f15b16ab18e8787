"""The vm lane: kernels booted in QEMU, driven through fork, munmap and others; figures are instructions."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.case import ALL, Case, Filters
from bench.errors import LaneUnavailable, UsageError, one_of
from bench.lanes import ByHand
from bench.lanes.kernel_arms import UNASKED, control_arms
from bench.lanes.vm import initramfs, kvm, qemu, unpacked
from bench.lanes.vm.image import Image, images
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.machine import Machine
from bench.lanes.vm.operations import FAMILIES, MEMORY, Family, case, cases_of, parse_memory
from bench.lanes.vm.session import Session
from bench.lanes.vm.unpacked import GuestRoot, roots
from bench.measure.plan import Arm, Block, Pace, Plan, Settings

if TYPE_CHECKING:
    from bench.measure.engine import Engine, Progress
    from bench.measure.journal import Journal

SESSION = "bench.lanes.vm.session"
AT_ONCE = 2  # guests
LOCAL, ADDRESSES = "local", ("tcp://", "tls://")  # of --cluster
DESCRIBED = ("name", "machine", "release", "file")  # what stands in a line about a kernel


@dataclass(frozen=True)
class Guests:
    """Which kernels are booted, and how."""

    images: dict[str, Image]
    accelerator: str
    controls: bool = True
    cluster: str = ""  # where they are booted, if not by processes of this run
    roots: dict[str, GuestRoot] = field(default_factory=dict)  # by machine, where there is another Python

    @property
    def machines(self) -> list[Machine]:
        """What the kernels are for."""
        return list(dict.fromkeys(MACHINES[image.machine] for image in self.images.values()))

    def of(self, machine: Machine) -> list[Image]:
        """The kernels for a machine: they are compared with each other."""
        return [image for image in self.images.values() if image.machine == machine.name]


def extra(args: argparse.Namespace) -> Guests:
    """The guests that the arguments ask for."""
    if args.variant:
        raise UsageError("--variant: the vm lane boots kernels; variants are the model's")
    accelerator = args.accel or "tcg"
    if accelerator not in qemu.ACCELERATORS:
        raise one_of("accelerator", accelerator, qemu.ACCELERATORS)
    if not args.kernel:
        raise UsageError("the vm lane needs a kernel to boot: --kernel IMAGE, or --kernel /boot")
    cluster = getattr(args, "cluster", None) or ""
    if cluster:
        _check_cluster(cluster, accelerator, args)
    # One boot allows no verdict, and so needs no controls.
    found = Guests(images(args.kernel), accelerator, not getattr(args, "fast", False), cluster)
    return dataclasses.replace(found, roots=roots(getattr(args, "guest_root", None) or (), found.machines))


def _check_cluster(cluster: str, accelerator: str, args: argparse.Namespace) -> None:
    """Refuse what cannot be done on a cluster."""
    if cluster != LOCAL and not cluster.startswith(ADDRESSES):
        raise UsageError(f"--cluster {cluster}: expected {LOCAL} or an address such as tcp://HOST:8786")
    if accelerator != "tcg":
        raise UsageError(
            f"--accel {accelerator} takes the time, which depends on the machine; with --cluster only tcg"
        )
    if getattr(args, "affinity", None):
        raise UsageError("--affinity is for processes of this run; a cluster's workers choose their CPUs")


def engine(cluster: str) -> Callable[[Plan, Settings, Journal, Progress], Engine]:
    """What carries out a plan on a cluster."""
    return functools.partial(_cluster_engine().ClusterEngine, cluster)


def _cluster_engine() -> ModuleType:
    """The module that needs Dask, which is heavy and need not be there."""
    try:
        return importlib.import_module("bench.lanes.vm.cluster.engine")
    except ImportError as error:
        raise LaneUnavailable(
            f"--cluster needs Dask distributed ({error}); it comes with: pip install '.[cluster]'"
        ) from None


def pace(guests: Guests) -> Pace:
    """A process is a boot, of every kernel, each with an order of work of its own.

    The median of three rounds leaves out what a page fault more or a timer tick adds to some operations.
    """
    workers = max(1, AT_ONCE // len(guests.images))
    return Pace(
        processes=6, fast_processes=1, rounds=3, fast_rounds=3, warmups=0, timeout=300.0, workers=workers
    )


def cases(guests: Guests, filters: Filters = ALL) -> list[Case]:
    """Every case that the kernels can be expected to have."""
    memories: list[str | None] = list(dict.fromkeys(filters.values("memory"))) or [None]
    for memory in filters.values("memory"):
        parse_memory(memory)
    return [
        found for image in guests.images.values() for memory in memories for found in cases_of(image, memory)
    ]


def main_cases(guests: Guests) -> list[Case]:
    """What is measured if nothing is named."""
    return UNASKED.select(cases(guests))


def notes(chosen: list[Case]) -> list[str]:
    """For `list`."""
    return ["whether a kernel has a folio size, it says itself when it runs; a case it lacks has no figure"]


def describe_variants(guests: Guests) -> list[str]:
    """A line a kernel: name, machine, release, file."""
    return [
        f"{image.name:32} {image.machine:8} {image.release or '-':32} {image.path}"
        for image in guests.images.values()
    ]


def prepare(chosen: list[Case], guests: Guests) -> None:
    """Refuse what cannot run here, before anything is booted."""
    far = _cluster_engine() if guests.cluster else None
    if far and guests.cluster != LOCAL:
        far.examine(guests.cluster, {machine.name for machine in guests.machines})
    for machine in guests.machines:
        initramfs.base(unpacked.require(machine, guests.roots))
        if guests.cluster not in ("", LOCAL):
            continue  # the workers' QEMU was looked at
        program = qemu.require(machine)
        if guests.accelerator == "kvm":
            kvm.require(program, machine)


def dry_run(plan: Plan, settings: Settings, directory: Path) -> list[ByHand]:
    """A boot of each kernel: what QEMU is started with, and the archive that the guest unpacks."""
    session = Session(plan.setup)
    job = {"blocks": range(len(plan.blocks)), "skip": (), "number": session.number}
    asked = session.requests(plan, {**job, "rounds": settings.rounds, "seed": settings.seed})
    bases, found = session.bases(), []
    for name, requests in asked.items():
        file = directory / f"rmapbench-initramfs-{name}.cpio"
        content = session.archive(name, requests, bases)
        found.append(ByHand(session.command(name, session.number, file), file, content))
    return found


def plan(chosen: list[Case], guests: Guests) -> Plan:
    """A block for each family, order and memory: an arm a kernel and path; controls of the last one."""
    wanted = {found.name for found in chosen}
    memories = list(dict.fromkeys(found.get("memory") or None for found in chosen))
    orders = sorted(
        {order for image in guests.images.values() for f in FAMILIES for order in f.orders(image)}
    )
    blocks = [
        block
        for family in FAMILIES
        for order in orders
        for memory in memories
        for machine in guests.machines
        if (block := _block(family, order, memory, guests, machine, wanted))
    ]
    kernels = {
        name: {**dataclasses.asdict(image), "path": str(image.path)} for name, image in guests.images.items()
    }
    setup = {
        "kernels": kernels, "accelerator": guests.accelerator, "at_once": AT_ONCE,
        "guest_roots": [str(root.path) for root in guests.roots.values()],
    }  # fmt: skip
    return Plan(SESSION, setup, tuple(blocks))


def _block(
    family: Family, order: int, memory: str | None, guests: Guests, machine: Machine, wanted: set[str]
) -> Block | None:
    kernels, arms = guests.of(machine), list[Arm]()
    base, name = kernels[0].name, _name(family, order, memory, machine)
    for image in kernels:
        for path, operations in family.paths(order).items() if order in family.orders(image) else ():
            named = {op: case(family, image, op, path, order, memory).name for op in operations}
            named = {op: name for op, name in named.items() if name in wanted}
            if named:
                spec = _spec(family, image, path, order, memory, base)
                if not guests.controls and not memory:
                    spec["bytes"] = MEMORY // 2  # figures without a verdict are to be there soon
                arms.append(Arm(tuple(named.values()), {**spec, "ops": list(named)}))
    if not arms:
        return None
    if not guests.controls:
        return Block(name, tuple(arms))
    last = [arm for arm in arms if arm.spec["kernel"] == arms[-1].spec["kernel"]]
    return Block(name, (*arms, *control_arms(last)))


def _name(family: Family, order: int, memory: str | None, machine: Machine) -> str:
    return f"{family.name}/{machine.name}/order={order}" + (f"/memory={memory}" if memory else "")


def _spec(
    family: Family, image: Image, path: str, order: int, memory: str | None, base: str
) -> dict[str, Any]:
    """The memory of a path; kernels are compared with the first one."""
    return {
        "role": "case", "kernel": image.name, "memory": family.memory, "path": path, "order": order,
        "shared": family.shared, "bytes": parse_memory(memory) if memory else MEMORY,
        "metadata": {"base": base} if image.name != base else {},
    }  # fmt: skip


def metadata() -> dict[str, str]:
    """Nothing that its sessions do not say themselves."""
    return {}


def kept_machine() -> AbstractContextManager[None]:
    """Guests change nothing of this machine."""
    return contextlib.nullcontext()


def cpus(usable: list[int]) -> list[int]:
    """Any."""
    return usable
