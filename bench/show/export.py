"""Results in other tools' formats; a figure is nanoseconds, or instructions, per base page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.case import KEYS, Case
from bench.errors import UsageError, one_of
from bench.judge.pairs import only_shown
from bench.judge.stats import Samples, Summary
from bench.results import Results
from bench.show.figures import Figures, unit_of
from bench.show.table import number

NS = 1e9


def _unit(results: Results) -> str:
    """What figures count."""
    return "instructions" if results.counted else "ns"


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
    facts = ("lane",) if results.counted else ("cpu_model_name", "lane")  # counts are those of any CPU
    told = [f"{key}: {results.metadata[key]}" for key in facts if key in results.metadata]
    lines, unit = [line.replace("cpu_model_name", "cpu") for line in told], _unit(results)
    for case in cases:
        loops = {run.process: run.loops for run in results.runs[case]}
        for process, seconds in samples[case].medians.items():
            lines.append(f"Benchmark{_camel(case)} {loops[process]} {seconds * NS:.6g} {unit}/page")
    return "\n".join(lines) + "\n"


def _camel(case: Case) -> str:
    """The name as Go has it: an upper-case letter first, the level as a key."""
    rest = "".join(f"/{key}={value}" for key, value in case.keys)
    return f"{case.op[0].upper()}{case.op[1:]}/level={case.level}{rest}"


def bmf(results: Results, cases: Sequence[Case]) -> str:
    """Bencher Metric Format: a latency a case, or a number of instructions, with its interval."""
    samples, measure = Samples(results), "instructions" if results.counted else "latency"
    told = {case.name: {measure: _metric(samples.summary(case))} for case in cases}
    return json.dumps(told, indent=1) + "\n"


def _metric(summary: Summary) -> dict[str, float]:
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
    samples, unit = Samples(results), _unit(results)
    units = unit_of(results)
    entries = [_entry(samples.summary(case), f"{unit}/page", units) for case in cases]
    return json.dumps(entries, indent=1) + "\n"


def _entry(summary: Summary, unit: str, units: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": summary.case.name,
        "unit": unit,
        "value": round(summary.value * NS, 6),
    }
    if bounds := summary.interval:
        entry["range"] = f"{bounds.low * NS:.4g} to {bounds.high * NS:.4g}"
    rounds = number(summary.rounds - summary.dropped, "rounds")
    return {**entry, "extra": f"{number(summary.processes, units)}, {rounds}"}


def table(results: Results, cases: Sequence[Case]) -> str:
    """CSV, a line a case, with a column for each key that occurs.

    `spread` is half the range over processes, or boots, as a fraction; `not_gated` says why none is judged.
    """
    samples, text = Samples(results), io.StringIO()
    keys = [key for key in KEYS if any(case.get(key) for case in cases)]
    writer = csv.writer(text, lineterminator="\n")
    figures = [f"{_unit(results)}_per_page", "low", "high", "spread", "processes", "not_gated"]
    writer.writerow(["level", "op", *keys, *figures])
    for case in cases:
        summary = samples.summary(case)
        metric = _metric(summary)
        bounds = (metric.get(name, "") for name in ("value", "lower_value", "upper_value"))
        spread = Figures(samples).spread(summary)
        known = ("" if spread is None else f"{spread:.6g}", summary.processes, only_shown(results, case))
        writer.writerow([case.level, case.op, *map(case.get, keys), *bounds, *known])
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
