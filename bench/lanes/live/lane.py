"""The live lane: the kernel this machine runs, driven through fork, munmap and others, at each folio size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

from bench.case import ALL, Case, Filters
from bench.errors import LaneUnavailable, UsageError
from bench.lanes.kernel_arms import UNASKED, control_arms
from bench.lanes.live import settings
from bench.lanes.live.catalogue import (
    FAMILIES,
    NEVER_CALLED,
    PTE,
    Family,
    Operation,
    format_memory,
    parse_memory,
)
from bench.lanes.live.machine import FILES, Machine, directories, fits
from bench.lanes.live.process import hello
from bench.measure.plan import Arm, Block, Pace, Plan

SESSION = "bench.lanes.live.session"
# A value takes seconds, because its memory is filled first; one worker, because it takes the memory and the
# priority. What disturbs is not seen by a yardstick: it would be over before it began.
PACE = Pace(rounds=5, fast_rounds=1, fast_processes=6, warmups=0, timeout=300.0, workers=1)
# Keys that cases of other lanes have, and what they are about.
OTHERS = {
    "variant": "variants are the model's",
    "state": "states of folios are the model's",
    "kernel": "other kernels are the vm lane's",
    "machine": "other machines are the vm lane's",
}


@cache
def machine() -> Machine:
    """This machine."""
    said = hello(directories())
    reasons: dict[str, str] = said["no_files"]
    usable = [directory for directory, reason in reasons.items() if not reason]
    return Machine(
        write_protection=said["no_write_protection"],
        shmem_write_protection=said["no_write_protection_shmem"],
        file_write_protection=said["no_write_protection_file"],
        no_continue=said["no_continue"],
        no_proof=said["no_proof"],
        directory=usable[0] if usable else "",
        no_files="" if usable else _no_files(reasons),
    )


def _no_files(reasons: dict[str, str]) -> str:
    """The reason of each directory that was tried, and what to do."""
    by_reason = {reason: [d for d in reasons if reasons[d] == reason] for reason in reasons.values()}
    said = "; ".join(f"{', '.join(found)}: {reason}" for reason, found in by_reason.items())
    if all(reason.endswith("takes root") for reason in by_reason):
        return said
    return f"{said}; name a directory of ext4 (Linux 6.16 or later) or xfs with {FILES}=DIR"


def cases(extra: dict[str, Path], filters: Filters = ALL) -> list[Case]:
    """Every case this machine can measure, with the memory that the filters name or the default."""
    if extra:
        raise _others("variant")
    for key in OTHERS:
        if filters.values(key):
            raise _others(key)
    here = machine()
    amounts = dict.fromkeys(filters.values("memory") or (format_memory(here.default_memory()),))
    sizes = {text: parse_memory(text) for text in amounts}
    for one in filters.each(("kind", "path")):
        _refuse_lacking(here, one, sizes)
    found = [
        family.case(operation, path, order, text)
        for text, size in sizes.items()
        for family, operation, path in _everything()
        if not _why_not(here, family, operation, path, size)
        for order in here.orders(family.kind)
        if operation.has(path, order)
    ]
    if not found:
        raise LaneUnavailable(f"nothing can be measured here: {'; '.join(skipped())}")
    return found


def describe_variants(extra: dict[str, Path]) -> list[str]:
    """There are none."""
    raise _others("variant")


def _others(key: str) -> UsageError:
    """The error for a key that only cases of other lanes have."""
    return UsageError(f"the live lane measures the running kernel; {OTHERS[key]}")


def _everything() -> Iterator[tuple[Family, Operation, str]]:
    """Every operation on every path, whether this machine can measure it or not."""
    for family in FAMILIES:
        for operation in family.operations:
            yield from ((family, operation, path) for path in operation.paths)


def _why_not(here: Machine, family: Family, operation: Operation, path: str, size: int) -> str:
    """Why it cannot be measured with so much memory; empty if it can."""
    return here.lacks(family, operation, path) or operation.too_short(size)


def _refuse_lacking(here: Machine, filters: Filters, sizes: dict[str, int]) -> None:
    """An error with the reasons, if there is what is selected but nothing of it can be measured here."""
    named = [
        (family, operation, path, size)
        for text, size in sizes.items()
        for family, operation, path in _everything()
        if filters.match(family.case(operation, path, 0, text))
    ]
    lacking = [(one[0].kind, one[1].name, _why_not(here, *one)) for one in named]
    if lacking and all(reason for _, _, reason in lacking):
        error = LaneUnavailable if all(here.lacks(*one[:3]) for one in named) else UsageError
        raise error("; ".join(_by_reason(lacking)))


def _by_reason(lacking: Iterable[tuple[str, str, str]]) -> list[str]:
    """Kinds, operations and why they cannot be measured, as few sentences: those of one reason in one."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for kind, name, reason in lacking:
        found.setdefault((kind, reason), {})[name] = None
    return [f"{', '.join(names)} ({kind}): {reason}" for (kind, reason), names in found.items()]


