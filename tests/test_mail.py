"""Tables for mails: three styles, at most 72 columns, with where they come from and how to repeat them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.estimate import Interval
from bench.judge.stats import Note
from bench.results import ProcessRun, Results, save
from bench.show.figures import instructions
from bench.show.mail import STYLES, render_mail
from bench.show.published import COLUMNS, DEFAULT, load, published_tables
from bench.show.report_json import render
from bench.show.sheet import Cost, Entry, Sheet
from bench.show.table import WIDTH
from bench.show.verdicts import verdict_column
from tests import synthetic
from tests.conftest import Cli
from tests.guests import booted

Golden = Callable[[str, str], None]
AGAIN = "rmapbench report run.json.gz remove add_new_anon --style {}"
MACHINE: dict[str, Any] = {
    "cpu_model_name": "Imaginary(R) CPU 4210", "cpu_count": 8, "virtual_machine": "yes",
    "kernel_release": "6.12.0-rc1", "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "command": "rmapbench run remove add_new_anon order=0,2,4,9 variant=v6.12,v6.15 -o run.json.gz",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> Results:
    return synthetic.results(orders=(0, 2, 4, 9), **MACHINE)


def forks(**metadata: Any) -> Results:
    """A file of the live lane: what try_dup_anon costs, as forks."""
    found = synthetic.results([("try_dup_anon", "anon", "exclusive")], ["v6.15"], (0, 2, 9), **metadata)
    runs = {
        Case.of("live", "fork", path=case.get("path"), order=case.order, memory="1GiB"): runs
        for case, runs in found.runs.items()
        if case.get("variant") == "v6.15" and not case.get("control")
    }
    return Results(runs, {**found.metadata, "lane": "live"}, {})


@pytest.mark.parametrize("style", STYLES)
def test_a_mail_in_each_style(measured: Results, style: str, golden: Golden) -> None:
    """Headline, tables, machine, controls and the commands."""
    filters = Filters.parse(["remove", "add_new_anon"])
    golden(f"mail-{style}.txt", render_mail(measured, style, AGAIN.format(style), filters))


def test_a_process_that_does_not_count_is_not_in_the_mail() -> None:
    """Rounds are those of one process, whichever were left out."""
    found = synthetic.results([("remove", "anon", "last")], ["v6.15"], (0, 4), processes=6, rounds=40)
    for case, runs in found.runs.items():
        if case.get("control") == "yardstick":
            slow = [value * (2 if turn % 2 else 1) for turn, value in enumerate(runs[0].values)]
            runs[0] = dataclasses.replace(runs[0], values=slow)
    assert "medians of 5 processes with 40 rounds each" in flat(render_mail(found, "mail", ""))


def flat(text: str) -> str:
    """Without line ends."""
    return " ".join(text.split())


@pytest.mark.parametrize("style", STYLES)
def test_a_mail_is_plain_and_narrow(style: str) -> None:
    """ASCII of at most 72 columns, whatever the names of machine, variant and file are."""
    variant = "mine-" + "x" * 30
    odd = synthetic.results(
        synthetic.FAMILIES, ["v6.12", "v6.15-no-page-mapcount", variant], (0, 4, 9), processes=5, rounds=9,
        cpu_model_name="Prozessor für Größeres " * 4, command="rmapbench run -o 'a b.json' " + "x=1 " * 50,
    )  # fmt: skip
    text = render_mail(odd, style, f"rmapbench report {'y' * 40} --style {style}")
    assert text.isascii()
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert "-0.0%" not in text


def wild(run: ProcessRun) -> ProcessRun:
    """The same, 900 times as slow in every second process."""
    return dataclasses.replace(run, values=[value * 900 ** (run.process % 2) for value in run.values])


def lane_files() -> list[Results]:
    """Of guests with long and short names, many boots and one, and of a running kernel, quiet and not."""
    long = ("6.1.0-56-cloud-amd64-with-a-long-name", "6.12.117+deb12-cloud-amd64-" + "y" * 40)
    noisy = forks()
    slow = {
        case: [wild(run) for run in runs] for case, runs in noisy.runs.items() if case.get("path") == "ptes"
    }
    odd = Results({**noisy.runs, **slow}, {**noisy.metadata, "cpu_model_name": "Größeres " * 20}, {})
    return [booted(), booted(1, 1), booted(names=long), booted(names=long[1:]), forks(), odd]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", range(6))
def test_a_mail_of_a_kernel_is_plain_and_narrow(number: int, style: str) -> None:
    """Of guests and of the running kernel, with a base and without, whatever kernels are called."""
    found = lane_files()[number]
    key = "kernel" if found.metadata["lane"] == "vm" else "path"
    base = next(value for case in found.runs if (value := case.get(key)))
    for text in (render_mail(found, style, ""), render_mail(found, style, "", base=f"{key}={base}")):
        assert text.isascii()
        assert [line for line in text.splitlines() if len(line) > WIDTH] == []


# Rows of each style's tables, and where a column of theirs ends or begins.
ROWS = {"mail": r" *\d+KiB", "mmtests": "Median|CoeffVar", "lkp": r".* (4K|512K|2M)\b"}
PLACES = {"mail": r"\|", "mmtests": r"(?<=[\d%)*])(?=$| \[)", "lkp": "(?<=  )(4K|512K|2M)"}


def widest(heads: tuple[str, str]) -> Sheet:
    """A table with the longest labels, marks and figures that there are."""
    notes = tuple(Note(word, "why") for word in ("UNTRUSTED", "STATE", "not judged"))
    bounds = Interval(-0.8765, 12.3456)
    entries = (
        Entry(0, "", Cost(1e-9, 1e-9), Cost(12345e-9, 0.5), 12.3456, bounds, notes),
        Entry(7, "scan-first", Cost(1e-7, 0.1), Cost(1.5e-9, 0.2), -0.5, bounds, notes[:2]),
        Entry(9, "default", None, Cost(1.5e-9, 0.2)),
    )
    case = Case.of("vm", "fork", kernel="k", path="scan-first", order=7)
    return Sheet("fork", (("call", "fork"),), heads, "instructions a page", instructions, entries, (case,))


@pytest.mark.parametrize("heads", [("old", "new"), ("", "new"), ("a" * 30, "b" * 70)])
@pytest.mark.parametrize("style", STYLES)
def test_the_columns_of_a_mail_are_straight_and_fit(style: str, heads: tuple[str, str]) -> None:
    """Whatever a row is called, and however many marks it has."""
    text = STYLES[style](widest(heads))
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert text.count("[1,2,3]") == (2 if style == "mmtests" else 1)
    rows = [line for line in text.splitlines() if re.match(ROWS[style], line)]
    assert len(rows) == (6 if style == "mmtests" else 3)
    places = {tuple(found.start() for found in re.finditer(PLACES[style], row)) for row in rows}
    assert len(places) == 1


@pytest.mark.parametrize("style", STYLES)
def test_the_commands_of_a_mail_can_be_pasted(measured: Results, style: str) -> None:
    """Continued lines join to the command that measured, with its seed, and the one that shows."""
    text = render_mail(measured, style, AGAIN.format(style))
    joined = re.sub(r" \\\n +", " ", text.partition("Reproduce-with:\n")[2]).splitlines()
    assert joined == [f"  {MACHINE['command']} --seed 1", f"  {AGAIN.format(style)}"]


def test_a_file_that_tells_nothing_of_its_machine_makes_a_mail_too() -> None:
    """One process, no controls, no metadata."""
    found = forks()
    found.metadata = {}
    text = render_mail(found, "mail", "")
    assert "Tested-on: unknown machine" in text and "no A/A control, no positive control" in text


def test_counted_instructions_are_called_so() -> None:
    """In titles and metrics."""
    found = forks(figure="instructions")
    assert "instructions a page" in render_mail(found, "mail", "")
    assert "64K" not in render_mail(found, "lkp", "") and "4K.instructions_a_page" in render_mail(
        found, "lkp", ""
    )


def test_published_figures_stand_beside_ours(golden: Golden) -> None:
    """Same operation and size; each line says that it is another machine's, and where it was posted."""
    golden("published.txt", "\n".join(table.text() for table in published_tables(forks())))


