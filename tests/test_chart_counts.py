"""The chart of operation counts beside times: bars a page, the cases that have both, refused without any."""

from __future__ import annotations

import itertools
import json

import pytest

from bench.case import Filters
from bench.errors import UsageError
from bench.results import Results, save
from bench.show.chart_counts import PARTS, counts_chart
from tests import synthetic
from tests.conftest import Cli
from tests.gated import ZERO


@pytest.fixture(scope="module")
def measured() -> Results:
    return synthetic.results([("remove", "anon", "last")], orders=(0, 4))


def counted(found: Results) -> dict[str, dict[str, int]]:
    """Each counts 16 of everything."""
    return {case.name: dict.fromkeys(ZERO, 16) for case in found.runs}


def test_bars_are_operations_a_page(measured: Results) -> None:
    """16 a folio of 16 pages are one a page; every kind has its bar in every case."""
    filters = Filters.parse(["order=4", "variant=v6.15", "path=ptes"])
    bars, times = counts_chart(measured, counted(measured), filters).axes
    assert [
        bar.get_path().get_extents(bar.get_patch_transform()).width for bar in bars.patches
    ] == pytest.approx([1.0] * len(PARTS))
    assert len(times.patches) == 1 and times.texts[0].get_text().strip()


def test_parts_differ_without_colour() -> None:
    """Neighbours have different hatches, or one is black."""
    hatches = [hatch for *_, hatch in PARTS]
    assert all(a != b for a, b in itertools.pairwise(hatches))


def test_cases_without_counts_are_left_out(measured: Results) -> None:
    """All of them: an error that says how to count."""
    with pytest.raises(UsageError, match="rmapbench count -o"):
        counts_chart(measured, {})


def test_the_chart_command_draws_counts(cli: Cli, measured: Results) -> None:
    """With --counts only."""
    save(measured, cli.cwd / "run.json")
    (cli.cwd / "counts.json").write_text(json.dumps(counted(measured)))
    outcome = cli("chart", "run.json", "--format", "svg", "--counts", "counts.json")
    assert outcome.code == 0 and "wrote run-counts.svg" in outcome.out, outcome