def main_cases() -> list[Case]:
    """What is measured if nothing is named."""
    return UNASKED.select(cases({}))


def notes(chosen: list[Case]) -> list[str]:
    """For `list`: the rmap calls of each operation, and what is skipped here, with what would give it."""
    ops = {(case.op, case.meaning("kind")) for case in chosen}
    lines = []
    for family in FAMILIES:
        for operation in family.operations:
            if (operation.name, family.kind) in ops:
                calls = ", ".join(operation.calls) or "no rmap call"
                lines.append(f"{operation.name} ({family.kind}): {calls}")
    lines += [f"no operation: {call}, which no kernel calls" for call in NEVER_CALLED]
    most = max((parse_memory(case.get("memory")) for case in chosen), default=0)
    return lines + [f"skipped: {reason}" for reason in skipped(most)]


def skipped(memory: int = 0) -> list[str]:
    """What this machine cannot measure with so much memory (0: the default), and why."""
    here = machine()
    size = memory or here.default_memory()
    lacking = [
        (family.kind, operation.name, _why_not(here, family, operation, path, size))
        for family, operation, path in _everything()
        if path not in PTE  # these are among the remedies
    ]
    can = {(kind, name) for kind, name, reason in lacking if not reason}
    return _by_reason(one for one in lacking if one[:2] not in can) + here.remedies()


def remedies() -> list[str]:
    """What this machine lacks for every operation, and what would give it."""
    return machine().remedies()


def plan(chosen: list[Case], extra: dict[str, Path]) -> Plan:
    """A block for each family, order and amount of memory: an arm a path, and the two controls."""
    here, wanted = machine(), {case.name for case in chosen}
    amounts = dict.fromkeys(case.get("memory") for case in chosen)
    blocks = [
        block
        for memory in amounts
        for family in FAMILIES
        for order in here.orders(family.kind)
        if (block := _block(family, order, memory, wanted))
    ]
    select = {kind: here.may_choose(kind) for kind in ("anon", "shmem")}
    select |= {"file": True, "hugetlb": here.may_reserve()}
    return Plan(SESSION, {"select": select, "directory": here.directory}, tuple(blocks))


def _block(family: Family, order: int, memory: str, wanted: set[str]) -> Block | None:
    paths = dict.fromkeys(path for operation in family.operations for path in operation.paths)
    arms = [arm for path in paths if (arm := _arm(family, path, order, memory, wanted))]
    if not arms:
        return None
    return Block(f"{family.name}/order={order}/memory={memory}", (*arms, *control_arms(arms)))


def _arm(family: Family, path: str, order: int, memory: str, wanted: set[str]) -> Arm | None:
    """The memory of a path and those of its operations that are wanted."""
    chosen = [(family.case(o, path, order, memory).name, o) for o in family.chosen(path, order)]
    chosen = [(name, operation) for name, operation in chosen if name in wanted]
    if not chosen:
        return None
    spec: dict[str, Any] = {
        "role": "case", "kind": family.kind, "memory": family.memory, "copies": family.copies, "path": path,
        "order": order, "shared": family.shared, "bytes": parse_memory(memory),
        "ops": [operation.name for _, operation in chosen],
    }  # fmt: skip
    return Arm(tuple(name for name, _ in chosen), spec)


def prepare(chosen: list[Case], extra: dict[str, Path]) -> None:
    """Refuse more memory than there is, before anything is measured: never the out-of-memory killer."""
    copies = {(op.name, family.kind): family.copies for family in FAMILIES for op in family.operations}
    for case in chosen:
        needed = copies[case.op, case.meaning("kind")]
        if lacking := fits(machine().available(), parse_memory(case.get("memory")), needed):
            raise UsageError(f"{case.name}: {lacking}")


def metadata() -> dict[str, str]:
    """What is kept about a run beside the machine."""
    where = {"file_directory": machine().directory} if machine().directory else {}
    return {"skipped": "; ".join(skipped()), **where}


def kept_machine() -> AbstractContextManager[None]:
    """Around measuring: this lane's settings are put back afterwards, whatever happens."""
    return settings.kept(machine().settings())


def cpus(usable: list[int]) -> list[int]:
    """The last CPU first: the first one has the machine's own work."""
    return usable[::-1]
