"""The lanes by name: each is one module with the same entry points (see bench.lanes.model.lane)."""

from __future__ import annotations

import importlib
from types import ModuleType

from bench.errors import one_of

LANES = {"model": "bench.lanes.model.lane", "live": "bench.lanes.live.lane"}


def lane(name: str) -> ModuleType:
    """The lane's module; UsageError for one that does not exist."""
    if name not in LANES:
        raise one_of("lane", name, LANES)
    return importlib.import_module(LANES[name])
