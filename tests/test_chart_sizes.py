"""Charts over memory and threads, and beside published figures: drawn where there is something to draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.pairs import pairs
from bench.results import ProcessRun, Results
from bench.show.chart_order import cost_chart
from bench.show.chart_published import published_chart
from bench.show.chart_sizes import memory_chart, threads_chart
from bench.show.projection import render_projection
from bench.show.published import load
from bench.show.report import render_text

FORK = Case.of("scenario", "fork", variant="v6.12", path="pte", order=4)
ZAP = FORK.but(state="munmap-last")


def measured(values: dict[Case, float]) -> Results:
    """Results of six processes around these nanoseconds a page."""
    noise = np.random.default_rng(1)
    runs = {
        case: [
            ProcessRun(number, ns * 1e-9 * (1 + noise.normal(0, 0.001, 40)), 7, {"base": "v6.10"})
            for number in range(6)
        ]
        for case, ns in values.items()
    }
    return Results(runs, {}, {})


def titles(figure: object) -> list[str]:
    return [axes.get_title() for axes in figure.get_axes()]  # type: ignore[attr-defined]


def test_cost_is_drawn_over_memory_hot_first() -> None:
    """A panel for each operation, variant and size; values in order of size, not of name."""
    sizes = {None: 20.0, "64MiB": 25.0, "1GiB": 40.0}
    results = measured(
        {FORK.but(memory=memory, path=path): ns for memory, ns in sizes.items() for path in ("pte", "ptes")}
    )
    figure = memory_chart(results)
    assert titles(figure) == ["fork, v6.12, 64K"]
    axes = figure.get_axes()[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["hot", "64MiB", "1GiB"]
    assert np.asarray(axes.get_lines()[0].get_ydata()) == pytest.approx([20, 25, 40], rel=0.01)


def test_throughput_is_that_of_all_threads() -> None:
    """Two threads that each take twice as long get as much done as one."""
    one = Case.of("scenario", "contend", kind="file", state="same", variant="v6.12", path="ptes", order=4)
    figure = threads_chart(measured({one: 10.0, one.but(threads=2): 20.0}))
    assert np.asarray(figure.get_axes()[0].get_lines()[0].get_ydata()) == pytest.approx([100, 100], rel=0.01)


@pytest.mark.parametrize("draw", [memory_chart, threads_chart, published_chart])
def test_a_chart_without_figures_is_refused(draw: object) -> None:
    """And says what to run."""
    with pytest.raises(UsageError, match=r"memory|threads"):
        draw(measured({FORK: 10.0}))  # type: ignore[operator]


def at_1gib() -> Results:
    cases = [case.but(memory="1GiB", path=path) for case in (FORK, ZAP) for path in ("pte", "ptes")]
    zap = [Case.of("scenario", "zap", **dict(case.keys)) if case.get("state") else case for case in cases]
    return measured({case: 20.0 if case.get("path") == "pte" else 12.0 for case in zap})


def test_ours_and_theirs_are_drawn_together() -> None:
    """fork and munmap, the variant and the published line."""
    figure = published_chart(at_1gib(), Filters.parse(["variant=v6.12"]))
    assert titles(figure) == ["fork", "munmap, last mapper"]
    for axes in figure.get_axes():
        labels = [line.get_label() for line in axes.get_lines()]
        assert "v6.12" in labels and any(str(label).startswith("published") for label in labels)


def test_only_whole_folios_are_drawn_beside_published_figures() -> None:
    """A pattern measured in the same run does not take the place of the full one: 12:20, not 19:20."""
    results = at_1gib()
    for case in list(results.runs):
        ns = 20.0 if case.get("path") == "pte" else 19.0
        results.runs.update(measured({case.but(pattern="young"): ns}).runs)
    for axes in published_chart(results).get_axes():
        ours = next(line for line in axes.get_lines() if line.get_label() == "v6.12")
        assert np.asarray(ours.get_ydata()) == pytest.approx([0.6], rel=0.01)


def test_published_figures_are_those_of_the_list() -> None:
    """Nine folio sizes each; 64 KiB: fork -26 %, munmap -37 %."""
    wanted = ("fork", "munmap")
    drawn = [row for row in load() if row.ratio and row.operation in wanted and row.memory == "1GiB"]
    found = {(row.operation, row.order): round(100 * (row.ratio or 0)) - 100 for row in drawn}
    assert len(found) == len(drawn) == 18
    assert (found["fork", 4], found["munmap", 4], found["fork", 0], found["munmap", 0]) == (-26, -37, -2, -1)
    assert all(f"{change} %" == row.change for change, row in zip(found.values(), drawn))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """By name."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"x\.csv"):
        load(tmp_path / "x.csv")


def test_shapes_kept_on_request_are_shown_where_paths_are_named() -> None:
    """Not in the default tables; in a projection over paths, and where a filter names the path."""
    results = measured({FORK.but(path=path): 10.0 for path in ("pte", "ptes", "scan-first")})
    shape = FORK.but(path="scan-first")
    results.runs[shape] = [replace(run, metadata={"on_request": 1}) for run in results.runs[shape]]
    assert "scan-first" not in render_text(results)
    assert "scan-first" in render_text(results, Filters.parse(["path=scan-first"]))
    assert "scan-first" in render_projection(results, "order", "path", "path=pte")


def test_shapes_kept_on_request_are_judged_where_their_path_is_named() -> None:
    """Against per-page; elsewhere they are shown, with the reason."""
    shape = FORK.but(path="scan-first")
    results = measured({FORK: 10.0, FORK.but(path="ptes"): 10.0, shape: 11.0})
    results.runs[shape] = [replace(run, metadata={"on_request": 1}) for run in results.runs[shape]]
    found = {pair.case: pair for pair in pairs(results)}
    assert (found[shape].base, bool(found[shape].why_not)) == (FORK, True)
    assert not found[FORK.but(path="ptes")].why_not
    (named,) = pairs(results, Filters.parse(["path=scan-first"]))
    assert (named.case, named.base, named.why_not) == (shape, FORK, "")


@pytest.mark.parametrize(("processes", "said"), [(6, True), (5, False)])
def test_a_chart_speaks_of_intervals_where_it_has_some(processes: int, said: bool) -> None:
    """Those of order statistics take six processes."""
    results = measured({FORK.but(order=order): 10.0 + order for order in (0, 4)})
    for case, runs in results.runs.items():
        results.runs[case] = runs[:processes]
    figure = cost_chart(results)
    assert ("interval" in figure.get_suptitle()) == said
