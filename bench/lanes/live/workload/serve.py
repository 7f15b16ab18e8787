"""The process that is asked in JSON lines on standard input and answers in JSON lines on standard output.

Requests, one a line, and what is answered:

    {"do": "hello"}    what this kernel and process can do (see `hello`)
    {"do": "measure", "kind": "anon", "path": "pte", "order": 4, "bytes": 1073741824,
     "ops": ["fork", "unmap_after_fork", "munmap"]}
                       {"values": {"fork": {"gross": ns, "empty": ns, "proof": {...}}, ...},
                        "unmeasurable": {"munmap": "why"}}

One memory serves all operations of a request, in the order given, so one that leaves no pages comes last.
The times are whole nanoseconds of the whole operation: `gross`, and `empty` for the same without the pages.
An operation whose memory is not proven to be what was asked for has no value but a reason. A request that
cannot be understood is answered with {"error": "..."}. The process ends with its standard input.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from . import proof, system, userfault
from .memory import Mapping, mapped, reserved, select_order, sizes
from .operations import OPERATIONS, WITH_BARE
from .system import Unmeasurable
from .timing import Timed, bare, set_realtime

ATTEMPTS = 3  # at getting folios of the order asked for
Request = dict[str, Any]


def hello() -> Request:
    """The machine, orders by kind of memory, and what is missing (empty: nothing is)."""
    realtime = set_realtime(True) and set_realtime(False)
    return {
        "machine": os.uname().machine,
        "kernel": os.uname().release,
        "page_size": system.PAGE,
        "orders": {kind: list(sizes(kind == "shmem")) for kind in ("anon", "shmem")},
        "no_write_protection": userfault.missing(),
        "no_write_protection_shmem": userfault.missing(shmem=True),
        "realtime": int(realtime),
    }


def measure(request: Request) -> Request:
    """Values and reasons for every operation of the request."""
    ops = list(request["ops"])
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    try:
        for op, value in _values(request, ops):
            values[op] = value
    except Unmeasurable as error:
        reasons = {op: str(error) for op in ops if op not in values}
    return {"values": values, "unmeasurable": reasons}


def _values(request: Request, ops: list[str]) -> Iterator[tuple[str, Request]]:
    """Each operation with its value, one after the other on one memory."""
    kind, path, order, size = request["kind"], request["path"], int(request["order"]), int(request["bytes"])
    select = bool(request.get("select", True))
    with reserved(size if select and kind == "hugetlb" else 0), mapped(kind, order, size) as mapping:
        empties = {op: bare(mapping, path, WITH_BARE[op]) for op in ops if op in WITH_BARE}
        if select:
            select_order(kind, order)
        found = {} if ops[0] == "fault" else _prepared(mapping, path)
        for op in ops:
            value = _one(mapping, path, op, empties.get(op), found)
            found = value["proof"] if op == "fault" else found
            yield op, value


def _prepared(mapping: Mapping, path: str) -> proof.Proof:
    """Fill and arm the memory, and prove it; a few attempts where folios are not what they should be."""
    for attempt in range(1, ATTEMPTS + 1):
        before = proof.statistics(mapping.kind, mapping.order)
        mapping.populate(path == "pmd")
        userfault.arm(mapping, path)
        found = {**_proven(mapping, before), "attempts": attempt}
        doubt = proof.doubts(found, path)
        if not doubt:
            return found
        mapping.renew()
    raise Unmeasurable(doubt)


def _proven(mapping: Mapping, before: dict[str, int]) -> proof.Proof:
    """The proof, with the folios' order from per-size statistics where it cannot be seen."""
    after = proof.statistics(mapping.kind, mapping.order)
    found = {**proof.take(mapping), **proof.moved(before, after, mapping.size // mapping.folio)}
    allocated = found.pop("allocated_share", None)
    if allocated is not None:
        found.setdefault("order_share", allocated)
    return found


def _one(mapping: Mapping, path: str, op: str, empty: int | None, found: proof.Proof) -> dict[str, Any]:
    """Time one operation; its proof is that of the memory, or the one it took itself."""
    before = proof.statistics(mapping.kind, mapping.order)
    timed: Timed = OPERATIONS[op](mapping, path)
    own = _proven(mapping, before) if op == "fault" else timed.proof
    known = {**found, **own}
    if doubt := proof.doubts(known, path):
        raise Unmeasurable(doubt)
    return {"gross": timed.gross, "empty": timed.empty if empty is None else empty, "proof": known}


def answers(lines: Iterator[str]) -> Iterator[Request]:
    """An answer for each line."""
    for line in lines:
        try:
            request = json.loads(line)
            yield hello() if request["do"] == "hello" else measure(request)
        except (ValueError, KeyError, TypeError, IndexError, Unmeasurable) as error:
            yield {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer until there are no more questions."""
    system.die_with_parent()
    gc.collect()
    gc.freeze()
    gc.disable()
    for answer in answers(sys.stdin):
        print(json.dumps(answer), flush=True)
