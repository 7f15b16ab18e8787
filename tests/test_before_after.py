"""Two kernels on one machine: whose files are whose, what a boot is, which verdicts there are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import results
from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge import policy
from bench.judge.before_after import BeforeAfter, File, compare, sides
from bench.judge.verdict import Verdict
from bench.results import ProcessRun, Results
from bench.show.before_after import render
from bench.show.before_after_mail import render_mail
from bench.show.mail import STYLES
from bench.show.table import WIDTH
from tests.conftest import Cli

NS = 1e-9
FORK = Case.of("live", "fork", path="default", order=0, memory="1GiB")
COSTS = {
    FORK: 100.0,
    FORK.but(order=4): 60.0,
    FORK.but(path="pte", order=4): 140.0,
    Case.of("live", "ksm", path="default", order=0, memory="1GiB"): 900.0,
    Case.of("live", "munmap", kind="hugetlb", path="folio", order=9, memory="1GiB"): 0.4,
}
BOOT_SD, PROCESSES, ROUNDS = 0.002, 5, 2  # a fraction of the cost


def measured(kernel: str, number: int, factor: float = 1.0, **metadata: str) -> File:
    """A file of one boot of a kernel; `number` is the boot's, and when it was."""
    rng = np.random.default_rng([number, len(kernel)])
    runs = {}
    for case, cost in COSTS.items():
        boot = cost * factor * math.exp(rng.normal(0, BOOT_SD))
        values = [boot * np.exp(rng.normal(0, 0.0002, ROUNDS)) * NS for _ in range(PROCESSES)]
        notes = {"pages": 262144, "gross": 1.1 * boot * NS, "empty": 0.1 * boot * NS}
        runs[case] = [ProcessRun(process, value, 1, notes) for process, value in enumerate(values)]
    known: dict[str, str | int | float] = {
        "lane": "live", "kernel_release": kernel, "kernel_version": "#1 SMP", "cpu_model_name": "A CPU",
        "seed": number, "command": f"rmapbench run --lane live fork munmap -o {kernel}-{number}.json",
        "boot_id": f"{kernel}/{number}", "date": f"2026-11-25 10:{number:02}:00",
    }  # fmt: skip
    return File(f"{kernel}-{number}.json", Results(runs, {**known, **metadata}, {}))


def boots(factor: float, number: int = 4) -> list[File]:
    """Files of two kernels booted in turn, the new one dearer by a factor."""
    old = [measured("6.12.0", 2 * boot) for boot in range(number)]
    return [*old, *(measured("6.18.0", 2 * boot + 1, factor) for boot in range(number))]


def compared(files: Sequence[File], words: Sequence[str] = ()) -> BeforeAfter:
    return compare(*sides(files), policy.load(), Filters.parse(words))


def verdicts(found: BeforeAfter) -> dict[Case, Verdict | None]:
    return {change.case: change.verdict for change in found.changes}


def test_the_first_file_says_which_kernel_is_the_base() -> None:
    """Whatever order the others come in."""
    files = boots(1.0, 2)
    for order in ([0, 2, 1, 3], [0, 1, 2, 3], [0, 3, 2, 1]):
        base, new = sides([files[place] for place in order])
        assert {file.kernel[0] for file in base.files} == {"6.12.0"}
        assert {file.kernel[0] for file in new.files} == {"6.18.0"}
    base, _ = sides(files[::-1])
    assert base.files[0].kernel[0] == "6.18.0"


def test_two_builds_of_one_release_are_two_kernels() -> None:
    """And the text says which is which."""
    files = [measured("6.18.0", 0), measured("6.18.0", 1, kernel_version="#2 SMP")]
    found = compared(files)
    assert "6.18.0 (#2 SMP) against 6.18.0 (#1 SMP), on A CPU" in render(found)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.10, Verdict.REGRESSED), (1.0, Verdict.OK), (0.85, Verdict.FASTER)]
)
def test_four_boots_a_side_give_a_verdict(factor: float, verdict: Verdict) -> None:
    """By the margins of the live lane, for what the gate would judge too."""
    found = verdicts(compared(boots(factor)))
    ksm = next(case for case in found if case.op == "ksm")
    assert found.pop(ksm) is None
    assert set(found.values()) == {verdict}


