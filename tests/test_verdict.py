"""Verdicts and what they rest on: bounds, ranks, Holm, power; and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.judge.estimate import Estimate, estimate_mean
from bench.judge.holm import holm
from bench.judge.stats import Note
from bench.judge.stats_margin import ALPHA, detectable, p_above, p_below, processes_needed, reach
from bench.judge.stats_rank import attainable_p, signed_rank_p_above, signed_rank_p_below
from bench.judge.stats_rate import rate_interval
from bench.judge.verdict import Claims, Verdict, decide, exit_code

LOGS = st.lists(st.integers(-1000, 1000).map(lambda n: n / 8192), min_size=5, max_size=12)
MARGIN = math.log1p(0.01)
FLAG = Note("SHAPE", "the quickest rounds differ")


def verdict_of(logs: list[float], family: int = 1, doubts: tuple[Note, ...] = ()) -> Verdict:
    """The verdict on one pair among `family` of which the others show nothing."""
    tests = Claims.of(estimate_mean(logs), logs, MARGIN)
    return decide(tests, holm([tests.above, *[1.0] * (family - 1)])[0], doubts)


@given(LOGS, st.integers(-80, 80).map(lambda n: n / 4096 + 1 / 65536))
def test_p_values_are_those_of_scipy(logs: list[float], margin: float) -> None:
    """t and Wilcoxon's signed ranks, both sides; differences of nothing are left out, as by Wilcoxon."""
    differences = np.array(logs) - margin
    if np.std(differences) > 1e-9:
        expected = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
        assert p_above(estimate_mean(logs), margin) == pytest.approx(expected, abs=1e-9)
    sizes = np.abs(differences)
    if len(set(sizes)) == len(sizes) and np.all(sizes):  # with ties scipy has no exact distribution
        greater = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
        less = stats.wilcoxon(differences, alternative="less", method="exact").pvalue
        assert signed_rank_p_above(logs, margin) == pytest.approx(greater)
        assert signed_rank_p_below(logs, margin) == pytest.approx(less)


@given(LOGS)
def test_the_two_sides_mirror_each_other(logs: list[float]) -> None:
    """Swapping the arms turns above into below, ties and equal processes included."""
    estimate, mirrored = estimate_mean(logs), estimate_mean([-log for log in logs])
    assert p_above(estimate, MARGIN) == pytest.approx(p_below(mirrored, -MARGIN))
    assert signed_rank_p_above(logs, 0.0) == pytest.approx(signed_rank_p_below([-log for log in logs], 0.0))


