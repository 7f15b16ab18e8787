"""Charts: the same bytes for the same figures, arms told apart, nothing overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.generations import GENERATIONS
from bench.results import ProcessRun, Results, save
from bench.show import chart, chart_style
from bench.show.chart_order import cost_chart, ratio_chart
from bench.show.chart_variants import variants_chart
from tests import synthetic
from tests.conftest import Cli

REMOVE = [("remove", "anon", "last")]
DRAWN = ("ratio", "cost", "variants", "forest")


@pytest.fixture(scope="module")
def measured() -> Results:
    return synthetic.results(REMOVE)


@pytest.fixture(scope="module")
def everything() -> Results:
    return synthetic.results(synthetic.FAMILIES, (*GENERATIONS, "mine"), processes=6, rounds=10)


def test_all_charts_are_written_in_both_formats(measured: Results, tmp_path: Path) -> None:
    """PNG and SVG of each, named after the stem."""
    written = chart.draw_all(measured, tmp_path, "run")
    assert [path.name for path in written] == [
        f"run-{name}.{kind}" for name in DRAWN for kind in ("png", "svg")
    ]
    for path in written:
        start = path.read_bytes()[:5]
        assert start == (b"<?xml" if path.suffix == ".svg" else b"\x89PNG\r")


def test_two_processes_draw_the_same_bytes(measured: Results, tmp_path: Path, cli: Cli) -> None:
    """No date, no random ids: a chart changes in git only if its figures do."""
    save(measured, tmp_path / "run.json")
    script = (
        "import sys; from bench.results import load; from bench.show.chart import draw_all\n"
        "draw_all(load('run.json'), '.', sys.argv[1])\n"
    )
    for stem, hash_seed in (("a", "1"), ("b", "2")):
        done = cli.python("-c", script, stem, cwd=tmp_path, env={"PYTHONHASHSEED": hash_seed})
        assert (done.code, done.err) == (0, "")
    for name in DRAWN:
        for kind in ("svg", "png"):
            first, second = (tmp_path / f"{stem}-{name}.{kind}" for stem in "ab")
            assert first.read_bytes() == second.read_bytes()


def test_existing_charts_are_kept_without_force(measured: Results, tmp_path: Path) -> None:
    """One that exists stops all, before any is written."""
    (tmp_path / "run-variants.svg").write_text("mine")
    with pytest.raises(UsageError, match=r"run-variants\.svg: exists already"):
        chart.draw_all(measured, tmp_path, "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run-variants.svg"]
    chart.draw_all(measured, tmp_path, "run", force=True)
    assert "mine" not in (tmp_path / "run-variants.svg").read_text()


def test_an_unwritable_directory_is_an_error(measured: Results, tmp_path: Path) -> None:
    """One that does not exist, say."""
    with pytest.raises(UsageError, match="cannot be written"):
        chart.draw_all(measured, tmp_path / "missing", "run")


def test_charts_without_figures_are_left_out(tmp_path: Path) -> None:
    """No ratio without both paths, no order 0 without it; nothing at all is an error."""
    single = synthetic.results([("add_new_anon", "anon", "first")], orders=(4,))
    assert [path.name for path in chart.draw_all(single, tmp_path, "x", formats=["svg"])] == ["x-cost.svg"]
    with pytest.raises(UsageError):
        chart.draw_all(Results({}), tmp_path, "none")


def test_every_call_has_its_panel(everything: Results) -> None:
    """The ratio leaves out calls of one path; the default of both is newest and the user's."""
    calls = [call for call, *_ in synthetic.FAMILIES]
    paired = [call for call, (_, _, paths) in zip(calls, synthetic.FAMILIES.values()) if "ptes" in paths]
    assert sorted(titles(ratio_chart(everything))) == sorted(paired)
    assert sorted(titles(cost_chart(everything))) == sorted(calls * 2)
    assert sorted(titles(variants_chart(everything))) == sorted(calls)