def zaps(state: str) -> Results:
    """The same figures as a file of zap scenarios."""
    found = forks()
    keys = {"state": state, "variant": "v6.15"}
    runs = {
        Case.of("scenario", "zap", **keys, path=case.get("path"), order=case.order): runs
        for case, runs in found.runs.items()
    }
    return Results(runs, found.metadata, {})


def test_published_figures_stand_beside_scenarios_of_one_process() -> None:
    """Nobody published what other states take."""
    (table,) = published_tables(zaps("munmap-last"))
    assert "20240214204435" in table.text()
    with pytest.raises(UsageError, match="nothing was published"):
        published_tables(zaps("munmap-shared"))


def test_published_figures_are_refused_where_there_are_none(measured: Results) -> None:
    """Of single calls nobody published any."""
    with pytest.raises(UsageError, match=r"nothing was published of what this file holds.*fork"):
        published_tables(measured)


def test_every_published_figure_has_a_source() -> None:
    """A message's id, a date, a machine, and a change as it was posted."""
    assert DEFAULT.read_text().splitlines()[0] == ",".join(COLUMNS)
    figures = load()
    assert len(figures) > 100
    for figure in figures:
        assert 0 <= figure.order <= 9 and figure.change.endswith(("%", "faster"))
        assert re.search(r"20\d\d-\d\d-\d\d, <[\w.-]+@[\w.-]+>$", figure.source[1]), figure