def test_equal_processes_are_certain() -> None:
    """No spread: what is beyond the margin is, what is on it is not."""
    assert p_above(Estimate(0.02, 0.0, 7), MARGIN) == 0 and p_below(Estimate(0.0, 0.0, 7), MARGIN) == 0
    assert p_above(Estimate(MARGIN, 0.0, 7), MARGIN) == 1 == p_below(Estimate(MARGIN, 0.0, 7), MARGIN)
    assert p_above(Estimate(5.0, math.nan, 0), MARGIN) == 1
    assert signed_rank_p_above([MARGIN] * 8, MARGIN) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_holm_is_monotone_and_knows_no_order(p_values: list[float], random: object) -> None:
    """Adjusted values are between p and m p, keep the order of p, and go with their test if shuffled."""
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted):
        assert p <= q <= 1 and q <= len(p_values) * max(p, max(x for x in p_values if x <= p))
    pairs = sorted(zip(p_values, adjusted))
    assert [q for _, q in pairs] == sorted(adjusted)
    shuffled = list(range(len(p_values)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert holm([p_values[i] for i in shuffled]) == [adjusted[i] for i in shuffled]


def test_holm_steps_down() -> None:
    """The smallest of four must be four times as small as one alone, the next three times."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, 0.02]) == [0.04, 0.04] and holm([]) == []


SEVERITY = (Verdict.FASTER, Verdict.OK, Verdict.INCONCLUSIVE, Verdict.REGRESSED)


@given(LOGS, st.integers(0, 400).map(lambda n: n / 4096), st.integers(1, 30))
def test_slower_is_never_judged_better(logs: list[float], more: float, family: int) -> None:
    """Adding the same to every process moves the verdict towards REGRESSED or not at all."""
    before = verdict_of(logs, family)
    after = verdict_of([log + more for log in logs], family)
    assert SEVERITY.index(after) >= SEVERITY.index(before)


@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_processes_means_nothing(logs: list[float], random: object) -> None:
    """Shuffled, the same verdict."""
    shuffled = list(logs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verdict_of(shuffled) == verdict_of(logs)


def test_each_verdict() -> None:
    """Beyond the margin, within it, far below it, across it."""
    spread = [-0.002, -0.001, 0.0, 0.0, 0.001, 0.001, 0.002, -0.001]
    moved = {shift: verdict_of([log + shift for log in spread]) for shift in (0.02, 0.0, -0.02, 0.0103)}
    assert moved == {
        0.02: Verdict.REGRESSED, 0.0: Verdict.OK, -0.02: Verdict.FASTER, 0.0103: Verdict.INCONCLUSIVE,
    }  # fmt: skip


def test_a_flag_or_ranks_that_disagree_forbid_red() -> None:
    """SHAPE, STATE, LAYOUT; and two of eight processes within the margin, which t does not mind enough."""
    slow = [0.02 + n / 10000 for n in range(8)]
    assert verdict_of(slow) == Verdict.REGRESSED
    assert verdict_of(slow, doubts=(FLAG,)) == Verdict.INCONCLUSIVE
    tests = Claims(above=0.001, below=1, faster=1, rank_above=0.06, rank_below=1, rank_faster=1)
    assert decide(tests, 0.001) == Verdict.INCONCLUSIVE
    assert decide(Claims(1, 0.001, 1, 1, 0.06, 1), 1) == Verdict.INCONCLUSIVE
    assert decide(Claims(1, 0.001, 0.001, 1, 0.01, 0.06), 1) == Verdict.OK


def test_four_processes_can_never_fire() -> None:
    """However large the difference, their ranks do not reach the level; five do."""
    assert attainable_p(4) > ALPHA >= attainable_p(5)
    assert verdict_of([9.0, 9.1, 9.2, 9.3]) == Verdict.INCONCLUSIVE
    assert verdict_of([9.0, 9.1, 9.2, 9.3, 9.4]) == Verdict.REGRESSED


def test_exit_codes_by_precedence() -> None:
    """3 before 6 before 5 before 0."""
    red, bad, open_, fine = Verdict.REGRESSED, Verdict.UNTRUSTED, Verdict.INCONCLUSIVE, Verdict.OK
    assert exit_code([fine, open_, bad, red], True) == 3
    assert [exit_code([fine, word]) for word in (bad, Verdict.MISSING, Verdict.UNMEASURABLE)] == [6, 6, 6]
    assert exit_code([open_, bad], True) == 6
    assert (exit_code([fine, open_], True), exit_code([fine, open_]), exit_code([fine])) == (5, 0, 0)


# What could be seen


@pytest.mark.parametrize(
    ("margin", "needed"), [(1, [3, 4, 11, 36, 79, 216]), (3, [2, 3, 3, 6, 11, 26]), (5, [2, 2, 3, 4, 5, 11])]
)
def test_processes_needed(margin: float, needed: list[int]) -> None:
    """For 90 % power at no effect, sd 0.35, 0.5, 1, 2, 3 and 5 %: about (2.93 sd / margin)^2 + 2."""
    sds = (0.35, 0.5, 1, 2, 3, 5)
    assert [processes_needed(sd, margin) for sd in sds] == needed
    for sd, n in zip(sds, needed):
        assert n == pytest.approx(8.567 * (sd / margin) ** 2 + 2, abs=1.1)
    assert processes_needed(1, 1e-4) is None


def test_the_detectable_effect_is_detected_nine_times_in_ten() -> None:
    """Simulated: 8 processes, Holm over 20."""
    rng, sd, alpha = np.random.default_rng(4), 0.001, ALPHA / 20
    drawn = rng.normal(0, sd, (4000, 8))
    true = detectable(Estimate(0.0, sd / math.sqrt(8), 7), alpha)
    estimates = (Estimate(row.mean() + true, row.std(ddof=1) / math.sqrt(8), 7) for row in drawn)
    assert np.mean([p_above(estimate, 0.0) <= alpha for estimate in estimates]) == pytest.approx(
        0.9, abs=0.015
    )


def test_reach_does_not_know_the_sign() -> None:
    """What decides when to stop measuring is the same for a gain, a loss and nothing."""
    assert len({reach(Estimate(mean, 0.001, 7)) for mean in (-0.5, 0.0, 0.009, 0.5)}) == 1


def test_the_interval_of_a_rate_is_clopper_and_pearsons() -> None:
    """Nothing in 300 means at most 1.2 %."""
    for hits, of in ((0, 300), (3, 100), (100, 100), (1, 1)):
        expected = stats.binomtest(hits, of).proportion_ci(method="exact")
        found = rate_interval(hits, of)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (rate_interval(0, 0).low, rate_interval(0, 0).high) == (0, 1)


# How often the verdicts are wrong


@pytest.mark.parametrize("true", [0.0, MARGIN])
def test_false_alarms_are_as_rare_as_promised(true: float) -> None:
    """Gates of 20 pairs, all at the edge of the margin: at most 5 % go red; far from it none."""
    rng, red, gates = np.random.default_rng(11), 0, 200
    for _ in range(gates):
        rows = rng.normal(true, 0.002, (20, 8))
        tests = [Claims.of(estimate_mean(list(row)), list(row), MARGIN) for row in rows]
        adjusted = holm([test.above for test in tests])
        red += any(decide(t, p) == Verdict.REGRESSED for t, p in zip(tests, adjusted))
    assert red <= (0.08 * gates if true else 0)


def test_two_percent_are_detected() -> None:
    """sd 0.2 %, Holm over 20 pairs, 8 processes: at least 95 of 100 gates."""
    rng = np.random.default_rng(12)
    rows = rng.normal(math.log1p(0.02), 0.002, (200, 8))
    assert sum(verdict_of(list(row), family=20) == Verdict.REGRESSED for row in rows) >= 190
