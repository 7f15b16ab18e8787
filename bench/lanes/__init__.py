"""The lanes by name: each is one module with the same entry points (see bench.lanes.model.lane)."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import options
from bench.case import Case
from bench.errors import UsageError, one_of
from bench.measure.plan import Pace, Plan, Settings

if TYPE_CHECKING:  # the engine is not needed to list or to help
    from bench.measure.engine import Engine, Progress
    from bench.measure.journal import Journal

LANES = {"model": "bench.lanes.model.lane", "live": "bench.lanes.live.lane", "vm": "bench.lanes.vm.lane"}


def lane(name: str) -> ModuleType:
    """The lane's module; UsageError for one that does not exist."""
    if name not in LANES:
        raise one_of("lane", name, LANES)
    return importlib.import_module(LANES[name])


def extra(module: ModuleType, args: argparse.Namespace) -> Any:
    """What the user adds to the lane: variants, or the kernels of one that boots some."""
    if hasattr(module, "extra"):
        return module.extra(args)
    if any(getattr(args, name, None) for name in ("kernel", "accel", "cluster", "guest_root")):
        raise UsageError("--kernel, --guest-root, --accel and --cluster are for the vm lane; add --lane vm")
    return options.variants(args)


def pace(module: ModuleType, added: Any) -> Pace:
    """What suits the lane, given what the user added."""
    return module.pace(added) if hasattr(module, "pace") else module.PACE


def main_cases(module: ModuleType, added: Any) -> list[Case]:
    """What the lane measures if nothing is named."""
    return module.main_cases(added) if hasattr(module, "extra") else module.main_cases()


def engine(module: ModuleType, cluster: str | None) -> Callable[[Plan, Settings, Journal, Progress], Engine]:
    """What carries out a plan: processes of this machine, or a cluster if the lane can use one."""
    if not cluster:
        from bench.measure.engine import Engine

        return Engine
    if not hasattr(module, "engine"):
        raise UsageError("--cluster: this run is not of the vm lane; go on without")
    return module.engine(cluster)


class ByHand(NamedTuple):
    """A command to be run by hand, in a lane's place, and the file that it reads."""

    command: list[str]
    file: Path
    content: bytes


def dry_run(name: str) -> Callable[[Plan, Settings, Path], list[ByHand]]:
    """How a lane says what it would run, with files in a directory."""
    if not hasattr(lane(name), "dry_run"):
        raise UsageError(f"--dry-run: the {name} lane runs no other program; `list` says what it measures")
    return lane(name).dry_run