@pytest.mark.parametrize("text", ["", "operation\nfork\n", "\0", f"{','.join(COLUMNS)}\nfork,x\n"])
def test_a_broken_file_of_published_figures_is_refused(text: str, tmp_path: Path) -> None:
    """By name, with the columns it should have."""
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"published\.csv: is not such a file"):
        load(path)


def test_the_report_as_json(measured: Results, golden: Golden) -> None:
    """Every figure of a row, with its controls and the gate's verdict."""
    verdicts = [verdict_column(measured)]
    golden("report.json", render(measured, Filters.parse(["remove", "order=0,9"]), verdicts))


def test_styles_from_the_command_line(cli: Cli) -> None:
    """Options stand anywhere among the filters; what excludes each other is refused."""
    save(forks(), cli.cwd / "run.json")
    assert "Tested-on:" in cli("report", "run.json", "--style", "mail", "fork").out
    assert "published [1]" in cli("report", "run.json", "--published", "fork", "order=0").out
    assert cli("report", "run.json", "--json").out.startswith("{")
    assert "vs pte" in cli("report", "run.json", "--base", "path=pte").out
    for wrong in (
        ["--style", "mail", "--json"],
        ["--json", "--published"],
        ["--json", "--base", "path=pte", "--thresholds", "t.toml"],
        ["--row", "order", "--style", "lkp"],
        ["--col", "path", "--json"],
        ["--base", "path=pte", "--html", "p.html"],
        ["--base", "path=pte", "--published"],
        ["--base", "order=0", "--json"],
        ["--base", "path=x", "--style", "mail"],
        ["--counts", "c.json"],
    ):
        refused = cli("report", "run.json", *wrong)
        assert (refused.code, refused.out) == (2, ""), wrong


def test_wherever_something_is_compared_with_path_pte_it_is_said_what_that_is(cli: Cli) -> None:
    """Below a gate's tables and beside published figures, as below the report's."""
    save(forks(), cli.cwd / "run.json")
    for words in (["gate", "run.json"], ["report", "run.json", "--published"], ["report", "run.json"]):
        assert "it is not the code of kernels before batching" in flat(cli(*words).out), words
    save(synthetic.results([("remove", "anon", "last")], ["v6.15"], (0, 4)), cli.cwd / "model.json")
    assert "not the code of kernels before" not in flat(cli("gate", "model.json").out)
