"""Histories: series over many files, changes for good found and noise left alone, as text and chart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.case import Filters
from bench.errors import UsageError
from bench.judge.history import LEAST, change_points, collect, series
from bench.results import save
from bench.show.chart_history import history_chart
from bench.show.history import course, render_text
from bench.show.table import WIDTH
from tests import synthetic
from tests.conftest import Cli
from tests.gated import REMOVE, slower

FAMILY = [("remove", "anon", "last")]
FILES, AT = 12, 8  # files, and the first that is slower
TRIALS = 300


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of files: from the ninth on, remove at order 0 is 2 % slower; two files do not belong."""
    path = tmp_path_factory.mktemp("history")
    for n in range(FILES):
        found = synthetic.results(
            FAMILY, orders=(0, 4), seed=n, date=f"2025-{n + 1:02}-01 12:00:00", rounds=30
        )
        save(slower(found, REMOVE, 1.02) if n >= AT else found, path / f"run-{n + 1:02}.json.gz")
    other = synthetic.results(FAMILY, orders=(0,), date="2025-01-02", cpu_model_name="another", rounds=30)
    save(other, path / "elsewhere.json")
    (path / "broken.json").write_text("{")
    (path / "README.md").write_text("not a result")
    return path


def test_the_history_as_text(directory: Path, golden: Callable[[str, str], None]) -> None:
    """What changed and since which file, every pair, and the files left out."""
    files, left = collect(directory)
    text = render_text(files, series(files), left)
    assert max(map(len, text.splitlines())) <= WIDTH
    golden("history.txt", text)


def test_a_change_is_found_where_it_happened(directory: Path) -> None:
    """In the pair concerned, at the file concerned, at its size; not in the others."""
    files, _ = collect(directory)
    found = {item.pair.case.name: item for item in series(files)}
    item = found[REMOVE.name]
    assert item.changes == (AT,)
    assert item.levels[1] - item.levels[0] == pytest.approx(0.02, abs=0.003)
    assert not any(other.changes for name, other in found.items() if name != REMOVE.name)


def rate(step: float, length: int = 20) -> float:
    """How often a change is seen in noise of 0.5 % that has a step of so many times that in the middle."""
    rng = np.random.default_rng(7)
    steps = 0.005 * step * (np.arange(length) >= length // 2)
    seen = [bool(change_points(0.005 * rng.standard_normal(length) + steps)) for _ in range(TRIALS)]
    return sum(seen) / TRIALS


def test_noise_is_rarely_taken_for_a_change() -> None:
    """In two series of a hundred or so; a step of four times the noise is seen nine times in ten."""
    assert rate(0) <= 0.03
    assert rate(4) >= 0.9


def test_few_files_show_no_change() -> None:
    """Nor do equal figures."""
    assert change_points(np.array([0.0, 0.5, 0.5])[: LEAST - 1]) == ()
    assert change_points(np.zeros(9)) == ()


def test_the_chart_marks_the_change(directory: Path, cli: Cli) -> None:
    """The pair that changed comes first; bytes are the same each time."""
    files, _ = collect(directory)
    figure = history_chart(files, series(files))
    assert figure.axes[0].get_title().startswith("remove anon last")
    assert "changed for good" in {t.get_text() for legend in figure.legends for t in legend.get_texts()}
    for name in ("a.svg", "b.svg"):
        outcome = cli("history", directory, "order=0", "--chart", name)
        assert (outcome.code, outcome.err) == (0, ""), outcome
    assert (cli.cwd / "a.svg").read_bytes() == (cli.cwd / "b.svg").read_bytes()


def test_a_course_is_drawn_from_least_to_most() -> None:
    """What hardly moves stays flat."""
    assert course([0, 0.5, 1]) == "_=#"
    assert course([0.0, 0.0001, 0.0]) == "___"


def test_wrong_directories_are_refused(tmp_path: Path, cli: Cli) -> None:
    """Missing, empty, without result files; a chart of another kind."""
    with pytest.raises(UsageError, match="no such directory"):
        collect(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="holds no result file"):
        collect(tmp_path)
    assert cli("history", tmp_path, "--chart", "a.gif").code == 2


def test_filters_choose_the_pairs(directory: Path) -> None:
    """By the words of all commands."""
    files, _ = collect(directory)
    assert {item.pair.case.order for item in series(files, Filters.parse(["order=4"]))} == {4}
