"""What the gate writes for other programs, read by programs of that kind."""

from __future__ import annotations

import json
import re

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from tap.parser import Parser

from bench.case import Filters
from bench.judge import gate, policy
from bench.judge.verdict import Verdict
from bench.results import Results
from bench.show import gate as table
from bench.show import gate_json, gate_junit, gate_lines, gate_tap
from bench.show.report import render_text
from bench.show.table import WIDTH
from bench.show.verdicts import verdict_column
from tests import synthetic
from tests.conftest import Cli
from tests.gated import REMOVE, good, judged, near_margin, refused, slower, without_control

DUP = next(case for case in good().runs if case.op == "dup_file" and case.get("path") == "ptes")


def mixed() -> Results:
    """Of everything one: REGRESSED, UNTRUSTED, INCONCLUSIVE, OK, FASTER."""
    found = slower(near_margin(), DUP.but(variant="v6.15", order=0), 1.03)
    return without_control(found, "twin", order=4)


@pytest.fixture(scope="module")
def lines() -> list[gate_lines.Line]:
    return gate_lines.lines(gate.judge(mixed(), policy.load()))


def test_junit_is_what_junit_readers_expect(lines: list[gate_lines.Line]) -> None:
    """Regressions are failures, what cannot be trusted errors, the undecided and the shown skipped."""
    (suite,) = JUnitXml.fromstring(gate_junit.render(lines).encode())
    kinds = {case.name: [type(result) for result in case.result] for case in suite}
    assert len(kinds) == len(lines) == suite.tests
    assert (suite.failures, suite.errors) == (
        1,
        2,
    )  # beside its base; batched beside per-page it is only shown
    for line in lines:
        expected = {Verdict.REGRESSED: [Failure], Verdict.UNTRUSTED: [Error], Verdict.INCONCLUSIVE: [Skipped]}
        wanted = expected.get(line.verdict, []) if line.judged else [Skipped]
        assert kinds[line.name.partition("/")[2]] == wanted
    (strict,) = JUnitXml.fromstring(gate_junit.render(lines, strict=True).encode())
    assert strict.failures == 2


def test_tap_is_what_tap_readers_expect(lines: list[gate_lines.Line]) -> None:
    """A plan, a test a judged pair, figures in YAML; the undecided are skipped, under --strict not ok."""
    for strict in (False, True):
        text = gate_tap.render(lines, strict)
        parsed = list(Parser().parse_text(text))
        tests = [item for item in parsed if item.category == "test"]
        judged_lines = [line for line in lines if line.judged]
        assert text.startswith("TAP version 13\n")
        assert [item.category for item in parsed].count("unknown") == 0
        assert next(item for item in parsed if item.category == "plan").expected_tests == len(tests)
        for line, test in zip(judged_lines, tests, strict=True):
            undecided = line.verdict == Verdict.INCONCLUSIVE
            assert test.ok == (not line.failed and not (undecided and strict))
            assert test.skip == (undecided and not strict)
            assert test.yaml_block["verdict"] == str(line.verdict)
    assert list(Parser().parse_text(gate_tap.skipped("no such lane #4")))[1].skip


def test_json_holds_every_figure(lines: list[gate_lines.Line]) -> None:
    """Fractions, and null where there is nothing."""
    data = json.loads(gate_json.render(lines, 3))
    assert data["exit_code"] == 3 and len(data["pairs"]) == len(lines)
    red = next(pair for pair in data["pairs"] if pair["verdict"] == "REGRESSED")
    assert red["low"] > red["margin"] and red["p"] < 0.05 and red["processes"] == 8


def test_files_beside_the_table(cli: Cli) -> None:
    """--junit is not overwritten unasked, --markdown is appended to."""
    (cli.cwd / "summary.md").write_text("# Before\n")
    for _ in range(2):
        outcome = judged(cli, good(), "--junit", "out.xml", "--markdown", "summary.md", "--force")
        assert outcome.code == 0
    summary = (cli.cwd / "summary.md").read_text()
    assert summary.startswith("# Before\n## gate: passed") and summary.count("## gate: passed") == 2
    assert "| --- | --: |" in summary
    assert JUnitXml.fromfile(str(cli.cwd / "out.xml")).tests == 7
    refused(judged(cli, good(), "--junit", "out.xml"), "out.xml", "--force")


@pytest.mark.parametrize("variants", [("v6.12", "v6.15", "mine"), ("v6.15", "a-variant-with-a-long-name")])
def test_text_is_ascii_and_fits(variants: tuple[str, ...]) -> None:
    """At most 72 columns, whatever the names and verdicts."""
    found = synthetic.results(synthetic.FAMILIES, variants, (0, 9))
    for case in [case for case in found.runs if case.get("path") == "ptes"]:
        found = slower(found, case, 1.5)
    text = table.render_text(gate.judge(found, policy.load()), every=True)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_report_has_a_verdict_column() -> None:
    """What the gate judges has its verdict; older generations, which are shown, have none."""
    found = slower(good(), REMOVE, 1.02)
    text = render_text(found, extra=[verdict_column(found)])
    assert re.search(r"^4K .* \+2\.5 % .* REGRESSED", text, re.MULTILINE)
    older = render_text(found, Filters.parse(["variant=v6.12"]), [verdict_column(found)])
    assert "REGRESSED" not in older and "OK" not in older
