"""What interpreted kernels did to memory: every access, in order, for counting (spec 6.17, 12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Event(NamedTuple):
    """One access or side effect; `apart` names the side effect it happened in, "" in the call itself."""

    kind: str  # U, N: locked, result used or not; r, w: plain load, store; F: full fence; call: a side effect
    address: int
    apart: str
    name: str


_events: list[Event] | None = None
_apart: list[str] = []


@contextmanager
def recording() -> Iterator[list[Event]]:
    """Collect the events of interpreted kernels run inside the block."""
    global _events
    outer, _events = _events, []
    try:
        yield _events
    finally:
        _events = outer


def note(kind: str, address: int, name: str) -> None:
    """Record one event if somebody is listening."""
    if _events is not None:
        _events.append(Event(kind, address, _apart[-1] if _apart else "", name))


@contextmanager
def apart(name: str) -> Iterator[None]:
    """Mark what happens inside the block as part of the side effect `name`, and count the effect itself."""
    note("call", 0, name)
    _apart.append(name)
    try:
        yield
    finally:
        _apart.pop()
