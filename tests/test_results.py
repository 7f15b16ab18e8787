"""Result files are pyperf's, survive what disks do, and refuse what is not theirs."""

from __future__ import annotations

import gzip
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyperf
import pytest

from bench import results as results_module
from bench.case import Case
from bench.errors import UsageError
from bench.results import ProcessRun, Results, check_writable, load, save
from tests import synthetic
from tests.conftest import Cli

REMOVE = [("remove", "anon", "last")]
NAME = "call/remove/kind=anon/state=last/variant=v6.12/path=pte/order=4"


@pytest.fixture
def measured() -> Results:
    return synthetic.results(REMOVE, orders=(0, 4), processes=3, rounds=5)


def suite(*benchmarks: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A pyperf suite as JSON, of one benchmark called NAME unless some are given."""
    return {"version": "1.0", "benchmarks": list(benchmarks or [benchmark()]), "metadata": metadata}


def benchmark(name: str = NAME, values: Any = (1e-9, 2e-9)) -> dict[str, Any]:
    return {"runs": [{"values": list(values), "metadata": {"name": name, "unit": "second", "process": 0}}]}


def same(one: Results, other: Results) -> bool:
    """Are both the same to six digits?"""
    if list(one.runs) != list(other.runs) or one.metadata != other.metadata or one.failed != other.failed:
        return False
    pairs = [(a, b) for case in one.runs for a, b in zip(one.runs[case], other.runs[case], strict=True)]
    return all(
        (a.process, a.loops, dict(a.metadata)) == (b.process, b.loops, dict(b.metadata))
        and np.allclose(a.values, b.values, rtol=1e-5, atol=0)
        for a, b in pairs
    )


@pytest.mark.parametrize("name", ["run.json", "run.json.gz"])
def test_what_is_saved_is_loaded(measured: Results, tmp_path: Path, name: str) -> None:
    """Cases in order, runs by process, metadata and failed cases come back; values to six digits."""
    measured.failed = {"call/add_anon/order=4": 'died, "signal 11"'}
    save(measured, tmp_path / name)
    assert same(load(tmp_path / name), measured)


def test_a_single_case_keeps_its_own_metadata(tmp_path: Path) -> None:
    """pyperf moves what all runs share to the top of the file; base and loops still belong to the run."""
    run = ProcessRun(0, [1e-9, 2e-9], 7, {"base": "v6.10", "pages": 1024})
    one = Results({Case.parse(NAME): [run]}, {"lane": "model"})
    save(one, tmp_path / "run.json")
    assert same(load(tmp_path / "run.json"), one)


def test_equal_results_are_equal_files(measured: Results, tmp_path: Path) -> None:
    """No date and no name of the file gets into it."""
    for name in ("a.json.gz", "b.json.gz"):
        save(measured, tmp_path / name)
    one, other = ((tmp_path / f"{stem}.json.gz").read_bytes() for stem in "ab")
    assert one == other and one[4:8] == bytes(4)  # where gzip keeps the time


def test_pyperf_reads_the_same_values(measured: Results, tmp_path: Path) -> None:
    """pyperf's own loader sees every case, run and value that load() sees."""
    save(measured, tmp_path / "run.json.gz")
    theirs, ours = pyperf.BenchmarkSuite.load(str(tmp_path / "run.json.gz")), load(tmp_path / "run.json.gz")
    assert theirs.get_benchmark_names() == [case.name for case in ours.runs]
    for found, runs in zip(theirs, ours.runs.values()):
        assert [list(run.values) for run in found.get_runs()] == [list(run.values) for run in runs]
        assert found.get_loops() == runs[0].loops


@pytest.mark.parametrize("command", ["show", "stats", "hist", "check", "dump", "metadata"])
def test_pyperf_commands_work_on_it(measured: Results, tmp_path: Path, cli: Cli, command: str) -> None:
    """pyperf's commands accept the file and name its cases."""
    save(measured, tmp_path / "run.json.gz")
    done = cli.python("-m", "pyperf", command, str(tmp_path / "run.json.gz"))
    assert (done.code, done.err) == (0, "")
    assert "remove" in done.out or "lane: model" in done.out


def test_pyperf_compares_two_files(tmp_path: Path, cli: Cli) -> None:
    """`compare_to` matches the cases of two runs."""
    for seed in (1, 2):
        save(
            synthetic.results(REMOVE, orders=(4,), processes=3, rounds=5, seed=seed),
            tmp_path / f"{seed}.json",
        )
    done = cli.python("-m", "pyperf", "compare_to", str(tmp_path / "1.json"), str(tmp_path / "2.json"))
    assert done.code == 0 and "order=4" in done.out


def test_files_of_plain_pyperf_scripts_are_read(tmp_path: Path) -> None:
    """Calibration runs are left out, processes numbered in order, and the mark `unpaired` found."""
    calibration = {"warmups": [[1, 1e-6]], "metadata": {"calibrate_loops": 8, "name": NAME}}
    run = {"values": [2e-9], "warmups": [[8, 1e-9]], "metadata": {"name": NAME, "unit": "second"}}
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(suite({"runs": [calibration, run, run]}, unpaired=1, loops=8)))
    found = load(path)
    assert found.unpaired
    assert [(r.process, r.loops, *r.values) for r in found.runs[Case.parse(NAME)]] == [
        (0, 8, 2e-9),
        (1, 8, 2e-9),
    ]


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "cut gzip": (gzip.compress(json.dumps(suite()).encode())[:-20], "gzip"),
    "not gzip": (b"\x1f\x8b but no gzip", "gzip"),
    "no JSON": (b"ns a page: 5", "not JSON"),
    "cut JSON": (json.dumps(suite()).encode()[:-9], "not JSON"),
    "binary": (bytes(range(256)), "not JSON"),
    "deep JSON": (b"[" * 100_000, "nested"),
    "a list": (b"[1, 2]", "no pyperf suite"),
    "another object": (b'{"a": 1}', "no pyperf suite"),
    "no benchmark": (b'{"version": "1.0", "benchmarks": []}', "no pyperf suite"),
    "old pyperf": (json.dumps({**suite(), "version": 6}).encode(), "format 6"),
    "another program's": (json.dumps(suite(benchmark("telco"))).encode(), "not of rmapbench"),
    "unnamed": (json.dumps(suite({"runs": [{"values": [1.0]}]})).encode(), "not of rmapbench"),
    "runs that are none": (json.dumps(suite({"runs": 3, "metadata": {"name": NAME}})).encode(), "run"),
    "one bad name": (json.dumps(suite(benchmark(), benchmark("call/x/colour=red"))).encode(), "colour=red"),
    "bad order": (json.dumps(suite(benchmark(), benchmark("call/x/order=big"))).encode(), "order=big"),
    "only a bad order": (json.dumps(suite(benchmark("call/x/order=big"))).encode(), "order=big"),
    "bad list of failed": (json.dumps(suite(failed="3")).encode(), "does not look like"),
    "twice": (json.dumps(suite(benchmark(), benchmark())).encode(), "twice"),
    "NaN": (json.dumps(suite(benchmark(values=[float("nan")]))).encode(), "not a positive time"),
    "infinite": (json.dumps(suite(benchmark(values=[float("inf")]))).encode(), "not a positive time"),
    "zero": (json.dumps(suite(benchmark(values=[1e-9, 0.0]))).encode(), "not a positive time"),
    "negative": (json.dumps(suite(benchmark(values=[-1e-9]))).encode(), "not a positive time"),
    "words": (json.dumps(suite(benchmark(values=["fast"]))).encode(), "list of numbers"),
    "nested values": (json.dumps(suite(benchmark(values=[[1.0], [2.0]]))).encode(), "list of numbers"),
    "ragged values": (json.dumps(suite(benchmark(values=[[1.0], 2.0]))).encode(), "run"),
    "no values": (json.dumps(suite({"runs": [{"metadata": {"name": NAME}}]})).encode(), "no values"),
    "bytes": (json.dumps(suite(benchmark(), unit="byte")).replace("second", "byte").encode(), "bytes"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_and_foreign_files_are_refused(tmp_path: Path, what: str) -> None:
    """One sentence that names the file and what is wrong with it."""
    content, words = BROKEN[what]
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_files_and_directories_are_refused(tmp_path: Path) -> None:
    """Neither is a file that could be read."""
    for path, words in ((tmp_path / "no.json", "no such file"), (tmp_path, "not a regular file")):
        with pytest.raises(UsageError, match=words):
            load(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse file of 2 GiB is refused by its size."""
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    with pytest.raises(UsageError, match="more than 1 GiB"):
        load(path)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for what is in the gzip file, too."""
    monkeypatch.setattr(results_module, "LIMIT", 1000)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(UsageError, match="more than"):
        load(path)


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system says about opening it is passed on."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "run.json"
    path.write_text(json.dumps(suite()))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        load(path)


def test_existing_files_are_kept_without_force(measured: Results, tmp_path: Path) -> None:
    """Neither the check before measuring nor saving touches a file that exists, unless forced."""
    path = tmp_path / "run.json"
    path.write_text("mine")
    refused: tuple[Callable[[], None], ...] = (lambda: check_writable(path), lambda: save(measured, path))
    for attempt in refused:
        with pytest.raises(UsageError, match="--force"):
            attempt()
    assert path.read_text() == "mine"
    check_writable(path, force=True)
    assert path.read_text() == "mine"
    save(measured, path, force=True)
    assert same(load(path), measured)


def test_unwritable_places_are_refused_before_measuring(tmp_path: Path) -> None:
    """A directory, a missing directory and a file in place of one."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing" / "run.json", tmp_path / "file" / "run.json"):
        with pytest.raises(UsageError, match=str(path)):
            check_writable(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    """The trial file is gone."""
    check_writable(tmp_path / "run.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("room", [1000, 70_000])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, cli: Cli, room: int) -> None:
    """Where files may not grow, by the check or by saving: an error, no part of a file, the old one kept."""
    (tmp_path / "run.json").write_text("mine")
    script = (
        "import resource, sys; from bench.results import save; from bench.errors import UsageError\n"
        "from tests import synthetic\n"
        "measured = synthetic.results(processes=5, rounds=30)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {resource.RLIM_INFINITY}))\n"
        "try: save(measured, 'run.json', force=True)\n"
        "except UsageError as error: sys.exit(f'refused: {error}')\n"
    )
    done = cli.python("-c", script, cwd=tmp_path)
    assert done.err.startswith("refused: run.json: cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "mine"


def test_nothing_measured_is_nothing_to_save(tmp_path: Path) -> None:
    """A run in which every case failed writes no file."""
    with pytest.raises(UsageError, match="nothing was measured"):
        save(Results({}, {}, {NAME: "died"}), tmp_path / "run.json")
    assert not list(tmp_path.iterdir())


def test_metadata_that_pyperf_refuses_are_fitted(tmp_path: Path) -> None:
    """Strings of several lines become one line; empty ones are left out."""
    one = Results(
        {Case.parse(NAME): [ProcessRun(0, (1e-9,))]}, {"lane": "model", "cpu": "a\n b", "governor": " "}
    )
    save(one, tmp_path / "run.json")
    assert load(tmp_path / "run.json").metadata == {"lane": "model", "cpu": "a b"}
