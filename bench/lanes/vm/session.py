"""The vm lane in a measuring process: boots every kernel once, and makes rounds of what the guests answer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.lanes.kernel_arms import WORKLOAD, extra_bytes, extra_pages
from bench.lanes.vm import boot, initramfs, qemu
from bench.lanes.vm.answers import PAGE, Answers
from bench.lanes.vm.console import Console, answers
from bench.lanes.vm.image import Image
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.operations import not_gated
from bench.lanes.vm.qemu import Boot
from bench.lanes.vm.unpacked import roots
from bench.measure.journal import Writer
from bench.measure.plan import Plan

ATTEMPTS = 2  # at booting a kernel
SILENCE = 0.4  # of the time after which this process would be taken for hung


@dataclass(frozen=True)
class Request:
    """What a guest is asked: an arm of a block, in a round."""

    block: int
    arm: int
    turn: int
    spec: dict[str, Any]

    def as_job(self, counts: bool) -> dict[str, Any]:
        """In the workload's words; are the guest's nanoseconds counted instructions?"""
        spec = self.spec
        more = extra_bytes(spec)
        asked = {key: spec[key] for key in ("path", "order", "ops")}
        asked |= {"do": "measure", "kind": spec["memory"], "bytes": spec["bytes"], "counts": counts}
        if not spec["shared"]:
            return {**asked, "bytes": spec["bytes"] + more}
        by = "pmd" if spec["path"] == "pmd" else "ptes"
        return {**asked, "extra": more, "keep": f"{self.block}/{self.turn}/{by}"}


class Session:
    """Everything one worker process keeps."""

    def __init__(self, setup: dict[str, Any], number: int = 0) -> None:
        self.setup, self.number = setup, number
        self.images = {
            name: Image(**{**given, "path": Path(given["path"])}) for name, given in setup["kernels"].items()
        }
        self.machines = list(dict.fromkeys(MACHINES[image.machine] for image in self.images.values()))

    def build(self, part: int, parts: int) -> None:
        """Nothing is compiled."""

    def calibrate(self, specs: list[dict[str, Any]], batch_ns: int) -> list[Any]:
        """A value is one whole operation: nothing is repeated."""
        return [
            {
                "loops": 1,
                "metadata": {"pages": spec["bytes"] // PAGE, **extra_pages(spec)},
                "per_case": [self._judging(spec, operation) for operation in spec["ops"]],
            }
            for spec in specs
        ]

    def _judging(self, spec: dict[str, Any], operation: str) -> dict[str, str]:
        """Why a case is not judged, if it is not."""
        reason = not_gated(operation, spec["path"], spec["order"], self.images[spec["kernel"]].machine)
        return {"not_gated": reason} if reason else {}

    def arm(self, spec: dict[str, Any], tuning: Any) -> Session:
        """No arm is tried alone: that would take a boot."""
        return self

    def run(self) -> tuple[float, ...]:
        """Nothing to try."""
        return ()

    @property
    def counted(self) -> bool:
        """Are a guest's nanoseconds instructions?"""
        return bool(self.setup["accelerator"] == "tcg")

    def facts(self) -> dict[str, Any]:
        """What the figures are, and what was booted how."""
        found: dict[str, Any] = {"figure": "instructions" if self.counted else "time", "workload": WORKLOAD}
        found["accelerator"] = self.setup["accelerator"]
        found["guest"] = "; ".join(" ".join(machine.hardware(self.counted)) for machine in self.machines)
        found["qemu"] = self.setup.get("qemu") or "; ".join(
            dict.fromkeys(qemu.version(machine.qemu) for machine in self.machines)
        )
        for image in self.images.values():
            found[f"kernel_{image.name}"] = f"{image.release or 'of unknown release'}, {image.path.name}"
        return found

    def process_facts(self) -> dict[str, Any]:
        """What this boot has of its own."""
        return {"boot_date": str(Boot(next(iter(self.images.values())), self.number).date)}

    def measure(self, plan: Plan, job: dict[str, Any], write: Writer) -> None:
        """Boot, ask, and append a round of each block for every repetition that the guests did."""
        requests = self.requests(plan, job)
        heard = self._boot(requests, job, write)
        for number in job["blocks"]:
            block = plan.blocks[number]
            answered = Answers(block, {at[1:]: a for at, a in heard.items() if at[0] == number})
            for turn in range(job["rounds"]):
                write("round", number, answered.values(turn), {})
            for index in range(len(block.arms)):
                write("told", number, index, answered.told(index))
            write("done", number, self.process_facts())

    def requests(self, plan: Plan, job: dict[str, Any]) -> dict[str, list[Request]]:
        """By kernel, in an order of its own for each boot; those that share a memory stay together."""
        skip = {tuple(at) for at in job["skip"]}
        groups: dict[str, dict[tuple[Any, ...], list[Request]]] = {name: {} for name in self.images}
        for number in job["blocks"]:
            for index, arm in enumerate(plan.blocks[number].arms):
                for turn in range(job["rounds"]) if (number, index) not in skip else ():
                    request = Request(number, index, turn, arm.spec)
                    place = (number, turn) if arm.spec["shared"] else (number, turn, index)
                    groups[arm.spec["kernel"]].setdefault(place, []).append(request)
        seed = f"{job['seed']}/{job['number']}"
        return {
            name: list(_shuffled(found, random.Random(f"{seed}/{name}")))
            for name, found in groups.items()
            if found
        }

    def _boot(
        self, requests: dict[str, list[Request]], job: dict[str, Any], write: Writer
    ) -> dict[tuple[int, int, int], dict[str, Any]]:
        """The answers by block, arm and round; arms of kernels that do not come to their end are failed."""
        bases, place = self.bases(), Path(job["out"])
        heard: dict[tuple[int, int, int], dict[str, Any]] = {}
        reasons: dict[str, str] = {}

        def listen(name: str, records: list[dict[str, Any]]) -> None:
            write("at", requests[name][0].block, -1)  # a sign of life

        waiting = dict(requests)
        for _ in range(ATTEMPTS):
            outcomes = self._boot_once(waiting, bases, place, job, listen)
            for name, outcome in outcomes.items():
                heard |= _known(requests[name], answers(outcome.console))
                reasons[name] = outcome.reason
                if readings := [record["clock"] for record in outcome.console.records if "clock" in record]:
                    write("facts", {f"clock_reading_{name}": readings[0]})
            # A panic would come again.
            waiting = {
                name: requests[name] for name, out in outcomes.items() if out.reason and not out.console.panic
            }
        for name, asked in requests.items():
            for block, arm in sorted({_at(request)[:2] for request in asked if _at(request) not in heard}):
                write("failed", block, arm, f"{name}: {reasons[name] or 'an answer was garbled'}")
        return heard

    def bases(self) -> dict[str, bytes]:
        """By machine what its guests have in common, made here or where the run was started."""
        if given := self.setup.get("archives"):
            return {machine: Path(path).read_bytes() for machine, path in given.items()}
        found = roots(self.setup.get("guest_roots", ()), self.machines)
        return {machine.name: initramfs.base(found.get(machine.name)) for machine in self.machines}

    def _boot_once(
        self,
        requests: dict[str, list[Request]],
        bases: dict[str, bytes],
        place: Path,
        job: dict[str, Any],
        listen: boot.Listener,
    ) -> dict[str, boot.Outcome]:
        """Boot these kernels; console logs of those that failed stay beside the journal."""
        try:
            with tempfile.TemporaryDirectory(dir=place.parent) as directory:
                jobs = [
                    self._job(name, self.archive(name, asked, bases), Path(directory), job)
                    for name, asked in requests.items()
                ]
                outcomes = boot.run(jobs, self.setup["at_once"], SILENCE * job["timeout"], listen)
                for started in jobs:
                    if outcomes[started.name].reason and started.log.exists():
                        started.log.replace(place.with_suffix(f".{started.name}.console"))
        except OSError as error:
            reason = (
                f"{place.parent}: the guest's files cannot be written ({error.strerror}); make room for them"
            )
            return {name: boot.Outcome(Console(), reason) for name in requests}
        return outcomes

    def archive(self, name: str, asked: list[Request], bases: dict[str, bytes]) -> bytes:
        """What a kernel's guest unpacks: what all of its machine have in common, and what it is asked."""
        questions = [request.as_job(self.counted) for request in asked]
        return bases[self.images[name].machine] + initramfs.jobs(questions)

    def command(self, name: str, number: int, archive: Path) -> list[str]:
        """QEMU's for one boot of a kernel."""
        return qemu.command(Boot(self.images[name], number, self.setup["accelerator"]), archive)

    def _job(self, name: str, archive: bytes, directory: Path, job: dict[str, Any]) -> boot.Job:
        file = directory / f"{name}.cpio"
        file.write_bytes(archive)
        return boot.Job(name, self.command(name, job["number"], file), directory / f"{name}.console")


def _known(
    asked: list[Request], answered: Iterator[tuple[int, dict[str, Any]]]
) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Answers to what was asked, by block, arm and round."""
    return {_at(asked[number]): answer for number, answer in answered if 0 <= number < len(asked)}


def _at(request: Request) -> tuple[int, int, int]:
    return request.block, request.arm, request.turn


def _shuffled(groups: dict[tuple[Any, ...], list[Request]], rng: random.Random) -> Iterator[Request]:
    places = sorted(groups)
    rng.shuffle(places)
    for place in places:
        # Of requests that share a memory those by PMD, which have another, one after the other.
        asked = groups[place]
        rng.shuffle(asked)
        yield from sorted(asked, key=lambda request: request.spec["path"] == "pmd")


def open_session(setup: dict[str, Any], number: int) -> Session:
    """The lane's entry point for measuring processes."""
    return Session(setup, number)
