"""Two threads at once on one folio: no variant loses an update; what is not atomic does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernels.variants import GENERATIONS
from tests.conftest import ROOT, Cli
from tests.primitives import OPERATIONS
from tests.races import BROKEN

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two threads need two CPUs")


def answers(cli: Cli, task: str, names: Sequence[str]) -> dict[str, str]:
    """What two processes of tests/races.py say of each name."""

    def ask(share: Sequence[str]) -> list[tuple[str, str]]:
        outcome = cli.python("-m", "tests.races", task, *share, cwd=ROOT)
        assert outcome.code == 0, outcome.err
        return [json.loads(line) for line in outcome.out.splitlines()]

    with ThreadPoolExecutor(2) as pool:
        return dict(pair for pairs in pool.map(ask, (names[::2], names[1::2])) for pair in pairs)


def test_two_threads_lose_no_update_in_any_variant(cli: Cli) -> None:
    """Every counter, bit and slot is at the end what it was before pairs of calls that undo each other."""
    said = answers(cli, "run", GENERATIONS)
    assert set(said) == set(GENERATIONS)
    for variant, message in said.items():
        found = re.fullmatch(r"two threads lose no update \((\d+) of (\d+) races overlapped\)", message)
        assert found, f"{variant}: {message}"
        overlapped, races = map(int, found.groups())
        assert races >= 18
        assert overlapped > 0, "the threads never ran at the same time: nothing was tried"


def test_a_primitive_that_is_not_atomic_is_caught(cli: Cli) -> None:
    """Each one in turn is a load and a store: the counter that loses updates is named with the calls."""
    said = answers(cli, "break", list(BROKEN))
    assert set(said) == set(BROKEN)
    for name, (_, kind, order, call, _, counter) in BROKEN.items():
        calls = rf".*{call.partition('_')[0]}.*\(order-{order} {kind} folio 0, .*by two threads at once.*"
        pattern = rf"{calls}: ({counter}): expected .+, found .+"
        if "lock" in name:
            pattern += rf"|{calls}: did not end in 2 s; is a lock never released\?"
        assert re.fullmatch(pattern, said[name]), f"{name}: {said[name] or 'nothing was noticed'}"


def test_every_locked_primitive_of_the_calls_is_tried() -> None:
    """Statistics are per CPU but for their carry; the split queue's spinlock is no part of a call."""
    locked = {name for name in OPERATIONS if name.startswith(("atomic", "set_bit", "clear_bit", "test_and"))}
    assert locked - set(BROKEN) == {"atomic64_add", "atomic_try_cmpxchg_0_to_1", "clear_bit31_unlock"}
