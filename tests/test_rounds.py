"""The drop rule: rounds in which the yardstick was slow do not count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.rounds import kept_rounds, quiet_level


def test_rounds_up_to_three_percent_above_the_quiet_level_are_kept() -> None:
    """The quiet level is the 10th percentile over all processes, not each one's own."""
    quiet, busy = [1.0] * 18 + [1.029, 1.031], [1.2] * 22
    kept = kept_rounds([quiet, busy])
    assert kept[0].tolist() == [True] * 19 + [False]
    assert not kept[1].any()


def test_rounds_at_another_speed_of_the_clock_are_kept() -> None:
    """Two speeds 6.7 % apart, the slower one usual: both count, what is slower still does not."""
    kept = kept_rounds([[5.66] * 20 + [6.04] * 39 + [6.23], [6.04] * 59 + [7.2]])
    assert [mask.tolist() for mask in kept] == [[True] * 59 + [False], [True] * 59 + [False]]


def test_a_single_fast_round_does_not_set_the_level() -> None:
    """One reading far below the others drops none of them."""
    (kept,) = kept_rounds([[0.5, *[1.0] * 59]])
    assert kept.all()


def test_processes_may_have_different_numbers_of_rounds() -> None:
    """Masks have the shape of their rows; a process without rounds has an empty one."""
    kept = kept_rounds([[1.0, 1.0], [], np.array([1.0])])
    assert [mask.shape for mask in kept] == [(2,), (0,), (1,)]
    assert kept_rounds([]) == [] and kept_rounds([[]])[0].size == 0


@given(
    st.lists(st.lists(st.floats(1e-9, 1e-6), min_size=1, max_size=20), min_size=1, max_size=6),
    st.floats(0.1, 10),
)
def test_the_rule_knows_no_unit_and_keeps_the_fastest_round(rows: list[list[float]], scale: float) -> None:
    """Scaling changes nothing beyond rounding, and never is everything dropped."""
    kept = kept_rounds(rows)
    limit = 1.03 * quiet_level(np.concatenate([np.array(row) for row in rows]))
    for row, mask, scaled in zip(rows, kept, kept_rounds([[value * scale for value in row] for row in rows])):
        clear = np.abs(np.array(row) / limit - 1) > 1e-9
        assert (mask == scaled)[clear].all()
    fastest = min(min(row) for row in rows)
    assert any(mask[row.index(fastest)] for row, mask in zip(rows, kept) if fastest in row)
