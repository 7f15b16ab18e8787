"""The process that is asked in JSON lines on standard input and answers in JSON lines on standard output.

Requests, one a line, and what is answered:

    {"do": "hello", "directories": ["/var/tmp"]}
                       what this kernel and process can do (see `hello`)
    {"do": "measure", "kind": "anon", "path": "pte", "order": 4, "bytes": 1073741824,
     "ops": ["fork", "unmap_after_fork", "munmap"]}
                       {"values": {"fork": {"gross": ns, "empty": ns, "proof": {...}}, ...},
                        "unmeasurable": {"munmap": "why"}}

One memory serves all operations of a request, in the order given, so one that leaves no pages comes last.
With {"keep": "TOKEN"} the memory stays, and serves the next request with the same token too, on another path;
with {"extra": BYTES} it is larger by so much for this request. With {"beside": BYTES} other memory is filled
beside it. {"select": false} leaves folio sizes alone, for processes that may not choose them; {"counts":
true} says that nanoseconds are counted instructions. Kinds `file` and `file_private` have a {"directory":
"/var/tmp"}.
The times are whole nanoseconds of the whole operation: `gross`, and `empty` for the same without the pages.
An operation whose memory is not proven to be what was asked for has no value but a reason. A request that
cannot be understood is answered with {"error": "..."}. The process ends with its standard input.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from . import files, proof, system, userfault
from .memory import Mapping, mapped, populate, reserved, select_order, sizes, sweep
from .operations import OPERATIONS, WITH_BARE
from .system import Unmeasurable
from .timing import Timed, bare, set_realtime

PROBED = 4  # the order of the folio that a directory is tried with
ATTEMPTS = 3  # at getting folios of the order asked for
LEAVES_WHOLE = ("fork", "unmap_after_fork", "exit")  # so that splits are no part of the operation
Request = dict[str, Any]


def hello(directories: list[str]) -> Request:
    """The machine, orders by kind of memory, and what is missing (empty: nothing is), also by directory."""
    realtime = set_realtime(True) and set_realtime(False)
    return {
        "machine": os.uname().machine,
        "kernel": os.uname().release,
        "page_size": system.PAGE,
        "orders": {kind: list(sizes(kind == "shmem")) for kind in ("anon", "shmem")},
        "no_write_protection": userfault.missing("anon"),
        "no_write_protection_shmem": userfault.missing("shmem"),
        "no_write_protection_file": userfault.missing("file"),
        "no_continue": userfault.missing_continue(),
        "no_proof": {kind: _no_proof(kind) for kind in ("anon", "shmem")},
        "realtime": int(realtime),
        "no_files": {directory: _no_files(directory) for directory in directories},
    }


def _no_proof(kind: str) -> str:
    """Why the order of such folios cannot be known; empty if it can."""
    with mapped("anon", 0, system.PAGE) as mapping:
        mapping.populate(by_pmd=False)
        if "order_share" in proof.take(mapping) or proof.statistics(kind, 0):
            return ""
    return "seeing folios takes root, and counting them by size takes /sys of Linux 6.10 or later"


def _no_files(directory: str) -> str:
    """Why a file there cannot serve; empty if it has large folios, which are seen and can be chosen."""
    try:
        with mapped("file", PROBED, system.PAGE << PROBED, files.unnamed(directory, 0)) as mapping:
            if not os.access(control := files.read_ahead(mapping.file), os.F_OK):
                return f"its disk has no {control}"
            if not os.access(control, os.W_OK):
                return "choosing the size of its folios takes root"
            os.pwrite(mapping.file, bytes(mapping.size), files.LEAD)
            populate(mapping.start, mapping.size, system.MADV_POPULATE_READ)
            share = proof.take(mapping).get("order_share")
    except (OSError, Unmeasurable) as error:
        return str(error)
    if share is None:
        return "seeing folios takes root"
    return "" if share == 1 else "this file system has no large folios"


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
    copies = 2 if "migrate" in ops else 1
    _give_back(request.get("keep"))
    with (
        reserved(size * copies if kind.startswith("hugetlb") else 0, select),
        _memory(request, kind, order, size) as mapping,
        contextlib.ExitStack() as filled,
    ):
        mapping.counts = bool(request.get("counts"))
        if not mapping.filled:
            mapping.empties = {op: bare(mapping, path, WITH_BARE[op]) for op in ops if op in WITH_BARE}
        if select:
            select_order(kind, order)
        filled.enter_context(_beside(request, kind, order))
        if ops[0] == "fault":
            yield from _faulted(mapping, path, ops)
            return
        if not mapping.filled:
            _fill(mapping, path)
        with mapping.grown(int(request.get("extra", 0))), _armed(mapping, path, "keep" in request):
            found = _without_doubt(_as_it_is(mapping), path)
            sweep(mapping.start, mapping.size)
            for op in ops:
                yield op, _one(mapping, path, op, found)


@contextlib.contextmanager
def _beside(request: Request, kind: str, order: int) -> Iterator[None]:
    """Other memory with such folios, as much as a request says.

    So that the largest memory of a round is not alone in taking pages that the others left alone: order-0
    munmap of 3.1 % more memory took 5.3 % longer then, and 2.2 % when all took as much.
    """
    if not (size := int(request.get("beside", 0))):
        yield
        return
    with mapped(kind, order, size) as other:
        other.populate(by_pmd=False)
        yield


@contextlib.contextmanager
def _armed(mapping: Mapping, path: str, kept: bool) -> Iterator[None]:
    """In the state that the path asks for; memory that is used again is as before afterwards."""
    try:
        userfault.arm(mapping, path)
        yield
    finally:
        if kept:
            userfault.disarm(mapping)


_kept: dict[str, Mapping] = {}


def _give_back(token: str | None) -> None:
    """Free the memory that was kept under any other token: there is never room for both."""
    for other in [key for key in _kept if key != token]:
        _kept.pop(other).free()


@contextlib.contextmanager
def _memory(request: Request, kind: str, order: int, size: int) -> Iterator[Mapping]:
    """Memory for one request, or that which is kept under its token."""
    token = request.get("keep")
    if token is None:
        file = files.unnamed(str(request["directory"]), size) if kind in files.KINDS else -1
        with mapped(kind, order, size, file) as mapping:
            yield mapping
    else:
        yield _kept.setdefault(token, _kept.get(token) or Mapping(kind, order, size))


def _fill(mapping: Mapping, path: str) -> None:
    """Fill the memory; a few attempts at folios of the order asked for."""
    for attempt in range(1, ATTEMPTS + 1):
        mapping.counted = proof.statistics(mapping.kind, mapping.order)
        mapping.populate(path == "pmd")
        found = _folios(mapping)
        mapping.known = {**found, "attempts": attempt}
        if found.get("order_share", 0) >= proof.LEAST_SHARE:
            return
        if attempt < ATTEMPTS:
            mapping.renew()


def _moved(mapping: Mapping) -> proof.Proof:
    """What the system's counters say since just before the memory was filled."""
    after = proof.statistics(mapping.kind, mapping.order)
    return proof.moved(mapping.counted, after, mapping.nominal // mapping.folio)


def _as_it_is(mapping: Mapping) -> proof.Proof:
    """Filled memory now; where folios cannot be seen, those are missing that were split since."""
    seen, grown = proof.take(mapping), _moved(mapping)
    grown.pop("allocated_share", None)
    found = {**mapping.known, **grown, **seen}
    if "order_share" in found and "order_share" not in seen:
        found["order_share"] -= grown.get("splits", 0) * mapping.folio / mapping.nominal
    return found


def _folios(mapping: Mapping) -> proof.Proof:
    """What folios the memory has, from per-size statistics where they cannot be seen."""
    found = {**proof.take(mapping), **_moved(mapping)}
    allocated = found.pop("allocated_share", None)
    if allocated is not None:
        found.setdefault("order_share", allocated)
    return found


def _without_doubt(found: proof.Proof, path: str) -> proof.Proof:
    if doubt := proof.doubts(found, path):
        raise Unmeasurable(doubt)
    return found


def _faulted(mapping: Mapping, path: str, ops: list[str]) -> Iterator[tuple[str, Request]]:
    """The first faults, which fill the memory, and what comes after them."""
    mapping.counted = proof.statistics(mapping.kind, mapping.order)
    timed = OPERATIONS["fault"](mapping, path)
    found = _without_doubt(_folios(mapping), path)
    yield "fault", {"gross": timed.gross, "empty": timed.empty, "proof": found}
    for op in ops[1:]:
        yield op, _one(mapping, path, op, found)


def _one(mapping: Mapping, path: str, op: str, found: proof.Proof) -> Request:
    """Time one operation; its proof is that of the memory, and the one it took itself."""
    timed: Timed = OPERATIONS[op](mapping, path)
    known = {**found, **timed.proof}
    if op in LEAVES_WHOLE:
        known = {**known, **_without_splits(mapping, found)}
    known = _without_doubt(known, path)
    empty = mapping.empties[op] if op in WITH_BARE else timed.empty
    return {"gross": timed.gross, "empty": empty, "proof": known}


def _without_splits(mapping: Mapping, found: proof.Proof) -> proof.Proof:
    """The system's counters after an operation; a doubt if folios of the order were split since the proof."""
    grown = _moved(mapping)
    grown.pop("allocated_share", None)
    if splits := grown.get("splits", 0) - found.get("splits", 0):
        raise Unmeasurable(f"{splits:.0f} folios of this order were split on this machine meanwhile")
    return grown


def answers(lines: Iterator[str]) -> Iterator[Request]:
    """An answer for each line."""
    for line in lines:
        try:
            request = json.loads(line)
            asked = request["do"]
            yield hello(request.get("directories", [])) if asked == "hello" else measure(request)
        except (ValueError, KeyError, TypeError, IndexError, Unmeasurable) as error:
            yield {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer until there are no more questions."""
    system.die_with_parent()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one CPU, for children too
    gc.collect()
    gc.freeze()
    gc.disable()
    for answer in answers(sys.stdin):
        print(json.dumps(answer), flush=True)