def test_a_difference_at_the_margin_is_not_decided() -> None:
    """Neither shown to be beyond 3 % nor within it."""
    assert verdicts(compared(boots(1.03)))[FORK] is Verdict.INCONCLUSIVE


def test_the_change_is_that_of_the_boots() -> None:
    """With an interval that holds the truth and comes from as many values as there are boots."""
    (change,) = compared(boots(1.05), ["fork", "order=0"]).changes
    assert change.change == pytest.approx(0.05, abs=3 * BOOT_SD)
    assert change.interval and change.interval.low < 1.05 < change.interval.high
    assert change.boots == (4, 4) and change.estimate.freedom < 6.01


def test_one_boot_a_side_gives_no_verdict() -> None:
    """However many files and processes there are: those of a boot count as one."""
    again = [measured("6.12.0", number, boot_id="the same") for number in range(6)]
    files = [*again, *(measured("6.18.0", number, 1.5, boot_id="another") for number in range(6))]
    found = compared(files)
    assert set(verdicts(found).values()) == {None}
    assert all(change.interval is None and change.boots == (1, 1) for change in found.changes)
    text = render(found)
    assert "one boot a side: no verdict" in text and "REGRESSED" not in text


def test_three_boots_a_side_give_an_interval_and_no_verdict() -> None:
    """And how many would."""
    found = compared(boots(1.5, 3))
    assert set(verdicts(found).values()) == {None}
    assert all(change.interval for change in found.changes)
    assert "boots: 3 of the base, 3 of the new kernel; a verdict takes 4 a side" in render(found)


def test_files_that_do_not_know_their_boot_count_as_one() -> None:
    """Nobody can tell whether they are of several."""
    files = [measured(file.kernel[0], n, boot_id="") for n, file in enumerate(boots(1.0))]
    found = compared(files)
    assert found.boots == (1, 1)
    assert "! BOOTS" in render(found)


def test_kernels_that_were_not_booted_in_turn_are_noticed() -> None:
    """The machine's drift would count as a difference."""
    apart = [measured("6.12.0", n) for n in range(4)] + [measured("6.18.0", n) for n in range(4, 8)]
    assert "! ORDER" in render(compared(apart))
    assert "! ORDER" not in render(compared(boots(1.0)))


def test_a_small_rest_of_two_large_figures_is_not_judged() -> None:
    """As in a gate."""
    files = boots(1.5)
    for file in files:
        runs = file.results.runs[FORK]
        file.results.runs[FORK] = [
            ProcessRun(r.process, r.values, 1, {**r.metadata, "gross": 2e-6, "empty": 1.9e-6}) for r in runs
        ]
    found = verdicts(compared(files))
    assert found[FORK] is None and found[FORK.but(order=4)] is Verdict.REGRESSED


def test_what_one_kernel_lacks_is_counted() -> None:
    """And not shown."""
    files = boots(1.0, 1)
    del files[1].results.runs[FORK]
    found = compared(files)
    assert FORK not in verdicts(found) and "1 cases are in the files of one kernel only" in render(found)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([measured("6.12.0", 0), measured("6.12.0", 1)], "all files are of kernel 6.12.0"),
        ([measured(f"6.{n}.0", n) for n in (1, 2, 3)], "of 3 kernels .* two at a time"),
        ([measured("6.1", 0), measured("6.2", 1, cpu_model_name="B")], "cpu_model_name is 'B', .* 'A CPU'"),
        ([measured("6.1", 0), measured("6.2", 1, lane="model")], "is of lane 'model'"),
        ([measured("6.1", 0), measured("6.2", 1, workload="2")], "by workload 2, 6.1-0.json by 1: figures"),
    ],
)
def test_files_that_cannot_be_compared_are_refused(files: list[File], words: str) -> None:
    """One sentence, exit code 2."""
    with pytest.raises(UsageError, match=words) as caught:
        sides(files)
    assert caught.value.exit_code == 2


def test_kernels_without_a_common_case_are_refused() -> None:
    """With what to do."""
    files = boots(1.0, 1)
    files[0].results.runs.clear()
    with pytest.raises(UsageError, match="no case in common; measure the same on both"):
        compared(files)


def test_the_comparison_as_text(golden: Callable[[str, str], None]) -> None:
    """Order 0 first; what path=pte is stands under its table."""
    golden("before-after.txt", render(compared(boots(1.06))))


