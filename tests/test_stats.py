"""Estimates and intervals: known values, known effects of a fake lane, and what disturbs them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.case import Case
from bench.judge.controls import Controls, controls
from bench.judge.estimate import Interval, estimate_difference, estimate_mean, t_interval
from bench.judge.stats import Comparison, Sample, Samples, compare, median_interval, paired_logs, summarize
from bench.results import ProcessRun, Results
from tests import synthetic
from tests.synthetic import Noise

PTE = Case.of("call", "remove", kind="anon", state="last", variant="v6.12", path="pte", order=4)
PTES = PTE.but(path="ptes")
REMOVE = [("remove", "anon", "last")]


def sample(*rows: list[float], case: Case = PTE, kept: list[list[bool]] | None = None) -> Sample:
    """A sample with one row of values a process; everything is kept unless said."""
    masks = [np.array(mask) for mask in kept] if kept else [np.ones(len(row), bool) for row in rows]
    return Sample(case, {p: np.array(row) for p, row in enumerate(rows)}, dict(enumerate(masks)))


def of(values: dict[Case, list[list[float]]], **metadata: int) -> Samples:
    runs = {case: [ProcessRun(p, row) for p, row in enumerate(rows)] for case, rows in values.items()}
    return Samples(Results(runs, dict(metadata), {}))


def has(found: Comparison, word: str) -> bool:
    """Is there a note of that word?"""
    return any(note.word == word for note in found.notes)


# Worked by hand


def test_a_summary_is_the_median_of_the_processes_medians() -> None:
    """Not of the pooled values: a process with many slow rounds counts once."""
    found = summarize(sample([1, 2, 9], [3, 3, 3], [4, 5, 60]))
    assert (found.value, found.interval, found.processes, found.rounds) == (3, None, 3, 9)


@pytest.mark.parametrize(("n", "first"), [(6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (24, 6)])
def test_the_interval_of_a_median_is_the_table_of_order_statistics(n: int, first: int) -> None:
    """Nine values: the second to the eighth; eight: all of them (any table of binomial intervals)."""
    assert median_interval(np.arange(n)) == Interval(first, n - 1 - first)


def test_fewer_than_six_processes_give_no_interval_of_a_median() -> None:
    """Even the range of five holds the median with 93.75 % only."""
    assert median_interval(np.arange(5)) is None


def test_the_t_interval_has_the_tables_quantile() -> None:
    """Logs 1..8 / 100: mean .045, sd .02449, t(7) = 2.364624: half width .020479."""
    estimate = estimate_mean([i / 100 for i in range(1, 9)])
    found = t_interval(estimate)
    assert math.log(found.low) == pytest.approx(0.045 - 0.0204784, abs=1e-6)
    assert math.log(found.high) == pytest.approx(0.045 + 0.0204784, abs=1e-6)


def test_the_difference_has_welchs_degrees_of_freedom() -> None:
    """Sets 1 2 3 4 5 and 2 4 6 8 10: variances 2.5 and 10, freedom 5.882."""
    found = estimate_difference(np.arange(1.0, 6), np.arange(2.0, 11, 2))
    assert found.mean == -3
    assert found.error == pytest.approx(math.sqrt(2.5))
    assert found.freedom == pytest.approx(100 / 17)


def test_a_pair_is_of_the_same_round() -> None:
    """Drift over rounds cancels: 10 % dearer in every round is 10 % dearer, whatever the rounds do."""
    drift = [[1.0, 5.0, 2.0], [3.0, 1.0, 8.0]]
    dearer = [[1.1 * value for value in row] for row in drift]
    assert list(paired_logs(sample(*dearer), sample(*drift)).values()) == pytest.approx([math.log(1.1)] * 2)


def test_a_dropped_round_is_dropped_for_both() -> None:
    """The mask takes pairs away, not values."""
    kept = [[True] * 3 + [False]]
    found = compare(sample([2, 2, 2, 90], kept=kept), sample([1, 1, 1, 1], kept=kept))
    assert found.ratio == pytest.approx(2)
    assert (found.dropped, found.rounds) == (1, 4)


def test_processes_are_matched_by_number() -> None:
    """What only one side has is left out and said to be."""
    one = sample([2.0] * 4, [8.0] * 4)
    other = Sample(PTES, {1: np.full(4, 4.0)}, {1: np.ones(4, bool)})
    found = compare(one, other)
    assert found.ratio == pytest.approx(2) and has(found, "LEFT-OUT")


def test_unequal_rounds_cannot_be_paired() -> None:
    """A process whose cases have different numbers of rounds is left out; the others count."""
    found = compare(sample([2, 2], [2, 2]), sample([1, 1], [1, 1, 1]))
    assert (found.ratio, len(found.log_ratios)) == (2, 1) and has(found, "LEFT-OUT")


def test_four_processes_give_no_interval() -> None:
    """And say so; five do."""
    rows = [[1.0, 1.1], [1.0, 1.2], [1.0, 1.1], [1.0, 1.3], [1.1, 1.1]]
    four, five = (compare(sample(*rows[:n]), sample(*[[1.0, 1.0]] * n)) for n in (4, 5))
    assert four.interval is None and has(four, "FEW")
    assert five.interval is not None and not has(five, "FEW")
    assert five.interval.low < five.ratio < five.interval.high


def test_no_spread_is_an_interval_of_no_width() -> None:
    """Equal figures in all processes are no error."""
    found = compare(sample(*[[2.0, 2.0]] * 5), sample(*[[1.0, 1.0]] * 5))
    assert found.interval and found.interval.low == found.interval.high == found.ratio
    assert found.ratio == pytest.approx(2) and found.sd == 0


def test_what_dropping_changes_is_flagged() -> None:
    """STATE: with the disturbed rounds the estimate is 3 % higher than without."""
    kept = [[True] * 40 + [False] * 50] * 5
    busy = [[1.0] * 40 + [1.03] * 50] * 5
    found = compare(sample(*busy, kept=kept), sample(*[[1.0] * 90] * 5, kept=kept))
    assert found.ratio == 1 and found.unfiltered == pytest.approx(1.03)
    assert has(found, "STATE") and "+3.0" in found.notes[0].detail


def test_processes_without_enough_quiet_rounds_are_left_out() -> None:
    """Below five that remain nothing is measurable, though an estimate from all rounds stays."""
    kept = [[True] * 40] * 4 + [[True] * 19 + [False] * 21] * 2
    rows = [[2.0] * 40] * 6
    found = compare(sample(*rows, kept=kept), sample(*[[1.0] * 40] * 6, kept=kept))
    assert len(found.log_ratios) == 4 and has(found, "UNMEASURABLE") and found.interval is None
    nothing = [[False] * 40] * 6
    found = compare(sample(*rows, kept=nothing), sample(*[[1.0] * 40] * 6, kept=nothing))
    assert found.ratio == pytest.approx(2) and has(found, "UNMEASURABLE") and found.interval is None


def test_unpaired_files_are_compared_unpaired() -> None:
    """With a wider interval, and a note; so are cases of different groups."""
    rng = np.random.default_rng(1)
    drift = [1 + 0.1 * rng.random() for _ in range(8)]
    values = {
        PTE: [[d] * 9 for d in drift],
        PTES: [[1.02 * d] * 9 for d in drift],
        PTE.but(order=5): [[1.0] * 9] * 8,
    }
    paired, unpaired = of(values).compare(PTES, PTE), of(values, unpaired=1).compare(PTES, PTE)
    assert paired.log_ratios and not paired.notes
    assert has(unpaired, "UNPAIRED") and unpaired.log_ratios == ()
    assert paired.ratio == pytest.approx(1.02) == unpaired.ratio
    assert paired.interval and unpaired.interval
    assert unpaired.interval.high - unpaired.interval.low > 10 * (paired.interval.high - paired.interval.low)
    assert has(of(values).compare(PTE.but(order=5), PTE), "UNPAIRED")


@given(st.lists(st.lists(st.floats(0.5, 2), min_size=4, max_size=4), min_size=5, max_size=9), st.randoms())
def test_swapping_the_legs_inverts_the_ratio(rows: list[list[float]], random: object) -> None:
    """Comparison is symmetric in the logarithm, interval included."""
    one, other = sample(*rows), sample(*[row[::-1] for row in rows])
    there, back = compare(one, other), compare(other, one)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.interval and back.interval
    assert there.interval.low == pytest.approx(1 / back.interval.high)


# Known effects


def test_the_yardstick_takes_disturbed_rounds_away() -> None:
    """All cases of the group lose the rounds in which the fake lane was disturbed."""
    found = Samples(synthetic.results(REMOVE, orders=(4,), noise=Noise(disturbed=0.2, slowdown=0.3)))
    summary = found.summary(PTES)
    assert 0.15 < summary.dropped / summary.rounds < 0.25
    assert {found.summary(case).dropped for case in found} == {summary.dropped}


def test_intervals_hold_the_true_effect() -> None:
    """In at least 90 of 100 runs of the fake lane the 95 % interval holds the true ratio."""
    true = synthetic.true_ns(PTES) / synthetic.true_ns(PTE)
    held = 0
    for seed in range(100):
        found = Samples(synthetic.results(REMOVE, ["v6.12"], (4,), seed=seed)).compare(PTES, PTE)
        held += found.interval is not None and found.interval.low <= true <= found.interval.high
    assert 90 <= held <= 99


def test_controls_are_found_in_every_group() -> None:
    """A/A equal within 1 %, positive control seen at about its true size."""
    found = controls(Samples(synthetic.results(REMOVE, orders=(0, 4))))
    assert {group.order for group in found} == {0, 4}
    for control in found.values():
        assert control.twin and control.equal_within(0.01) and not control.equal_within(1e-5)
        assert control.positive and control.positive.holds
        truth = synthetic.LOCKED_NS * synthetic.ADDED / synthetic.PAGES
        base = control.positive.comparison.base
        assert control.positive.true == pytest.approx(truth / synthetic.true_ns(base), rel=0.03)


def test_a_positive_control_that_is_not_seen_does_not_hold() -> None:
    """Twice the locked instructions claimed: recovered at half its size."""
    measured = synthetic.results(REMOVE, orders=(4,))
    (case,) = [case for case in measured.runs if case.get("control") == "positive"]
    doubled = {"extra_locked": 2 * synthetic.ADDED, "pages": synthetic.PAGES}
    measured.runs[case] = [replace(run, metadata=doubled) for run in measured.runs[case]]
    positive = controls(Samples(measured))[case.group].positive
    assert positive and not positive.holds and positive.recovered == pytest.approx(0.5, abs=0.1)


def test_missing_controls_are_none() -> None:
    """Also when the positive control does not say how large it is."""
    group = PTE.group
    assert controls(of({PTE: [[1.0]]})) == {group: Controls(group, None, None)}
    unsized = of(
        {PTE: [[1.0]], PTE.but(control="positive"): [[1.1]], group.but(control="yardstick"): [[1.0]]}
    )
    assert controls(unsized)[group].positive is None