def test_a_call_of_one_size_has_no_panel_over_sizes(measured: Results) -> None:
    """A point alone is no line; where there is nothing else, points are drawn."""
    single = Case.of(
        "call", "hugetlb_remove", kind="hugetlb", state="last", variant="v6.15", path="folio", order=9
    )
    runs = {case: runs for case, runs in measured.runs.items() if case.get("variant") == "v6.15"}
    lone = {single: next(iter(runs.values()))}
    assert titles(cost_chart(Results({**runs, **lone}))) == ["remove"]
    assert titles(cost_chart(Results(lone))) == ["hugetlb_remove"]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title().split(" ")[0] for axes in figure.axes]


def test_filters_reach_the_charts(everything: Results) -> None:
    """Variants and calls are chosen by the same words as in the report."""
    figure = ratio_chart(everything, Filters.parse(["remove", "variant=v6.8,v6.12"]))
    assert titles(figure) == ["remove"]
    assert {"v6.8", "v6.12"} < legend_texts(figure) and "v6.15" not in legend_texts(figure)


def legend_texts(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_order_0_and_controls_are_marked(measured: Results) -> None:
    """The legend names the shade of order 0, the A/A band and the hollow points."""
    assert {"order 0", "A/A control, 95 %", "hollow: same code", "v6.15"} == legend_texts(
        ratio_chart(measured)
    )


@pytest.mark.parametrize("draw", [ratio_chart, cost_chart, variants_chart])
@pytest.mark.parametrize("calls", [["remove"], []])
def test_no_texts_overlap(everything: Results, draw: chart.Chart, calls: list[str]) -> None:
    """Titles, tick labels, legend and annotations keep clear of each other and within the picture."""
    named = Filters.parse(["variant=v6.12,v6.15-no-page-mapcount,mine", *calls])
    figure = draw(everything, named)
    FigureCanvasAgg(figure).draw()
    boxes = [(text.get_text(), text.get_window_extent().shrunk(0.98, 0.9)) for text in texts(figure)]
    clashes = [(a, b) for i, (a, one) in enumerate(boxes) for b, two in boxes[:i] if one.overlaps(two)]
    assert not clashes
    outside = [
        a
        for a, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1
    ]
    assert not outside


def texts(artist: Artist) -> Iterator[Text]:
    """All texts drawn; matplotlib keeps ticks beyond the view without drawing them."""
    if isinstance(artist, Axis):
        low, high = sorted(artist.get_view_interval())
        drawn = [tick for tick in artist.get_major_ticks() if low <= tick.get_loc() <= high]
        yield from (text for tick in drawn for text in texts(tick))
        yield from texts(artist.label)
        return
    if isinstance(artist, Text) and artist.get_visible() and artist.get_text().strip():
        yield artist
    for child in artist.get_children():
        yield from texts(child)


def test_the_legend_hides_no_data(everything: Results) -> None:
    """It lies below all panels."""
    figure = cost_chart(everything)
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= min(axes.get_window_extent().y0 for axes in figure.axes)


def test_arms_differ_without_colour() -> None:
    """Markers tell paths and variants apart; an arm looks the same whichever others are drawn."""
    assert len({style.marker for style in chart_style.PATHS.values()}) == len(chart_style.PATHS)
    drawn = [*GENERATIONS, "mine", "other"]
    styles = [chart_style.style_of_variant(variant, drawn) for variant in drawn]
    assert len({style.marker for style in styles}) == len(drawn)
    assert len({(style.color, style.line) for style in styles}) == len(drawn)
    assert all(
        chart_style.style_of_variant(v, [v]) == chart_style.style_of_variant(v, drawn) for v in GENERATIONS
    )


def test_figures_without_intervals_are_drawn() -> None:
    """Two processes give points without ribbons; one size, one round, no control."""
    case = Case.of("call", "remove", kind="anon", state="last", variant="mine", path="pte", order=0)
    runs = {c: [ProcessRun(p, [5e-9]) for p in range(2)] for c in (case, case.but(path="ptes"))}
    for draw in (ratio_chart, cost_chart, variants_chart):
        FigureCanvasAgg(draw(Results(runs))).draw()
