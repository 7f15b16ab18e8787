"""Trust in a group: what controls that are too noisy, wrong or missing leave of its verdicts."""

from __future__ import annotations

import math

import pytest

from bench.case import Case
from bench.judge.controls import Controls, Positive
from bench.judge.estimate import Estimate, t_interval
from bench.judge.stats import Comparison
from bench.judge.trust import distrust

GROUP = Case.of("live", "fork", order=0)
MARGIN = 0.03
EIGHT = 7  # degrees of freedom of as many processes


def compared(change: float, error: float) -> Comparison:
    """Of eight processes: the change, and the standard error of its logarithm."""
    mean = math.log1p(change)
    logs = tuple(mean + step * error * math.sqrt(8) for step in (-1.2, -1, -0.8, 0, 0, 0.8, 1, 1.2))
    estimate = Estimate(mean, error, EIGHT)
    return Comparison(
        GROUP, GROUP, math.exp(mean), t_interval(estimate), error, logs, 40, 0, math.exp(mean), estimate
    )


def found(twin: Comparison | None, positive: Comparison | None) -> Controls:
    """A group's controls; the positive one is 3.1 % in truth."""
    return Controls(GROUP, twin, Positive(positive, 0.031) if positive else None)


GOOD = found(compared(0.001, 0.002), compared(0.03, 0.002))
# 0 lies within the first control's interval, 3.1 % within the second's: nothing is wrong but noise.
NOISY_TWIN = found(compared(-0.0175, 0.0135), compared(0.026, 0.002))
NOISY_POSITIVE = found(compared(0.001, 0.002), compared(-0.019, 0.03))


def test_good_controls_leave_no_doubt() -> None:
    """Equal code is shown to be equal, the known difference is seen at its size."""
    assert distrust(GOOD, MARGIN) is None


@pytest.mark.parametrize(("controls", "reach"), [(NOISY_TWIN, 0.0496), (NOISY_POSITIVE, 0.1207)])
def test_noise_in_a_control_spares_what_it_could_not_have_made(controls: Controls, reach: float) -> None:
    """Minus 47 percent is faster even if it is off by as much as the control may be; minus 5 is not."""
    doubt = distrust(controls, MARGIN)
    assert doubt and doubt.note.word == "UNTRUSTED"
    assert doubt.slack == pytest.approx(reach, abs=1e-4)
    limit = math.log1p(MARGIN)
    assert doubt.spares(compared(-0.47, 0.01).interval, limit)
    assert doubt.spares(compared(0.47, 0.01).interval, limit)
    assert not doubt.spares(compared(-0.05, 0.01).interval, limit)
    assert not doubt.spares(compared(0.0, 0.0001).interval, limit)


def test_what_is_spared_lies_beyond_margin_and_slack_together() -> None:
    """Just beyond, and just not."""
    doubt = distrust(NOISY_TWIN, MARGIN)
    assert doubt and doubt.slack
    edge = math.log1p(MARGIN) + doubt.slack
    assert doubt.spares(compared(math.expm1(edge + 0.001), 0.0).interval, math.log1p(MARGIN))
    assert not doubt.spares(compared(math.expm1(edge - 0.001), 0.0).interval, math.log1p(MARGIN))


@pytest.mark.parametrize(
    "controls",
    [
        found(None, compared(0.03, 0.002)),
        found(compared(0.001, 0.002), None),
        found(compared(0.04, 0.002), compared(0.03, 0.002)),
        found(compared(0.001, 0.002), compared(0.09, 0.002)),
        found(compared(-0.0175, 0.0135), compared(0.09, 0.002)),
    ],
    ids=["no twin", "no positive", "twin wrong", "positive wrong", "twin noisy and positive wrong"],
)
def test_a_control_that_is_missing_or_wrong_spares_nothing(controls: Controls) -> None:
    """Nobody knows by how much the figures of the group are off."""
    doubt = distrust(controls, MARGIN)
    assert doubt and doubt.slack is None
    assert not doubt.spares(compared(-0.9, 0.001).interval, math.log1p(MARGIN))


def test_of_two_noisy_controls_the_noisier_one_counts() -> None:
    """The reason is its, too."""
    assert NOISY_POSITIVE.positive
    doubt = distrust(found(NOISY_TWIN.twin, NOISY_POSITIVE.positive.comparison), MARGIN)
    assert doubt and doubt.slack == pytest.approx(0.1207, abs=1e-4) and "positive" in doubt.note.text
