"""The journal of a run: a directory of append-only files that survives a kill at any moment.

`plan.json` says what is measured; every worker appends records to a file of its own, one JSON line each:
["tuning", block, [...]], ["at", block, arm], ["failed", block, arm, reason],
["facts", {...}], ["round", block, [values], {counters that moved}], ["told", block, arm, [{...} a case]],
["done", block, {facts of the process}],
["end"].
Half a line at the end of a file is ignored, as are records of other kinds, which are a lane's own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.measure.plan import Plan, Settings

Record = list[Any]


class Writer:
    """Appends records to one file; each is handed to the system whole before the next batch is timed."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, *record: Any) -> None:
        """Append one record."""
        os.write(self._file, (json.dumps(record, separators=(",", ":")) + "\n").encode())


@dataclass
class Reader:
    """Reads what was appended to a file since the last look."""

    path: Path
    _offset: int = 0

    def __call__(self) -> Iterator[Record]:
        """The new records; half a line stays for the next look."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


@dataclass
class ProcessBlock:
    """What one process measured of one block: values and what it met by round, what arms told in the end."""

    rounds: list[list[float | None]] = field(default_factory=list)
    met: list[dict[str, float]] = field(default_factory=list)
    told: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # arm -> facts by case
    facts: dict[str, Any] = field(default_factory=dict)
    complete: bool = False


@dataclass
class State:
    """Everything a journal holds, by block number."""

    tuning: dict[int, list[Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failed: dict[tuple[int, int], str] = field(default_factory=dict)  # (block, arm) -> reason
    done: dict[int, dict[int, ProcessBlock]] = field(default_factory=dict)  # block -> process -> values
    processes: int = 0  # worker files used so far


class Journal:
    """The journal in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def create(
        cls, directory: Path, plan: Plan, settings: Settings, header: dict[str, Any], force: bool = False
    ) -> Journal:
        """A new journal; one that is there already goes only if forced. `header` comes back from header()."""
        if force and (directory / "plan.json").exists():
            shutil.rmtree(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with (directory / "plan.json").open("x") as file:
                planned = {"plan": dataclasses.asdict(plan), "settings": dataclasses.asdict(settings)}
                json.dump({**planned, "header": header}, file)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise UsageError(
                f"{directory} holds a run already; continue it with --resume or choose -o"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{directory}: cannot write there ({error.strerror}); choose another -o"
            ) from None
        return cls(directory)

    def header(self) -> tuple[Plan, Settings, dict[str, Any]]:
        """Plan, settings and header of the run."""
        try:
            data = json.loads((self.directory / "plan.json").read_text())
            settings = Settings(**{**data["settings"], "cpus": tuple(data["settings"]["cpus"])})
            return Plan.from_json(data["plan"]), settings, data["header"]
        except OSError:
            raise UsageError(f"{self.directory}: no run to resume there (plan.json is missing)") from None
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{self.directory}: plan.json is damaged; start the run anew") from None

    def worker_file(self, number: int) -> Path:
        """The file of worker number `number`; the first has number 1."""
        return self.directory / f"worker-{number:03d}.jsonl"

    def read(self) -> State:
        """All that was measured so far."""
        state = State()
        for path in sorted(self.directory.glob("worker-*.jsonl")):
            number = int(path.stem.partition("-")[2])
            state.processes = max(state.processes, number)
            self._read_worker(state, number, Reader(path))
        return state

    def _read_worker(self, state: State, number: int, records: Reader) -> None:
        for kind, *rest in records():
            if kind == "tuning":
                state.tuning[rest[0]] = rest[1]
            elif kind == "facts":
                state.facts.update(rest[0])
            elif kind == "failed":
                state.failed[rest[0], rest[1]] = rest[2]
            elif kind in ("round", "told", "done"):
                measured = state.done.setdefault(rest[0], {}).setdefault(number, ProcessBlock())
                if kind == "round":
                    measured.rounds.append(rest[1])
                    measured.met.append(rest[2])
                elif kind == "told":
                    measured.told[rest[1]] = rest[2]
                else:
                    measured.facts, measured.complete = rest[1], True

    def sweep(self) -> None:
        """Remove the scratch directories of workers that were killed; none may be at work."""
        for path in self.directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)

    def fail(self, number: int, block: int, arm: int, reason: str) -> None:
        """Record on behalf of a worker that died that it did so on this arm."""
        Writer(self.worker_file(number))("failed", block, arm, reason)
