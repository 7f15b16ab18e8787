"""Other tools' formats: read back where Python can, else held against what their documentation says."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from bench.judge.generations import is_plain
from bench.judge.stats import Samples
from bench.results import Results
from bench.show import export
from tests.conftest import Cli
from tests.gated import REMOVE, good, refused


@pytest.fixture(scope="module")
def measured() -> Results:
    return good()


@pytest.fixture
def saved(cli: Cli, measured: Results) -> Path:
    results.save(measured, cli.cwd / "a.json")
    return cli.cwd / "a.json"


def plain(measured: Results) -> list[Case]:
    """The ordinary cases."""
    return [case for case in measured.runs if is_plain(case)]


def test_pyperf_compares_the_files_of_a_split(cli: Cli, saved: Path) -> None:
    """Batched against per-page, under names without the path."""
    outcome = cli("export", saved.name, "order=4", "--by", "path", "-o", "paths")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (cli.cwd / "paths").iterdir()) == ["pte.json", "ptes.json"]
    command = [sys.executable, "-m", "pyperf", "compare_to", "paths/pte.json", "paths/ptes.json"]
    done = subprocess.run(command, cwd=cli.cwd, capture_output=True, text=True, check=True)
    assert "call/remove/kind=anon/state=last/variant=v6.15/order=4" in done.stdout
    assert "faster" in done.stdout and "path=" not in done.stdout


def test_one_pyperf_file_holds_what_was_selected(cli: Cli, saved: Path, measured: Results) -> None:
    """Values as they were."""
    assert cli("export", saved.name, "remove", "order=0", "-o", "b.json").code == 0
    again = results.load(cli.cwd / "b.json")
    assert {case.op for case in again.runs} == {"remove"} and REMOVE in again.runs
    assert list(again.runs[REMOVE][0].values) == pytest.approx(
        list(measured.runs[REMOVE][0].values), rel=1e-5
    )


def test_benchfmt_follows_its_grammar(measured: Results) -> None:
    """Configuration lines, then name, iterations, value and unit; a line a process."""
    lines = export.benchfmt(measured, plain(measured)).splitlines()
    assert lines[0] == "lane: model"
    grammar = re.compile(r"Benchmark[A-Z]\w*(/\w+=[\w.-]+)+ [1-9]\d* \d+(\.\d+)?(e-\d+)? ns/page")
    assert [line for line in lines[1:] if not grammar.fullmatch(line)] == []
    assert len(lines) - 1 == 8 * len(plain(measured))


def test_bmf_has_latencies_with_bounds(measured: Results) -> None:
    """As Bencher's schema: case, measure, value and optional bounds around it."""
    data = json.loads(export.bmf(measured, plain(measured)))
    assert len(data) == len(plain(measured))
    for metrics in data.values():
        (measure,) = metrics.values()
        assert 0 < measure["lower_value"] <= measure["value"] <= measure["upper_value"]
    ns = Samples(measured).summary(REMOVE).value * 1e9
    assert data[REMOVE.name]["latency"]["value"] == pytest.approx(ns)


def test_github_action_benchmark_has_its_fields(measured: Results) -> None:
    """name, unit, value; range and extra are strings."""
    data = json.loads(export.github_action_benchmark(measured, plain(measured)))
    for entry in data:
        assert set(entry) == {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], float) and isinstance(entry["range"], str)


def test_csv_has_a_line_a_case(measured: Results) -> None:
    """A column for each key, so that a spreadsheet can pivot it."""
    rows = list(csv.DictReader(io.StringIO(export.table(measured, plain(measured)))))
    assert len(rows) == len(plain(measured))
    assert list(rows[0]) == [
        "level", "op", "kind", "state", "variant", "path", "order", "ns_per_page", "low", "high", "spread",
        "processes", "not_gated",
    ]  # fmt: skip
    assert {row["processes"] for row in rows} == {"8"}


@pytest.mark.parametrize("name", export.FORMATS)
def test_text_formats_are_printed_or_written(cli: Cli, saved: Path, name: str) -> None:
    """The same text; nothing is overwritten unasked."""
    printed = cli("export", saved.name, "order=0", "--format", name)
    assert (printed.code, printed.err) == (0, "")
    assert cli("export", saved.name, "order=0", "--format", name, "-o", "out").code == 0
    assert (cli.cwd / "out").read_text() == printed.out
    refused(cli("export", saved.name, "--format", name, "-o", "out"), "out", "--force")


def test_what_cannot_be_exported_is_refused(cli: Cli, saved: Path) -> None:
    """Without a place, by a key that is not there, split where nothing is split."""
    refused(cli("export", saved.name), "-o FILE")
    refused(cli("export", saved.name, "--by", "memory", "-o", "d"), "unknown key 'memory'", "path, order")
    refused(cli("export", saved.name, "--by", "path", "--format", "csv"), "--by path")
    refused(cli("export", saved.name, "order=7", "-o", "d"), "unknown order '7'")
