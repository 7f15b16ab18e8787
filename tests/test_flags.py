"""Flags and controls: differences that are there, and yet are not called the code's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.case import Case
from bench.judge import gate, policy
from bench.judge.controls import controls
from bench.judge.flags import flags
from bench.judge.pairs import Pair
from bench.judge.stats import Samples
from bench.judge.trust import distrust, equivalent
from bench.judge.verdict import Verdict
from bench.results import ProcessRun, Results
from tests.gated import REMOVE, good, slower

MARGIN = math.log1p(0.01)
PAIR = Pair(REMOVE, REMOVE.but(variant="v6.12"))


def changed(found: Results, case: Case, how: Callable[[int, ProcessRun], ProcessRun]) -> Results:
    """The same results with every run of a case, and of its controls, replaced by how(number, run)."""
    runs = dict(found.runs)
    for other in found.runs:
        if case in (other, other.but(control=None)):
            runs[other] = [how(number, run) for number, run in enumerate(found.runs[other])]
    return Results(runs, dict(found.metadata), {})


def times(run: ProcessRun, factor: object) -> ProcessRun:
    """A run with its values multiplied."""
    return replace(run, values=np.asarray(run.values) * factor)


def words(found: Results) -> list[str]:
    """The flags of the pair."""
    return [note.word for note in flags(Samples(found), PAIR, MARGIN)]


def verdict(found: Results) -> Verdict:
    """The verdict on the pair."""
    judged = gate.judge(found, policy.load()).judged
    return next(item.verdict for item in judged if item.pair == PAIR)


def test_a_plain_regression_has_no_flag() -> None:
    """Every round and every process 2 % slower."""
    assert (words(slower(good(), REMOVE, 1.02)), verdict(slower(good(), REMOVE, 1.02))) == ([], "REGRESSED")


def test_quickest_rounds_that_do_not_take_part_are_shape() -> None:
    """Nine rounds in ten are slower, the quickest as before: another shape, not another cost."""
    factors = np.where(np.arange(60) % 10 == 0, 0.97, 1.02)
    found = changed(good(), REMOVE, lambda number, run: times(run, factors))
    assert words(found) == ["SHAPE"]
    assert verdict(found) == Verdict.INCONCLUSIVE


def test_one_lucky_round_of_one_process_is_no_shape() -> None:
    """A quicker step of the clock that only the base met, in two of eight processes."""

    def lucky(number: int, run: ProcessRun) -> ProcessRun:
        return times(run, np.where(np.arange(60) == 7, 0.9, 1.0)) if number < 2 else run

    found = slower(good(), REMOVE, 1.03)
    found = Results(
        {**found.runs, PAIR.base: [lucky(n, run) for n, run in enumerate(found.runs[PAIR.base])]},
        found.metadata, {},
    )  # fmt: skip
    assert (words(found), verdict(found)) == ([], "REGRESSED")


def test_contended_cases_have_no_shape() -> None:
    """The minimum of a contended atomic is the luck of one round."""
    contended = {case: case.but(threads=2) for case in good().runs}
    factors = np.where(np.arange(60) % 10 == 0, 0.97, 1.02)
    found = changed(good(), REMOVE, lambda number, run: times(run, factors))
    moved = Results({contended[case]: runs for case, runs in found.runs.items()}, found.metadata, {})
    pair = Pair(contended[PAIR.case], contended[PAIR.base])
    assert flags(Samples(moved), pair, MARGIN) == []


def test_a_difference_of_disturbed_rounds_is_state() -> None:
    """Where the dropped rounds, more than half of them, say something else."""
    yardstick = REMOVE.group.but(control="yardstick")
    busy = np.arange(60) < 29
    found = changed(good(), yardstick, lambda number, run: times(run, np.where(busy, 1.5, 1.0)))
    found = changed(found, REMOVE, lambda number, run: times(run, np.where(busy, 0.8, 1.04)))
    assert "STATE" in words(found)
    assert verdict(found) == Verdict.INCONCLUSIVE


def placed(factors: tuple[float, ...], processes: int = 8) -> Results:
    """Processes at four placements in turn, the case slower by a factor at each."""

    def how(number: int, run: ProcessRun) -> ProcessRun:
        at = number % len(factors)
        return replace(times(run, factors[at]), metadata={**run.metadata, "placement": 16 * at})

    return changed(good(processes=processes), REMOVE, how)


def test_a_difference_at_one_placement_only_is_layout() -> None:
    """Three of four placements show the code to be as quick as ever."""
    found = placed((1.06, 1.0, 1.0, 1.0))
    assert words(found) == ["LAYOUT"]
    assert verdict(found) == Verdict.INCONCLUSIVE


def test_a_difference_at_half_of_the_placements_is_layout() -> None:
    """The other half is as good a witness."""
    found = placed((1.06, 1.0, 1.06, 1.0))
    assert words(found) == ["LAYOUT"]
    assert verdict(found) == Verdict.INCONCLUSIVE


def test_one_placement_that_hides_a_difference_is_no_doubt_of_it() -> None:
    """It is said beside the verdict."""
    found = placed((1.05, 0.994, 1.023, 1.022), 16)
    assert words(found) == []
    judged = next(item for item in gate.judge(found, policy.load()).judged if item.pair == PAIR)
    assert judged.verdict == Verdict.REGRESSED
    assert [note.word for note in judged.notes] == ["PLACEMENT"]
    assert judged.notes[0].detail == "-0.1% +2.6% +2.7% +5.4%"


def test_a_difference_at_every_placement_is_the_codes() -> None:
    """It may differ between them; and one placement alone, or one process at each, says nothing."""
    assert words(placed((1.02, 1.025, 1.02, 1.03))) == []
    assert verdict(placed((1.02, 1.025, 1.02, 1.03), 16)) == Verdict.REGRESSED
    assert words(placed((1.02,))) == [] == words(placed((1.06, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)))


@pytest.mark.parametrize(("factor", "equal"), [(1.0, True), (1.0105, False), (0.985, False)])
def test_the_twin_must_be_shown_to_be_equal(factor: float, equal: bool) -> None:
    """Both bounds within the margin: an interval that reaches it is not enough."""
    found = good()
    twin = next(case for case in found.runs if case.get("control") == "twin" and case.order == 0)
    control = controls(Samples(slower(found, twin, factor)))[twin.group]
    assert control.twin and equivalent(control.twin, MARGIN) == equal
    assert (distrust(control, 0.01) is None) == equal


def test_one_process_shows_nothing_to_be_equal() -> None:
    """Whatever the margin."""
    control = next(c for c in controls(Samples(good(processes=1))).values() if c.twin)
    assert control.twin and not equivalent(control.twin, 9.0)