@pytest.fixture
def saved(tmp_path: Path) -> list[str]:
    """Two boots of two kernels, in files."""
    files = boots(1.06, 2)
    for file in files:
        results.save(file.results, tmp_path / file.name)
    return [file.name for file in files]


def test_files_after_base_are_two_kernels(cli: Cli, saved: list[str]) -> None:
    """Filters may follow them, and markdown is possible."""
    outcome = cli("report", "--base", *saved, "fork", "order=0")
    assert outcome.code == 0 and "order 0: +" in outcome.out and "munmap" not in outcome.out
    assert "| 4K default |" in cli("report", "--base", *saved, "--markdown").out


@pytest.mark.parametrize("style", STYLES)
def test_two_kernels_make_a_mail(
    cli: Cli, saved: list[str], style: str, golden: Callable[[str, str], None]
) -> None:
    """A table a path with the kernels' names, and the command that measured each boot."""
    outcome = cli("report", "fork", "munmap", "--base", *saved, "--style", style)
    assert outcome.code == 0, outcome.err
    golden(f"mail-two-kernels-{style}.txt", outcome.out)
    assert outcome.out.isascii() and max(map(len, outcome.out.splitlines())) <= WIDTH


def test_a_mail_says_what_is_not_judged() -> None:
    """With a number at the row, and no star."""
    found = compared(boots(1.5))
    changes = [replace(one, why_not="it is small") if one.case == FORK else one for one in found.changes]
    text = render_mail(replace(found, changes=tuple(changes)), "mmtests", "")
    assert re.search(r"^Median    4K  .*\(  -\d\d\.\d\d%\) \[1\]$", text, re.MULTILINE)
    assert "[1] not judged: it is small" in text and "! not judged at order 0: fork" in text


def test_files_of_one_kernel_make_a_mail_too() -> None:
    """A setting was changed: then the arms are base and new."""
    found = compare(*sides([measured("6.18.0", 0)], [measured("6.18.0", 1, 1.1)]), policy.load())
    text = render_mail(found, "mail", "")
    assert re.search(r"Folio Size \| +base \| +new \|", text) and "base: 6.18.0" not in text
    assert "1 boot of the base and 1 boot of the new kernel, no intervals" in " ".join(text.split())


def test_two_kernels_make_json(cli: Cli, saved: list[str]) -> None:
    """Sides with their boots, and a row a case."""
    outcome = cli("report", "--base", *saved, "fork", "order=0", "--json")
    told = json.loads(outcome.out)
    assert (told["base"]["kernel"], told["new"]["kernel"], told["base"]["boots"]) == ("6.12.0", "6.18.0", 2)
    (row,) = told["rows"]
    assert row["case"] == FORK.name and row["change"] == pytest.approx(row["new"] / row["base"] - 1, abs=1e-5)
    assert row["interval"][0] < row["change"] < row["interval"][1] and row["verdict"] is None


def test_files_before_base_are_the_new_ones(cli: Cli, saved: list[str]) -> None:
    """Also where all are of one kernel."""
    outcome = cli("report", saved[1], "fork", "--base", saved[0])
    assert outcome.code == 0 and "one boot a side: no verdict" in outcome.out
    outcome = cli("report", "--base", saved[0], saved[1])
    assert outcome.code == 2 and "rmapbench report NEW.json --base BASE.json" in outcome.err


def test_an_arm_after_base_still_is_one(cli: Cli, saved: list[str]) -> None:
    """And what follows it are filters."""
    outcome = cli("report", saved[0], "--base", "path=default", "fork", "order=4")
    assert outcome.code == 0 and "vs default" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a result file"),
        (("--base", "path=pte"), "name a result file"),
        (("--base", "nowhere.json", "new.json"), "nowhere.json: no such file"),
        (
            ("--base", "6.12.0-0.json", "6.18.0-1.json", "--html", "page.html"),
            "--html does not go with files after --base",
        ),
        (("--base", "6.12.0-0.json", "6.18.0-1.json", "frok"), "unknown operation 'frok'"),
    ],
)
def test_bad_requests_are_one_sentence(
    cli: Cli, saved: list[str], arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2."""
    outcome = cli("report", *arguments)
    assert (outcome.code, outcome.out) == (2, "") and words in outcome.err, outcome
    assert outcome.err.count("\n") == 1
