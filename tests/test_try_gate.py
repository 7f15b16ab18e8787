"""Trying the gate: copies that cost what they say, a record that only grows, rates that are counted right."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.commands.try_gate import SLOWER, TARGETS, _count, _sizes, _wanted, next_try
from bench.errors import UsageError
from bench.judge.quality import SAME, Injection, Record, Trial
from bench.lanes.model.injection import ORIGINAL, copied
from bench.show.chart_quality import quality_chart
from bench.show.chart_style import save
from bench.show.quality import render
from kernels import variants
from tests.conftest import ROOT, Cli

Golden = Callable[[str, str], None]
CASE = "call/remove/kind=anon/state=last/path=pte/order=0"
FINE = Trial(SAME, 0.0, 1, 14.5, 8, 17, ())
SEEN = replace(FINE, target="remove", size=2.0, alarms=(CASE,), case=CASE, verdict="REGRESSED", change=0.021)


def recorded(path: Path, *items: Trial | Injection) -> Record:
    """A record with these entries."""
    record = Record(path)
    for item in items:
        record.add(item)
    return record


@pytest.mark.parametrize("target", [None, *TARGETS])
def test_a_copy_is_a_variant_with_the_original_as_base(tmp_path: Path, target: str | None) -> None:
    """It parses, descends from the original, and differs from it in what was meant only."""
    function = TARGETS[target].function if target else ""
    path = tmp_path / "tried.py"
    path.write_text(copied(function, 32))
    file = variants.discover({"tried": path})["tried"]
    assert file.base == ORIGINAL
    original = (ROOT / "kernels/rmap/v6_12.py").read_text().splitlines()
    added = [line for line in path.read_text().splitlines() if line.strip() and line not in original]
    assert len(added) == (1 if target is None else 6), added
    assert copied(function, 32) != copied(function, 33) or not target


def test_a_slower_copy_takes_a_locked_instruction_more_in_one_call(cli: Cli) -> None:
    """Exactly counted: with all 1,024 folios dearer, one fence a folio, in that call alone."""
    (cli.cwd / "tried.py").write_text(copied(TARGETS["remove"].function, 1024))
    words = ("order=0", "kind=anon", "state=first,last", "variant=tried,v6.12")
    outcome = cli("count", *words, "--variant", "tried=tried.py", "-o", "counts.json")
    assert outcome.code == 0, outcome.err
    fences = {
        name: numbers["fences"] for name, numbers in json.loads((cli.cwd / "counts.json").read_text()).items()
    }
    dearer = [name for name, count in fences.items() if count]
    assert dearer == ["call/remove/kind=anon/state=last/variant=tried/path=pte/order=0"]


def test_a_record_only_grows_and_is_read_back(tmp_path: Path) -> None:
    """What one process wrote the next one goes on with."""
    path = tmp_path / "r.jsonl"
    recorded(path, FINE, Injection("remove", 2.0, 22, 2.1))
    again = recorded(path, SEEN)
    assert again.trials == [FINE, SEEN] == Record(path).trials
    assert Record(path).injections["remove", 2.0].extra == 22
    assert [trial.target for trial in Record(path).of("remove", 2.0)] == ["remove"]


def test_dearer_folios_are_found_on_a_line() -> None:
    """From the origin first, then through two tries; never below one folio."""
    one, two = Injection("remove", 2.0, 64, 6.4), Injection("remove", 2.0, 24, 4.4)
    assert next_try([one], 2.0) == 20
    assert next_try([one, two], 4.0) == 16
    assert next_try([one, two], 2.0) == 1
    assert next_try([two, replace(one, true=4.4)], 2.0) == 1


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"record": "trial"}', '{"record": "injection", "a": 1}'])
def test_a_damaged_record_is_refused_by_line(tmp_path: Path, line: str) -> None:
    """Nothing is overwritten."""
    path = tmp_path / "r.jsonl"
    recorded(path, FINE)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match=r"r\.jsonl:2: is no record"):
        Record(path)


def test_what_is_tried_next_keeps_all_kinds_in_step(tmp_path: Path) -> None:
    """A record that ends early holds some of all; one that is complete asks for nothing."""
    record = recorded(tmp_path / "r.jsonl")
    done = []
    for target, size in _wanted(record, [2.0, 5.0], 4, 4):
        record.add(replace(FINE, target=target, size=size))
        done.append((target, size))
    assert len(set(done[:7])) == 7 and len(done) == 4 + 4 + 4
    assert list(_wanted(record, [2.0, 5.0], 4, 4)) == []


def test_rates_are_counted_right(tmp_path: Path, golden: Golden) -> None:
    """One false alarm in 40, three of four detected; both with exact intervals."""
    alarm = replace(FINE, alarms=(CASE,), mann_whitney=(CASE,), pyperf=(CASE,))
    missed = replace(SEEN, verdict="INCONCLUSIVE", alarms=(), change=0.017, mann_whitney=(CASE,))
    record = recorded(tmp_path / "r.jsonl", *[FINE] * 39, alarm, *[SEEN] * 3, missed)
    text = render(record)
    assert max(map(len, text.splitlines())) <= 72
    golden("try-gate.txt", text)
    assert render(Record(tmp_path / "none")) == "no gate was tried yet\n"


def test_pyperfs_words_are_understood() -> None:
    """Names of what compare_to calls slower, not of what it calls faster or hides."""
    said = (
        f"{CASE}: Mean +- std dev: [base] 6.9 ns +- 0.1 ns -> [tried] 7.1 ns +- 0.1 ns: 1.02x slower\n"
        "call/b/order=0: Mean +- std dev: [base] 6.9 ns +- 0.1 ns -> [tried] 6.1 ns +- 0.1 ns: 1.13x faster\n"
        "\nBenchmark hidden because not significant (1): call/c/order=0\n\nGeometric mean: 1.01x slower\n"
    )
    assert SLOWER.findall(said) == [CASE]


@pytest.mark.long
def test_one_gate_is_tried_and_recorded(cli: Cli) -> None:
    """Small: one call, an equal copy and one 50 % slower; --same 0 --slower 0 prints what is there."""
    words = ("remove", "kind=anon", "state=last", "-o", "r.jsonl", "--quiet")
    outcome = cli("try-gate", *words, "--same", "1", "--slower", "1", "--size", "50", "--budget", "20")
    assert outcome.code == 0, outcome.err
    record = Record(cli.cwd / "r.jsonl")
    assert [trial.target for trial in record.trials] == [SAME, "remove"]
    assert ("remove", 50.0) in record.injections
    shown = cli("try-gate", *words, "--same", "0", "--slower", "0")
    assert (shown.code, "remove +50 %" in shown.out) == (0, True)


def test_sizes_and_numbers_must_be_sizes_and_numbers() -> None:
    """Zero gates are some; a size of zero is none."""
    assert _sizes("2,5") == [2.0, 5.0] and _count("0") == 0
    with pytest.raises(UsageError):
        _sizes("nan")
    with pytest.raises(argparse.ArgumentTypeError):
        _count("-1")


def test_the_chart_has_a_row_for_each_kind_of_gate(tmp_path: Path) -> None:
    """Equal copies on top; the same bytes each time; nothing to draw is said."""
    record = recorded(tmp_path / "r.jsonl", FINE, SEEN, replace(SEEN, size=5.0))
    figure = quality_chart(record)
    labels = [label.get_text().partition("\n")[0] for label in figure.axes[0].get_yticklabels()]
    assert labels == [SAME, "remove +2 %", "remove +5 %", "all of these +2 %", "all of these +5 %"]
    drawn = [save(quality_chart(record), tmp_path / f"{n}.svg", False).read_bytes() for n in (1, 2)]
    assert drawn[0] == drawn[1]
    with pytest.raises(UsageError, match="no gate was tried yet"):
        quality_chart(Record(tmp_path / "none"))


def test_a_chart_is_never_overwritten_unasked(cli: Cli) -> None:
    """And is .svg or .png."""
    recorded(cli.cwd / "r.jsonl", FINE)
    words = ("try-gate", "-o", "r.jsonl", "--same", "0", "--slower", "0", "--chart")
    assert cli(*words, "gate.pdf").code == 2
    assert cli(*words, "gate.svg").code == 0
    assert cli(*words, "gate.svg").code == 2
    assert cli(*words, "gate.svg", "--force").code == 0
