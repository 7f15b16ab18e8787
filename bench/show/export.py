"""Results in other tools' formats; every figure is nanoseconds per base page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.case import KEYS, Case
from bench.errors import UsageError, one_of
from bench.judge.stats import Samples, Summary
from bench.results import Results

NS = 1e9
UNIT = "ns/page"


def split(results: Results, cases: Sequence[Case], key: str) -> dict[str, Results]:
    """A file for each value of `key`, which is dropped from the names: what `pyperf compare_to` takes."""
    valid = [name for name in KEYS if any(case.get(name) for case in cases)]
    if key not in valid:
        raise one_of("key", key, valid)
    found: dict[str, Results] = {}
    for case in cases:
        if value := case.get(key):
            part = found.setdefault(value, Results({}, dict(results.metadata)))
            part.runs[case.but(**{key: None})] = results.runs[case]
    return found


def chosen(results: Results, cases: Sequence[Case]) -> Results:
    """The same file with these cases only."""
    return replace(results, runs={case: results.runs[case] for case in cases})


def benchfmt(results: Results, cases: Sequence[Case]) -> str:
    """The Go benchmark format, a line a process: `benchstat -col /path` reads it."""
    samples = Samples(results)
    told = [
        f"{key}: {results.metadata[key]}" for key in ("cpu_model_name", "lane") if key in results.metadata
    ]
    lines = [line.replace("cpu_model_name", "cpu") for line in told]
    for case in cases:
        loops = {run.process: run.loops for run in results.runs[case]}
        for process, seconds in samples[case].medians.items():
            lines.append(f"Benchmark{_camel(case)} {loops[process]} {seconds * NS:.6g} {UNIT}")
    return "\n".join(lines) + "\n"


def _camel(case: Case) -> str:
    """The name as Go has it: an upper-case letter first, the level as a key."""
    rest = "".join(f"/{key}={value}" for key, value in case.keys)
    return f"{case.op[0].upper()}{case.op[1:]}/level={case.level}{rest}"


def bmf(results: Results, cases: Sequence[Case]) -> str:
    """Bencher Metric Format: a latency a case, with its interval."""
    samples = Samples(results)
    told = {case.name: {"latency": _latency(samples.summary(case))} for case in cases}
    return json.dumps(told, indent=1) + "\n"


def _latency(summary: Summary) -> dict[str, float]:
    value, bounds = round(summary.value * NS, 6), summary.interval
    if bounds is None:
        return {"value": value}
    return {
        "value": value,
        "lower_value": round(bounds.low * NS, 6),
        "upper_value": round(bounds.high * NS, 6),
    }


def github_action_benchmark(results: Results, cases: Sequence[Case]) -> str:
    """The input of github-action-benchmark's tool `customSmallerIsBetter`."""
    samples = Samples(results)
    return json.dumps([_entry(samples.summary(case)) for case in cases], indent=1) + "\n"


def _entry(summary: Summary) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": summary.case.name,
        "unit": UNIT,
        "value": round(summary.value * NS, 6),
    }
    if bounds := summary.interval:
        entry["range"] = f"{bounds.low * NS:.4g} to {bounds.high * NS:.4g}"
    return {**entry, "extra": f"{summary.processes} processes, {summary.rounds - summary.dropped} rounds"}


def table(results: Results, cases: Sequence[Case]) -> str:
    """CSV, a line a case, with a column for each key that occurs."""
    samples, text = Samples(results), io.StringIO()
    keys = [key for key in KEYS if any(case.get(key) for case in cases)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["level", "op", *keys, "ns_per_page", "low", "high", "processes"])
    for case in cases:
        latency = _latency(samples.summary(case))
        figures = (latency.get(name, "") for name in ("value", "lower_value", "upper_value"))
        processes = samples.summary(case).processes
        writer.writerow([case.level, case.op, *map(case.get, keys), *figures, processes])
    return text.getvalue()


FORMATS: Mapping[str, Callable[[Results, Sequence[Case]], str]] = {
    "benchfmt": benchfmt,
    "bmf": bmf,
    "github-action-benchmark": github_action_benchmark,
    "csv": table,
}


def check_file_name(value: str) -> str:
    """A key's value as the stem of a file name; UsageError where it cannot be one."""
    if "/" in value or value.startswith("."):
        raise UsageError(f"{value!r} cannot be the name of a file; split by another key")
    return value
