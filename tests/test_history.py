"""Histories: series over many files, changes for good found and noise left alone, as text and chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.case import Filters
from bench.errors import UsageError
from bench.judge.history import LEAST, change_points, collect, series
from bench.results import Results, save
from bench.show.chart_history import history_chart
from bench.show.history import course, render_text
from bench.show.table import WIDTH
from tests import synthetic
from tests.booted import FORK, booted, dearer, renamed
from tests.conftest import Cli
from tests.fuzzing import watched
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


# Counts


def kept(place: Path, made: Sequence[Results]) -> Path:
    """A directory of these files, a month apart."""
    for n, found in enumerate(made, 1):
        found.metadata["date"] = f"2025-{n:02}-01 12:00:00"
        save(found, place / f"run-{n:02}.json")
    return place


def builds(step: float = 1.0, **more: Any) -> list[Results]:
    """Eight builds, each called by its release; forks of the last four cost `step` times as much."""
    made = []
    for n in range(8):
        found = renamed(booted(seed=n, operations=("fork", "munmap"), **more), k=f"6.{n}")
        made.append(dearer(found, step, op="fork") if n >= 4 else found)
    return made


def test_counts_are_followed_one_by_one(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """A fork 30 % dearer on all paths alike is in no ratio; builds have names of their own."""
    files, left = collect(kept(tmp_path, builds(1.3)))
    found = series(files)
    assert not left
    changed = {item.pair.case.name: item.changes for item in found if item.changes}
    forks = [
        FORK.but(kernel="6.7", path=path, order=n) for n in (0, 9) for path in ("default", "ptes", "pte")
    ]
    assert changed == {case.name: (4,) for case in forks}
    assert [item.pair.case for item in found if item.changes] == forks
    item = found[0]
    assert item.own and item.levels == pytest.approx([165e-9, 214.5e-9], rel=0.001)
    text = render_text(files, found, left)
    assert max(map(len, text.splitlines())) <= WIDTH
    golden("history-counts.txt", text)


def test_counts_that_stay_are_no_change(tmp_path: Path) -> None:
    """What is not judged is not followed; files of a single path have no pair, but counts."""
    found = series(collect(kept(tmp_path, builds(paths=("default",))))[0])
    assert {(item.pair.case.op, item.pair.case.order) for item in found} == {
        ("fork", 0), ("fork", 9), ("munmap", 9),
    }  # fmt: skip
    assert all(item.own and not item.changes for item in found)


def test_counts_are_those_of_a_guest_on_whatever_machine(tmp_path: Path, cli: Cli) -> None:
    """Another host's CPU is no matter; another guest, or QEMU, is left out."""
    made = builds(1.3, paths=("default",))
    made[1].metadata["cpu_model_name"] = "another"
    made[2].metadata["guest"] = "-machine pc -cpu qemu64"
    made[3].metadata["qemu"] = "QEMU emulator version 9.0"
    files, left = collect(kept(tmp_path, made))
    assert len(files) == 6
    assert left == {
        "run-03.json": "its guest is not that of the newest file",
        "run-04.json": "its qemu is not that of the newest file",
    }
    code, out, _ = watched("history", str(tmp_path), "order=0", "--chart", str(cli.cwd / "history.svg"))
    assert code == 0 and "! fork 4K 6.7: 165.0 until then, 214.5 since run-05.json" in " ".join(out.split())
    assert "+30.0 %" in out


def test_the_chart_of_counts_is_in_instructions(tmp_path: Path) -> None:
    """With the range over boots."""
    files, _ = collect(kept(tmp_path, builds(1.3)))
    figure = history_chart(files, series(files))
    assert figure.axes[0].get_title() == "fork 4K 6.7"
    assert figure.axes[0].get_ylabel() == "instructions a page"
    low, high = figure.axes[0].get_ylim()
    assert low < 165 < 214 < high < 300
    said = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert {"range over boots", "changed for good"} <= said


def test_several_kernels_in_a_file_are_followed_by_name(tmp_path: Path) -> None:
    """One that the newest file alone has begins there."""
    made = [booted(("a", "b"), paths=("default",), orders=(0,), seed=n) for n in range(2)]
    made.append(booted(("b", "c"), paths=("default",), orders=(0,), seed=3))
    found = series(collect(kept(tmp_path, made))[0])
    assert {item.pair.case.get("kernel"): len(item.points) for item in found if item.own} == {"b": 3, "c": 1}
