"""Estimates over code placements: what a place does is no noise, unless too few processes tell it apart."""

from __future__ import annotations

import math

import pytest

from bench.judge.estimate import estimate_mean, over_placements

# Processes 0 to 7 at four places, which differ by up to 5 %; within a place processes differ by 0.1 %.
PLACES = {process: 16 * (process % 4) for process in range(8)}
EFFECT = {0: 0.0, 16: -0.025, 32: 0.0, 48: 0.025}
LOGS = {process: 0.01 + EFFECT[place] + (0.001 if process < 4 else 0.0) for process, place in PLACES.items()}


def test_what_places_do_is_not_in_the_error() -> None:
    """Four places, two processes each: mean of all, spread within places, 8 - 4 degrees of freedom."""
    estimate, logs = over_placements(LOGS, PLACES)
    assert estimate.mean == pytest.approx(0.0105)
    # Each place has the two values +-0.0005 around its mean: variance 8 * 0.0005^2 / 4, four means of two.
    assert estimate.error == pytest.approx(math.sqrt(8 * 0.0005**2 / 4 / 8))
    assert estimate.freedom == 4
    assert sorted(logs) == pytest.approx([0.01] * 4 + [0.011] * 4)


def test_every_place_counts_as_much_however_many_processes_it_has() -> None:
    """A process more at a quick place moves nothing."""
    more = {**LOGS, 8: LOGS[1], 9: LOGS[5]}
    estimate, _ = over_placements(more, {**PLACES, 8: 16, 9: 16})
    assert estimate.mean == pytest.approx(0.0105)
    assert estimate.freedom == 6


def test_too_few_processes_leave_places_in_the_error() -> None:
    """Six processes at four places leave two degrees of freedom: the plain mean of six."""
    few = {process: LOGS[process] for process in range(6)}
    assert over_placements(few, PLACES) == (estimate_mean(list(few.values())), tuple(few.values()))


@pytest.mark.parametrize("places", [{}, dict.fromkeys(range(8), 0)])
def test_without_placements_it_is_the_mean_of_processes(places: dict[int, object]) -> None:
    """Files of one placement, or of a lane that has none."""
    assert over_placements(LOGS, places) == (estimate_mean(list(LOGS.values())), tuple(LOGS.values()))
