"""Result files: pyperf suites with one Benchmark a case and one Run a process, read and written whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bench import results_units as units
from bench.case import Case
from bench.errors import UsageError, taken
from bench.results_check import checked

if TYPE_CHECKING:
    import numpy as np
    import pyperf

Scalar = str | int | float
LIMIT = 1 << 30  # bytes of JSON; more than a hundred times the largest full run
ZIP_LEVEL = 6  # 9 takes twice the time for 1 % less
PROBE = 1 << 16  # bytes tried out before measuring; a full disk refuses them
# What belongs to a run even if all runs of a file agree on it: pyperf moves common metadata to the top.
PER_RUN = (
    "base", "pages", "extra_locked", "extra_pages", "same_code", "not_gated", "duration", "gross", "empty",
    "placement", "anon_huge_mib",
    "order_share", "present", "by_pmd", "wp_even", "wp_odd", "vmas", "fallbacks", "splits", "attempts",
)  # fmt: skip
OWN = ("name", "unit", "loops", "process")  # fields or benchmark properties, not metadata of ours


@dataclass(frozen=True, eq=False)
class ProcessRun:
    """What one process measured of one case: `values` in seconds per base page, one a round."""

    process: int
    values: Sequence[float] | np.ndarray
    loops: int = 1
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass
class Results:
    """A whole file: runs by case (in process order), metadata common to all, failed cases with reasons."""

    runs: dict[Case, list[ProcessRun]]
    metadata: dict[str, Scalar] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unpaired(self) -> bool:
        """Was it written by the plain pyperf script, which measures one case after the other?"""
        return bool(self.metadata.get("unpaired"))

    @property
    def counted(self) -> bool:
        """Are the values counts of instructions?"""
        return units.counted(self.metadata)

    def note(self, case: Case, key: str) -> Scalar | None:
        """Metadata `key` of a case's first run; None where there is no such case or key."""
        runs = self.runs.get(case)
        return runs[0].metadata.get(key) if runs else None


# Reading


def load(path: str | Path) -> Results:
    """The results in a pyperf file (.json, .json.gz); UsageError if it is not one of this program's."""
    # Note: not by pyperf.BenchmarkSuite.load, which takes 0.43 s with its import for a full run (1,400
    # cases x 8 processes x 60 values) and gives tuples; reading its documented JSON takes 0.25 s.
    path = Path(path)
    benchmarks, common = _suite(path)
    named = [(_name(benchmark, common), benchmark) for benchmark in benchmarks]
    cases = _cases(path, [name for name, _ in named])
    try:
        runs = {case: list(_runs(item, common)) for case, (_, item) in zip(cases, named)}
        failed = dict(json.loads(common.pop("failed", "{}")))
        checked(common)
        checked(failed)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, f"a run of it does not look like pyperf's ({error})") from None
    _check_values(path, runs)
    kept = {key: value for key, value in common.items() if key not in (*PER_RUN, *OWN)}
    return Results(runs, kept, failed)


