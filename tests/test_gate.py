"""The gate from its command line: every exit code, what is printed, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import results
from bench.results import Results
from tests import synthetic
from tests.conftest import Cli
from tests.gated import FAMILY, REMOVE, ZERO, good, judged, near_margin, slower, without_control

FEW = ("remove", "order=0", "kind=file", "state=last", "variant=v6.10,v6.12")
Golden = Callable[[str, str], None]

INTERNAL = (
    "import sys; from bench import cli; from bench.judge import gate\n"
    "def broken(*_): raise ZeroDivisionError('division by zero')\n"
    "gate.judge = broken; sys.argv = ['rmapbench', 'gate', 'a.json', *sys.argv[1:]]; cli.console()"
)
NO_LANE = (
    "import sys; from bench import cli, errors; from bench.lanes.model import lane\n"
    "def absent(*_): raise errors.LaneUnavailable('this machine has no locked instructions #1')\n"
    "lane.main_cases = absent; sys.argv = ['rmapbench', 'gate', *sys.argv[1:]]; cli.console()"
)


# Exit codes


def test_0_nothing_regressed(cli: Cli, golden: Golden) -> None:
    """Differences within the margin are shown to be so."""
    outcome = judged(cli, good())
    assert (outcome.code, outcome.err) == (0, "")
    golden("gate.txt", outcome.out)


def test_3_a_regression(cli: Cli, golden: Golden) -> None:
    """Two percent more at order 0; it stands first, and again below the table with its filters."""
    outcome = judged(cli, slower(good(), REMOVE, 1.02))
    assert outcome.code == 3
    golden("gate-regressed.txt", outcome.out)


def test_5_inconclusive_only_if_strict(cli: Cli, golden: Golden) -> None:
    """A difference as large as the margin passes loudly, and fails under --strict."""
    near = near_margin()
    outcome = judged(cli, near)
    assert (outcome.code, "! INCONCLUSIVE" in outcome.out) == (0, True)
    assert judged(cli, near, "--strict").code == 5
    golden("gate-inconclusive.txt", outcome.out)


@pytest.mark.parametrize("control", ["twin", "positive"])
def test_6_a_group_without_a_control(cli: Cli, control: str) -> None:
    """Its verdicts are UNTRUSTED, also where something is slower."""
    outcome = judged(cli, without_control(slower(good(), REMOVE, 1.5), control))
    assert (outcome.code, "UNTRUSTED" in outcome.out) == (6, True)


def test_6_a_control_that_failed(cli: Cli, golden: Golden) -> None:
    """A/A that is not equal, and a positive control seen at ten times its size."""
    found = good()
    twin, positive = (
        next(case for case in found.runs if case.get("control") == control and case.order == order)
        for control, order in (("twin", 0), ("positive", 4))
    )
    outcome = judged(cli, slower(slower(found, twin, 1.02), positive, 1.4))
    assert outcome.code == 6
    golden("gate-untrusted.txt", outcome.out)


def test_6_a_case_that_failed_or_is_not_there(cli: Cli) -> None:
    """A gated case with a reason in the file, and planned cases of which it knows nothing."""
    found = good()
    del found.runs[REMOVE]
    found.failed = {REMOVE.name: "worker died (SIGSEGV)"}
    outcome = judged(cli, found)
    assert (outcome.code, "worker died (SIGSEGV)" in outcome.out) == (6, True)
    lost = judged(cli, good(expected_cases=1000))
    assert (lost.code, "planned cases are neither measured" in lost.out) == (6, True)


def test_6_a_users_variant_without_its_base(cli: Cli) -> None:
    """It says which case is not in the file."""
    outcome = judged(cli, synthetic.results(FAMILY, ("mine",), (0,)))
    assert (outcome.code, "not in the file: call/remove" in " ".join(outcome.out.split())) == (6, True)


@pytest.mark.parametrize(("processes", "word"), [(1, "p = 0.5 "), (4, "p = 0.0625 ")])
def test_6_a_gate_that_could_never_fire(cli: Cli, processes: int, word: str) -> None:
    """With four processes no difference, however large, reaches the level."""
    outcome = judged(cli, slower(good(processes=processes), REMOVE, 3))
    assert (outcome.code, outcome.out) == (6, "")
    assert "could never fire" in outcome.err and word in outcome.err


def test_6_nothing_to_judge(cli: Cli) -> None:
    """One path of one generation has nothing to be compared with."""
    outcome = judged(cli, synthetic.results([("add_new_anon", "anon", "first")], ["v6.12"], (0,)))
    assert outcome.code == 6 and "nothing to judge" in outcome.err


def test_3_goes_before_6_and_6_before_5(cli: Cli) -> None:
    """A regression in a group whose controls hold is not hidden by another group's missing ones."""
    found = slower(without_control(good(), "twin", order=4), REMOVE, 1.02)
    assert judged(cli, found).code == 3
    near = slower(without_control(good(), "twin", order=4), REMOVE, 1.0055)
    assert judged(cli, near, "--strict").code == 6


