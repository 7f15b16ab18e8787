"""What the gate refuses, and what it makes of files that are not as they should be."""

from __future__ import annotations

import json

import pytest

from bench import results
from bench.results import ProcessRun
from tests.conftest import Cli
from tests.gated import REMOVE, ZERO, good, judged, refused


def test_2_an_unpaired_file(cli: Cli) -> None:
    """Drift would be taken for a difference."""
    refused(judged(cli, good(unpaired=1)), "unpaired", "rmapbench run")


def test_2_files_that_cannot_be_compared(cli: Cli) -> None:
    """Another CPU, another lane, times against counts, nothing at all."""
    results.save(good(cpu_model_name="other"), cli.cwd / "old.json")
    refused(judged(cli, good(), "--baseline", "old.json"), "old.json", "cpu_model_name", "'other'")
    results.save(good(lane="live"), cli.cwd / "live.json")
    refused(judged(cli, good(), "--baseline", "live.json"), "lane", "'live'")
    refused(judged(cli, good(), "--baseline", "nowhere.json"), "nowhere.json", "no such file")
    (cli.cwd / "counts.json").write_text(json.dumps({REMOVE.name: dict.fromkeys(ZERO, 1)}))
    refused(judged(cli, good(), "--baseline", "counts.json"), "a.json", "holds no counts")
    refused(cli("gate", "counts.json"), "counts.json", "--baseline")
    refused(cli("gate", "counts.json", "--baseline", "a.json"), "counts.json")


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", '"x"'])
def test_2_a_value_that_is_no_time(cli: Cli, value: str) -> None:
    """Whatever else is in the file, no verdict is given."""
    results.save(good(), cli.cwd / "a.json")
    data = json.loads((cli.cwd / "a.json").read_text())
    data["benchmarks"][0]["runs"][0]["values"][0] = "HERE"
    (cli.cwd / "a.json").write_text(json.dumps(data).replace('"HERE"', value))
    refused(cli("gate", "a.json"), "a.json")


def test_2_a_case_twice(cli: Cli) -> None:
    """In a result file and in a file of counts."""
    results.save(good(), cli.cwd / "a.json")
    data = json.loads((cli.cwd / "a.json").read_text())
    data["benchmarks"].append(data["benchmarks"][0])
    (cli.cwd / "a.json").write_text(json.dumps(data))
    refused(cli("gate", "a.json"), "a.json", "a case twice")
    entry = f'"{REMOVE.name}": {json.dumps(dict.fromkeys(ZERO, 1))}'
    (cli.cwd / "counts.json").write_text("{" + entry + "," + entry + "}")
    refused(cli("gate", "counts.json", "--baseline", "counts.json"), "twice", REMOVE.name)


def test_2_filters_that_select_nothing(cli: Cli) -> None:
    """With the valid words."""
    refused(judged(cli, good(), "order=7"), "unknown order '7'", "0, 4")


def test_unequal_processes_are_paired_where_they_can_be(cli: Cli) -> None:
    """Two processes less on one side leave six pairs; three rounds less in one leave five."""
    found = good()
    found.runs[REMOVE] = found.runs[REMOVE][:6]
    first = found.runs[REMOVE][0]
    found.runs[REMOVE][0] = ProcessRun(first.process, first.values[:-3], first.loops, first.metadata)
    outcome = judged(cli, found, "remove", "order=0", "--json")
    (pair,) = json.loads(outcome.out)["pairs"]
    assert (outcome.code, pair["verdict"], pair["processes"]) == (0, "OK", 5)