def _suite(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Benchmarks and common metadata as they stand in the file."""
    try:
        data = json.loads(_read(path))
    except ValueError as error:
        raise _damaged(path, f"not JSON: {error}") from None
    except RecursionError:
        raise _damaged(path, "its JSON is nested too deeply") from None
    benchmarks = data.get("benchmarks") if isinstance(data, dict) else None
    common = data.get("metadata", {}) if isinstance(data, dict) else None
    if not isinstance(benchmarks, list) or not benchmarks or not isinstance(common, dict):
        raise UsageError(f"{path}: JSON, but no pyperf suite; give a file that `rmapbench run` wrote")
    if data.get("version") != "1.0":
        raise UsageError(f"{path}: pyperf format {data.get('version')!r}, not '1.0'; measure again")
    return benchmarks, common


def _read(path: Path) -> str:
    """The file's text, decompressed; at most LIMIT bytes."""
    try:
        if not path.is_file():
            missing = "no such file" if not path.exists() else "not a regular file"
            raise UsageError(f"{path}: {missing}; give a file that `rmapbench run` wrote")
        if path.stat().st_size > LIMIT:
            raise _too_big(path)
        with path.open("rb") as file:
            zipped = file.peek(2)[:2] == b"\x1f\x8b"
            data = (gzip.GzipFile(fileobj=file) if zipped else file).read(LIMIT + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, f"the gzip stream is broken or cut off ({error})") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if len(data) > LIMIT:
        raise _too_big(path)
    if not data.strip():
        raise _damaged(path, "the file is empty")
    return data.decode(errors="replace")


def _too_big(path: Path) -> UsageError:
    return UsageError(f"{path}: more than {LIMIT >> 30} GiB; no run is that large, give another file")


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError(f"{path}: {what}; measure again, or fetch the file again")


def _name(benchmark: Any, common: dict[str, Any]) -> str:
    """The benchmark's name, from wherever pyperf put it: the suite, the benchmark or its runs."""
    with contextlib.suppress(TypeError, KeyError, IndexError, AttributeError):
        levels = (common, benchmark.get("metadata", {}), benchmark["runs"][0].get("metadata", {}))
        return next((str(level["name"]) for level in levels if "name" in level), "")
    return ""


def _cases(path: Path, names: list[str]) -> list[Case]:
    cases: list[Case] = []
    strangers: list[str] = []
    for name in names:
        try:
            cases.append(Case.parse(name))
        except UsageError:
            strangers.append(name)
    if strangers and not cases:
        raise UsageError(
            f"{path}: a pyperf file, but not of rmapbench (its first benchmark is {strangers[0]!r}); "
            "give a file that `rmapbench run` wrote"
        )
    if strangers:
        raise UsageError(f"{path}: {strangers[0]!r} is not a case name; remove it or measure again")
    if len(set(cases)) < len(cases):
        raise UsageError(f"{path}: holds a case twice; measure again")
    return cases


def _runs(benchmark: Any, common: dict[str, Any]) -> Iterator[ProcessRun]:
    """The runs with values (pyperf's own scripts also write calibration runs, which have none)."""
    import numpy as np

    lifted = {key: common[key] for key in (*PER_RUN, *OWN) if key in common}
    shared = {**lifted, **benchmark.get("metadata", {})}
    for run in benchmark["runs"]:
        if "values" in run:
            values = np.array(run["values"])
            if values.ndim != 1 or values.dtype.kind not in "fi":
                raise ValueError("values are not a list of numbers")
            own = checked({**shared, **run.get("metadata", {})})
            scale = units.scale(str(own.get("unit", "second")), {**common, **own})
            loops, process = int(own.get("loops", 1)), int(own.get("process", -1))
            metadata = {key: value for key, value in own.items() if key not in OWN}
            yield ProcessRun(process, scale * values.astype(float), loops, metadata)


def _check_values(path: Path, runs: dict[Case, list[ProcessRun]]) -> None:
    """Number the processes of plain pyperf scripts; refuse what is not a positive time."""
    import numpy as np

    for case, measured in runs.items():
        if not measured:
            raise _damaged(path, f"{case.name} has no values")
        values = np.concatenate([run.values for run in measured])
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise _damaged(path, f"{case.name} has a value that is not a positive time")
        if any(run.process < 0 for run in measured):
            numbered = [ProcessRun(i, run.values, run.loops, run.metadata) for i, run in enumerate(measured)]
            runs[case] = numbered


# Writing


def check_writable(path: str | Path, force: bool = False) -> None:
    """Raise UsageError, before anything is measured, if save() could not write `path`."""
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a directory; name a file in it, such as {path / 'run.json.gz'}")
    if path.exists() and not force:
        raise taken(path)
    with _replacing(path) as file:
        file.write(bytes(PROBE))
        file.flush()
        os.fsync(file.fileno())
        raise _TriedOut


def save(results: Results, path: str | Path, force: bool = False) -> None:
    """Write `results` as a pyperf suite, zipped if named so; what was there stays until it is whole."""
    text = io.StringIO()
    _pyperf_suite(results).dump(text)
    write_text(path, text.getvalue(), force)


def write_text(path: str | Path, text: str, force: bool = False) -> None:
    """Write a text file, gzipped if the name ends in .gz, with the promises of save()."""
    data = text.encode()
    # Without date in the header, so that equal results are equal files.
    write_bytes(path, gzip.compress(data, ZIP_LEVEL, mtime=0) if Path(path).suffix == ".gz" else data, force)


def write_bytes(path: str | Path, data: bytes, force: bool = False) -> None:
    """Write a file, with the promises of save()."""
    check_writable(path, force)
    with _replacing(Path(path)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


class _TriedOut(Exception):
    """Ends a trial of writing; nothing of it stays."""


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place if the block ends well and vanishes if not."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("xb") as file:
            yield file
        beside.replace(path)
    except _TriedOut:
        pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another -o") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _pyperf_suite(results: Results) -> pyperf.BenchmarkSuite:
    import pyperf

    common = _scalars({**results.metadata, **_failed(results)})
    benchmarks = []
    unit = units.unit(common)
    for case, runs in results.runs.items():
        named = {**common, "name": case.name, "unit": unit}
        benchmarks.append(pyperf.Benchmark([_pyperf_run(run, named) for run in runs]))
    if not benchmarks:
        raise UsageError("nothing was measured, so there is nothing to save; see the failed cases")
    return pyperf.BenchmarkSuite(benchmarks)


def _failed(results: Results) -> dict[str, Scalar]:
    return {"failed": json.dumps(results.failed, sort_keys=True)} if results.failed else {}


def _pyperf_run(run: ProcessRun, common: dict[str, Scalar]) -> pyperf.Run:
    """A run with values to six digits: the clock gives no more, and the file is half as large."""
    import pyperf

    scale = units.scale(str(common["unit"]), common)
    values = [float(f"{value / scale:.6g}") for value in map(float, run.values)]
    own: dict[str, Scalar] = {"loops": run.loops, "process": run.process}
    metadata = {**common, **_scalars(run.metadata), **own}
    return pyperf.Run(values, metadata=metadata, collect_metadata=False)


def _scalars(metadata: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What pyperf accepts: strings on one line, and none that is empty."""
    flat = {
        key: " ".join(value.split()) if isinstance(value, str) else value for key, value in metadata.items()
    }
    return {key: value for key, value in flat.items() if value != ""}
