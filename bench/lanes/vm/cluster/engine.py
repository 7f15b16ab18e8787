"""The engine for a cluster: a plan's boots are made by its workers, each journalled as it comes."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import LaneUnavailable, UsageError
from bench.lanes.vm.cluster.connection import connected
from bench.lanes.vm.cluster.fitness import Found
from bench.lanes.vm.cluster.fleet import Came, Fleet, qualified
from bench.lanes.vm.cluster.remote import Order, content
from bench.lanes.vm.cluster.rows import Row, alone, begun, unfinished, workers_in
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.session import Session
from bench.measure.affinity import usable_cpus
from bench.measure.engine import Engine, Progress
from bench.measure.journal import Journal, Writer
from bench.measure.plan import Plan, Settings

PAUSE = 0.1  # seconds between two looks at what is over


def examine(where: str, machines: set[str]) -> None:
    """Refuse a cluster that cannot boot kernels of these machines, before anything is written."""
    with connected(where, 1) as connection:
        qualified(connection, sorted(MACHINES[machine].qemu for machine in machines))


class ClusterEngine(Engine):
    """Carries out one plan of the vm lane on the workers of a cluster."""

    def __init__(
        self, where: str, plan: Plan, settings: Settings, journal: Journal, progress: Progress
    ) -> None:
        if plan.setup["accelerator"] != "tcg":
            raise UsageError("--cluster counts instructions; times of several machines are not compared")
        self.where = where
        self._open = {row.number: row for row in unfinished(journal, plan)}
        self._images: dict[str, str] = {}  # contents of the kernels
        self._archives: dict[str, str] = {}  # contents of their guests' file systems
        super().__init__(plan, settings, journal, progress)

    def _build(self) -> None:
        """Nothing is compiled."""

    def _calibrate(self) -> None:
        """As a measuring process would; it takes no guest."""
        if missing := [n for n in range(len(self.plan.blocks)) if n not in self.state.tuning]:
            self.number += 1
            write = Writer(self.journal.worker_file(self.number))
            for number in missing:
                specs = [arm.spec for arm in self.plan.blocks[number].arms]
                write("tuning", number, Session(self.plan.setup).calibrate(specs, self.settings.batch_ns))

    def _measure(self, processes: int, stage: str = "boot") -> None:
        if self._out_of_time() or not self._missing(processes):
            return
        try:
            self._boot_all(processes)
        except (LaneUnavailable, UsageError) as error:
            again = f"rmapbench run --resume {self.journal.directory}"
            raise type(error)(f"{error}; what is measured is kept, go on with: {again}") from None

    def _boot_all(self, processes: int) -> None:
        files = self._files()
        with connected(self.where, min(len(usable_cpus()), processes * len(self._images))) as connection:
            fit = qualified(connection, self._programs())
            self._note(fit)
            with Fleet(connection, files, self.settings.timeout) as fleet:
                self._fly(fleet, processes, fit)
        self._write_facts({"cluster_workers": len(workers_in(self.journal))})

    def _replace(self) -> None:
        """No round is dropped, so no boot needs another for it."""

    def _fly(self, fleet: Fleet, processes: int, fit: Found) -> None:
        """Keep the workers busy until all boots are there, or the time is over."""
        units, more = self._units(processes), True
        while more or fleet.busy:
            while more and fleet.has_room() and self._fits():
                unit = next(units, None)
                more = unit is not None
                if unit:
                    fleet.start(self._order(*unit, fit))
            if self._out_of_time() or (more and not fleet.busy and not self._fits()):
                return
            for came in fleet.finished():
                self._take(came)
            self.progress.update("boot", self._booted(), processes * len(self._images))
            time.sleep(PAUSE)

    # What is asked

    def _units(self, processes: int) -> Iterator[tuple[Row, str]]:
        """The boots that are not in the journal, those of rows that were begun first."""
        for row in self._rows(processes):
            for kernel in row.kernels():
                if kernel in row.boots:
                    continue
                if all(at in self.state.failed for at in row.arms(kernel)):  # meanwhile, in another boot
                    row.take(kernel, "", [])
                else:
                    yield row, kernel
            self._join(row)

    def _rows(self, processes: int) -> Iterator[Row]:
        yield from list(self._open.values())
        while blocks := self._lacking(processes):
            self.number += 1
            job = {"blocks": blocks, "skip": sorted(self.state.failed)}
            self._open[self.number] = begun(self.journal, self.number, self.plan, job)
            yield self._open[self.number]

    def _lacking(self, processes: int) -> list[int]:
        """Blocks of which fewer boots are done or begun than are wanted."""
        running = Counter(block for row in self._open.values() for block in row.job["blocks"])
        return [block for block, done in self.done.items() if done + running[block] < processes]

    def _order(self, row: Row, kernel: str, fit: Found) -> Order:
        settings = self.settings
        job = {
            "mode": "measure", "cpu": None, "number": row.number, "tuning": {},
            "plan": dataclasses.asdict(alone(self.plan, kernel)), **row.asked_of(kernel),
            "rounds": settings.rounds, "seed": settings.seed, "batch_ns": settings.batch_ns,
            "warmups": settings.warmups, "timeout": settings.timeout,
        }  # fmt: skip
        return Order(job, kernel, self._images[kernel], self._archives[kernel], fit)

    # What came of it

    def _take(self, came: Came) -> None:
        """Keep a boot, its failures first: what is in the journal is never booted again."""
        self.durations.append(came.seconds)
        row, kernel, booted = self._open[came.order.job["number"]], came.order.kernel, came.booted
        for block, arm, reason in row.failures(kernel, booted.records):
            self._fail(row.number, block, arm, f"{reason} (worker {booted.worker})")
        for block, arm in row.arms(kernel) if came.reason else ():
            self._fail(row.number, block, arm, f"{kernel}: {came.reason}")
        for name, log in booted.consoles.items():
            (self.journal.directory / Path(name).name).write_bytes(log)
        row.take(kernel, booted.worker, booted.records)
        self._join(row)

    def _join(self, row: Row) -> None:
        """A row whose boots are all there is done."""
        if row.number in self._open and row.complete:
            row.join()
            del self._open[row.number]
            for block in row.job["blocks"]:
                self.done[block] += 1

    def _booted(self) -> int:
        """Boots that are in the journal."""
        begun_ones = sum(len(row.boots) for row in self._open.values())
        return min(self.done.values()) * len(self._images) + begun_ones

    # Kernels and workers

    def _files(self) -> dict[str, Path | bytes]:
        """What guests are made of, by content."""
        bases = Session(self.plan.setup).bases()
        files: dict[str, Path | bytes] = {content(base): base for base in bases.values()}
        for name, image in self.plan.setup["kernels"].items():
            with Path(image["path"]).open("rb") as file:
                self._images[name] = hashlib.file_digest(file, "sha256").hexdigest()
            files[self._images[name]] = Path(image["path"])
            self._archives[name] = content(bases[image["machine"]])
        return files

    def _programs(self) -> list[str]:
        machines = {image["machine"] for image in self.plan.setup["kernels"].values()}
        return sorted(MACHINES[machine].qemu for machine in machines)

    def _note(self, fit: Found) -> None:
        """Keep what makes the figures; what a run was begun with it is ended with."""
        version = "; ".join(fit.qemu.values())
        if (before := self.state.facts.get("qemu", version)) != version:
            raise UsageError(
                f"--cluster {self.where}: workers have {version}, but the run was begun with {before}; "
                "install that, or start the run anew"
            )
        self._write_facts(Session({**self.plan.setup, "qemu": version}).facts())

    def _write_facts(self, facts: dict[str, Any]) -> None:
        self.number += 1
        Writer(self.journal.worker_file(self.number))("facts", facts)
