"""Boots of all kernels under one number: journalled as they come, each once, and joined when all are there.

A row's file begins with ["job", what its boots are asked] and has ["boot", kernel, worker, records] for
each boot that is done, then the records of a measuring process that boots all kernels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.measure.journal import Journal, Reader, Record, Writer
from bench.measure.plan import Block, Plan

SINGLE = ("job", "boot", "failed", "facts")  # kinds of records that come before all boots are joined


@dataclass
class Row:
    """One number: what is asked (blocks, arms to skip), and what each kernel's boot has recorded so far."""

    number: int
    plan: Plan
    job: dict[str, Any]
    write: Writer
    boots: dict[str, list[Record]] = field(default_factory=dict)

    def asked_of(self, kernel: str) -> dict[str, Any]:
        """Blocks and skipped arms of the plan that knows this kernel alone."""
        skip = {tuple(at) for at in self.job["skip"]}
        theirs = {number: arms_of(self.plan.blocks[number], kernel) for number in self.job["blocks"]}
        blocks = [n for n, arms in theirs.items() if any((n, arm) not in skip for arm in arms)]
        at = [(n, at) for n, arms in theirs.items() for at, arm in enumerate(arms) if (n, arm) in skip]
        return {"blocks": blocks, "skip": at}

    def kernels(self) -> list[str]:
        """Those that are asked something."""
        return [kernel for kernel in self.plan.setup["kernels"] if self.asked_of(kernel)["blocks"]]

    def arms(self, kernel: str) -> list[tuple[int, int]]:
        """Block and arm of everything that a kernel is in."""
        return [(n, arm) for n in self.job["blocks"] for arm in arms_of(self.plan.blocks[n], kernel)]

    def failures(self, kernel: str, records: list[Record]) -> Iterator[tuple[int, int, str]]:
        """Block, arm and reason of what a boot could not do."""
        for block, arm, reason in (record[1:] for record in records if record[0] == "failed"):
            yield block, arms_of(self.plan.blocks[block], kernel)[arm], reason

    def take(self, kernel: str, worker: str, records: list[Record]) -> None:
        """Keep what a boot recorded."""
        for facts in (record[1] for record in records if record[0] == "facts"):
            self.write("facts", facts)
        self.write("boot", kernel, worker, records)
        self.boots[kernel] = records

    @property
    def complete(self) -> bool:
        """Are all boots there?"""
        return set(self.kernels()) <= set(self.boots)

    def join(self) -> None:
        """Append what one process that boots all kernels would have."""
        for number in self.job["blocks"]:
            block = self.plan.blocks[number]
            rounds = {kernel: _of(records, "round", number) for kernel, records in self.boots.items()}
            for turn in range(max(map(len, rounds.values()), default=0)):
                given = {kernel: found[turn][0] for kernel, found in rounds.items() if turn < len(found)}
                self.write("round", number, joined(block, given), {})
            for kernel, records in self.boots.items():
                for arm, told in _of(records, "told", number):
                    self.write("told", number, arms_of(block, kernel)[arm], told)
            facts = [found[0] for records in self.boots.values() for found in _of(records, "done", number)]
            self.write("done", number, facts[0] if facts else {})
        self.write("end")


def begun(journal: Journal, number: int, plan: Plan, job: dict[str, Any]) -> Row:
    """A new row."""
    row = Row(number, plan, job, Writer(journal.worker_file(number)))
    row.write("job", job)
    return row


def unfinished(journal: Journal, plan: Plan) -> Iterator[Row]:
    """Rows that were stopped before all boots were there, or before they were joined.

    What was joined in part is cut off the file: it is joined anew.
    """
    for path in sorted(journal.directory.glob("worker-*.jsonl")):
        records = list(Reader(path)())
        if records and records[0][0] == "job" and records[-1] != ["end"]:
            _cut(path)
            boots = {record[1]: record[3] for record in records if record[0] == "boot"}
            yield Row(int(path.stem.partition("-")[2]), plan, records[0][1], Writer(path), boots)


def workers_in(journal: Journal) -> set[str]:
    """Addresses of the workers that made the boots."""
    every = (record for path in journal.directory.glob("worker-*.jsonl") for record in Reader(path)())
    return {record[2] for record in every if record[0] == "boot"} - {""}


def _cut(path: Path) -> None:
    """Leave only whole records of the kinds that come before joining."""
    kept = 0
    with path.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n") or json.loads(line)[0] not in SINGLE:
                break
            kept += len(line)
        file.truncate(kept)


def alone(plan: Plan, kernel: str) -> Plan:
    """The plan with nothing but a kernel's arms; blocks keep their numbers."""
    blocks = (Block(b.name, tuple(b.arms[index] for index in arms_of(b, kernel))) for b in plan.blocks)
    setup = {**plan.setup, "kernels": {kernel: plan.setup["kernels"][kernel]}}
    return Plan(plan.lane, setup, tuple(blocks))


def arms_of(block: Block, kernel: str) -> list[int]:
    """Positions of a kernel's arms."""
    return [index for index, arm in enumerate(block.arms) if arm.spec["kernel"] == kernel]


def joined(block: Block, rows: Mapping[str, list[float | None]]) -> list[float | None]:
    """A round of all kernels from the rounds of each; None where there is none."""
    left = {kernel: iter(row) for kernel, row in rows.items()}
    return [next(left.get(arm.spec["kernel"], iter(())), None) for arm in block.arms for _ in arm.cases]


def _of(records: list[Record], kind: str, block: int) -> list[list[Any]]:
    """What follows kind and block in the records of a kind about a block."""
    return [record[2:] for record in records if record[:2] == [kind, block]]
