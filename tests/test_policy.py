"""The policy file: what this tree's says, and one sentence for everything that is wrong in one."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bench.case import Case
from bench.errors import UsageError
from bench.judge.policy import Policy, load
from tests import synthetic
from tests.conftest import Cli
from tests.gated import REMOVE, good, judged, refused, slower

TODAY = datetime.date(2030, 1, 1)
LARGE = REMOVE.but(order=4)
EXCEPTION = '[[exception]]\ncases = "remove order=0"\nmargin = 2.5\nreason = "meant"\nexpires = 2030-01-31\n'


def load_text(directory: Path, text: str, today: datetime.date = TODAY) -> Policy:
    """The policy in a file with that text."""
    (directory / "policy.toml").write_text(text)
    return load(directory / "policy.toml", today)


@pytest.mark.parametrize(
    ("figure", "lane", "small", "large"),
    [("time", "model", 0.01, 0.03), ("time", "live", 0.03, 0.05), ("instructions", "vm", 0.005, 0.01),
     ("counts", "model", 0, 0)],
)  # fmt: skip
def test_this_trees_margins(figure: str, lane: str, small: float, large: float) -> None:
    """Order 0 is held to less than larger folios."""
    policy = load()
    assert policy.margin(figure, lane, REMOVE).value == small
    assert policy.margin(figure, lane, LARGE).value == large


def test_an_exception_holds_for_its_cases_until_it_expires(tmp_path: Path) -> None:
    """On the day named it still holds; the day after it is an error."""
    text = "[time.model]\norder-0 = 1\nlarge = 3\n" + EXCEPTION
    for today in (TODAY, datetime.date(2030, 1, 31)):
        policy = load_text(tmp_path, text, today)
        assert policy.margin("time", "model", REMOVE).value == 0.025
        assert policy.margin("time", "model", REMOVE).reason == "meant"
        assert policy.margin("time", "model", LARGE).value == 0.03
        assert policy.margin("time", "model", Case.of("call", "dup_file", order=0)).value == 0.01
    with pytest.raises(UsageError, match="expired on 2030-01-31"):
        load_text(tmp_path, text, datetime.date(2030, 2, 1))


WRONG = [
    ("[time.model", "is not TOML"),
    ("[speed.model]\n", "unknown key `speed`; valid: time, instructions, counts, exception"),
    ("[time.moon]\n", "unknown key `moon` in [time]; valid: model, live, vm"),
    ("[time.model]\norder0 = 1\n", "unknown key `order0` in [time.model]; valid: order-0, large"),
    ("time = 1\n", "`time` must be a table"),
    ("[time]\nmodel = 1\n", "`time.model` must be a table"),
    ("[time.model]\norder-0 = 0\n", "no measurement can show a difference to be below 0"),
    ("[time.model]\norder-0 = -1\n", "[time.model] order-0 = -1 is not a percentage"),
    ("[time.model]\norder-0 = nan\n", "is not a percentage"),
    ("[time.model]\norder-0 = true\n", "is not a percentage"),
    ("[time.model]\norder-0 = 1000\n", "is not a percentage"),
    ('[time.model]\norder-0 = "1 %"\n', "is not a percentage"),
    ("[counts.model]\norder-0 = 0.5\n", "is not a number of operations"),
    ("[exception]\n", "[[exception]], with two brackets"),
    (EXCEPTION.replace("reason", "because"), "unknown key `because` in [exception 1]"),
    (EXCEPTION.replace('reason = "meant"\n', ""), "exception 1 has no `reason`"),
    (EXCEPTION.replace('"meant"', '" "'), "must say why"),
    (EXCEPTION.replace("2030-01-31", '"2030-01-31"'), "must be a date without quotes"),
    (EXCEPTION.replace("2030-01-31", "2029-12-31"), "expired on 2029-12-31"),
    (EXCEPTION.replace("remove order=0", ""), "`cases` must be filters"),
    (EXCEPTION.replace("order=0", "colour=red"), "unknown filter key 'colour'"),
    (EXCEPTION.replace("2.5", "0"), "exception 1: margin = 0 is not a percentage"),
    (EXCEPTION + 'figure = "speed"\n', "unknown figure 'speed'"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_wrong_policy_is_refused_with_file_and_reason(tmp_path: Path, text: str, words: str) -> None:
    """Whatever is not understood might have been meant to matter."""
    with pytest.raises(UsageError) as caught:
        load_text(tmp_path, text)
    assert words in str(caught.value) and "policy.toml" in str(caught.value)


def test_the_gate_refuses_a_wrong_policy_before_anything_else(cli: Cli) -> None:
    """Exit code 2, also for one that is not there and for one without margins for the file's lane."""
    (cli.cwd / "wrong.toml").write_text("[time.moon]\n")
    (cli.cwd / "empty.toml").write_text("")
    for name, words in (("wrong.toml", "unknown key"), ("no.toml", "--thresholds"), ("empty.toml", "add it")):
        refused(judged(cli, good(), "--thresholds", name), name, words)


def test_an_exception_lets_a_regression_pass_and_says_so(cli: Cli) -> None:
    """Two percent more, three allowed, with the reason below the table."""
    text = "[time.model]\norder-0 = 1\nlarge = 3\n" + EXCEPTION.replace("2.5", "4")
    (cli.cwd / "p.toml").write_text(text.replace("2030", "2099"))
    outcome = judged(cli, slower(good(), REMOVE, 1.02), "--thresholds", "p.toml")
    assert (outcome.code, "margin 4 % at most, meant: v6.15 remove anon last" in outcome.out) == (0, True)


def test_differences_below_the_absolute_floor_are_none(cli: Cli) -> None:
    """A tenth of 0.02 ns a page is less than anything can tell from nothing."""
    pmd = REMOVE.but(variant="mine", path="pmd", order=9)
    found = synthetic.results([("remove", "anon", "last")], ("v6.15", "mine"), (9,))
    found.runs = {
        case: [
            type(run)(run.process, run.values, run.loops, {**run.metadata, "base": "v6.15"}) for run in runs
        ]
        for case, runs in found.runs.items()
    }
    outcome = judged(cli, slower(found, pmd, 1.2), "--all")
    assert (outcome.code, "the absolute floor" in outcome.out) == (0, True)
