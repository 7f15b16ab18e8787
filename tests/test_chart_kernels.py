"""Charts of kernels: a line a kernel in one panel, and where aarch64 folds PTEs is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.case import Case, Filters
from bench.judge.stats import Samples
from bench.results import ProcessRun, Results
from bench.show import contpte
from bench.show.chart_kernels import kernels_chart
from bench.show.chart_order import cost_chart, ratio_chart
from bench.show.live_notes import live_notes
from bench.show.rows import rows_of
from tests.booted import booted

Chart = Callable[[Results, Filters | None], Figure]
FOLDED = "contpte: PTEs folded by 16 (aarch64)"


def counted(
    kernels: Sequence[tuple[str, str | None]], orders: Sequence[int] = (0, 3, 4, 9), platform: str = "",
    level: str = "vm",
) -> Results:  # fmt: skip
    """Forks of kernels, each with its machine; a page costs what its order says."""
    cases = [
        Case.of(level, "fork", kernel=kernel, machine=machine, path=path, order=order)
        for kernel, machine in kernels
        for path in ("pte", "ptes", "default")
        for order in orders
    ]
    runs = {
        case: [ProcessRun(n, [1e-9 * (160 - 9 * case.order)] * 3, 1, {}) for n in (0, 1)] for case in cases
    }
    return Results(runs, {"lane": level, "figure": "instructions", "platform": platform}, {})


def labels(figure: Figure) -> list[str]:
    """What the legend says."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("draw", [kernels_chart, cost_chart, ratio_chart])
def test_charts_mark_the_sizes_that_aarch64_folds(draw: Chart) -> None:
    """From 64 KiB to the largest; not on x86-64, nor in a kernel that has no such sizes."""
    figure = draw(counted([("k", "aarch64")]), None)
    assert FOLDED in labels(figure)
    (shade,) = [patch for patch in figure.axes[0].patches if patch.get_label() == FOLDED]
    box = shade.get_path().get_extents(shade.get_patch_transform())
    assert (box.x0, box.x1) == (3.5, 9.5)
    assert FOLDED not in labels(draw(counted([("k", None)], platform="Linux-6.18-x86_64"), None))
    assert FOLDED not in labels(draw(counted([("k", "aarch64")], orders=(0, 9)), None))


@pytest.mark.parametrize("level", ["vm", "live"])
def test_a_file_of_an_aarch64_machine_is_marked_wherever_it_is_drawn(level: str) -> None:
    """Its own machine is not in the names of its cases."""
    found = counted([("k", None)], platform="Linux-6.12-aarch64-with-glibc2.36", level=level)
    assert contpte.folds(found, found.runs)


def test_kernels_of_two_machines_share_a_panel_and_no_change_is_said() -> None:
    """A line each; instructions of different machines are not a percentage."""
    figure = kernels_chart(counted([("arm", "aarch64"), ("x86", None)]))
    (panel,) = figure.axes
    assert panel.get_title() == "fork"
    assert {"arm (aarch64)", "x86"} <= set(labels(figure))
    assert "4K: 160" in kernels_chart(counted([("new", None), ("old", None)])).axes[0].get_title()


@pytest.mark.parametrize("names", [("old", "new"), ("b", "a"), ("6.1", "6.12")])
def test_the_change_at_order_0_is_that_of_the_last_kernel_given_against_the_first(
    names: tuple[str, str],
) -> None:
    """Whatever they are called: what became dearer has a plus."""
    found = counted([(name, None) for name in names])
    for case, runs in found.runs.items():
        if case.get("kernel") == names[1]:
            dearer = (
                ProcessRun(run.process, [1.3125 * value for value in run.values], 1, {"base": names[0]})
                for run in runs
            )
            found.runs[case] = list(dearer)
    (panel,) = kernels_chart(found).axes
    assert panel.get_title() == "fork\n4K: 160.0 to 210.0, +31.2 %"
    assert [label for label in labels(kernels_chart(found)) if label in names] == list(names)


def boots_of_two() -> Results:
    """Two kernels, 165 or 99 instructions a page +-0.05 %; their munmap at order 0 no gate judges."""
    return booted(("old", "new"), paths=("default", "ptes"), operations=("fork", "munmap"))


def hollow(panel: Axes) -> list[float]:
    """The folio orders of hollow points."""
    return [
        x
        for line in panel.lines
        if line.get_markerfacecolor() == "white"
        for x in np.asarray(line.get_xdata())
    ]


def test_what_is_not_judged_is_hollow() -> None:
    """Order-0 munmap; the legend says so, and says nothing where all is judged."""
    fork, munmap = kernels_chart(boots_of_two()).axes
    assert (hollow(fork), hollow(munmap)) == ([], [0, 0])
    assert "not judged" in labels(kernels_chart(boots_of_two()))
    assert "not judged" not in labels(kernels_chart(boots_of_two(), Filters.parse(["fork"])))


def test_each_point_has_its_range_over_boots() -> None:
    """From the least to the most; none of a single boot, and then none in the legend."""
    figure = kernels_chart(boots_of_two(), Filters.parse(["fork"]))
    bars = [np.asarray(path.vertices) for item in figure.axes[0].collections for path in item.get_paths()]
    assert sorted((bar[0][0], bar[0][1], bar[1][1]) for bar in bars) == [
        (order, pytest.approx(cost * 0.9995), pytest.approx(cost * 1.0005))
        for order, cost in ((0, 165.0), (0, 165.0), (9, 99.0), (9, 99.0))
    ]
    assert "range over boots" in labels(figure)
    assert "range over boots" not in labels(kernels_chart(booted(boots=1)))


def test_kernels_differ_in_colour_and_marker() -> None:
    """All of them, whatever they are called."""
    names = ("c", "v6.12", "a", "new", "b")
    lines = [line for line in kernels_chart(booted(names)).axes[0].lines if line.get_label() in names]
    assert len({(line.get_color()) for line in lines}) == len({line.get_marker() for line in lines}) == 5


def test_tables_say_that_batching_and_folding_come_together() -> None:
    """Under those of folios that are folded, per-page beside batched."""
    for orders, said in (((0, 3), False), ((0, 4), True)):
        found = counted([("k", "aarch64")], orders=orders)
        rows = rows_of(Samples(found), found.runs)
        assert (contpte.NOTE in live_notes(Samples(found), rows)) is said