def test_1_an_internal_error(cli: Cli) -> None:
    """Something nobody foresaw, with the traceback that helps to mend it."""
    results.save(good(), cli.cwd / "a.json")
    outcome = cli.python("-c", INTERNAL)
    assert outcome.code == 1 and "ZeroDivisionError" in outcome.err


def test_4_a_lane_that_is_not_here(cli: Cli) -> None:
    """As kselftest has it: exit code 4, and in TAP a skipped plan."""
    outcome = cli.python("-c", NO_LANE)
    assert outcome.code == 4 and "no locked instructions" in outcome.err
    tap = cli.python("-c", NO_LANE, "--tap")
    assert tap.code == 4
    assert tap.out == "TAP version 13\n1..0 # SKIP this machine has no locked instructions no. 1\n"


@pytest.mark.parametrize(
    ("make", "code"),
    [(good, 0), (lambda: slower(good(), REMOVE, 1.02), 1), (lambda: without_control(good(), "twin"), 125)],
)
def test_bisect_maps_every_code(cli: Cli, make: Callable[[], Results], code: int) -> None:
    """0 good, 1 bad, 125 for what cannot be judged."""
    assert judged(cli, make(), "--bisect").code == code


def test_bisect_never_calls_an_error_bad(cli: Cli) -> None:
    """An internal error, a missing file and a wrong option: git goes on to another commit."""
    results.save(good(), cli.cwd / "a.json")
    assert cli.python("-c", INTERNAL, "--bisect").code == 125
    assert cli("gate", "--bisect", "nowhere.json").code == 125
    assert cli("gate", "--bisect", "--no-such-option").code == 125
    assert judged(cli, near_margin(), "--bisect", "--strict").code == 125


def test_bisect_takes_what_is_undecided_for_neither_good_nor_bad(cli: Cli) -> None:
    """Git skips it; fewer operations than an outdated baseline has are good all the same."""
    assert judged(cli, near_margin(), "--bisect").code == 125
    for name, locked in (("old.json", 4), ("new.json", 3)):
        counts = {REMOVE.name: {**dict.fromkeys(ZERO, 4), "locked_used": locked}}
        (cli.cwd / name).write_text(json.dumps(counts))
    assert cli("gate", "new.json", "--baseline", "old.json", "--bisect").code == 0


@pytest.mark.slow
def test_124_a_budget_too_small_for_a_verdict(cli: Cli) -> None:
    """What was measured is kept, and it says where."""
    outcome = cli("gate", *FEW, "--budget", "0.1", "--quiet", "-o", "out.json")
    assert (outcome.code, outcome.out) == (124, "")
    assert "budget of 0.1 s" in outcome.err and "out.json.journal" in outcome.err
    assert (cli.cwd / "out.json.journal" / "plan.json").exists()


@pytest.mark.slow
def test_130_an_interrupt(cli: Cli) -> None:
    """Ctrl-C while measuring."""
    outcome = cli.interrupted("gate", *FEW)
    assert (outcome.code, outcome.err.startswith("rmapbench: interrupted")) == (130, True)


@pytest.mark.slow
def test_without_a_file_it_measures_first(cli: Cli) -> None:
    """A copy of the template against its base: narrow after a few processes, and the file is kept."""
    (cli.cwd / "mine.py").write_text((Path(__file__).parents[1] / "kernels/rmap/_template.py").read_text())
    words = ("remove", "order=0", "kind=file", "state=last", "--variant", "mine=mine.py")
    outcome = cli("gate", *words, "--processes", "6", "--budget", "100", "--quiet", "-o", "out.json")
    assert outcome.code in (0, 3, 6), outcome.err  # what a busy machine says is not tested
    if "could never fire" in outcome.err:
        pytest.skip("the machine is too busy for five quiet processes")
    assert "order 0: mine against v6.12" in outcome.out and "wrote out.json" in outcome.out
    measured = results.load(cli.cwd / "out.json")
    assert {case.get("variant") for case in measured.runs} == {"mine", "v6.12", "_empty", ""}
    assert {len(runs) for runs in measured.runs.values()} == {6}
