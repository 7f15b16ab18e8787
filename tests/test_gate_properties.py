"""What must not matter to a verdict: the order of things, the machine's speed, the side of an effect."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.case import Case
from bench.judge import gate, policy
from bench.judge.gate import Judged
from bench.judge.pairs import pairs
from bench.judge.stopping import undecided
from bench.judge.verdict import Verdict
from bench.results import ProcessRun, Results
from tests import synthetic
from tests.gated import REMOVE, good, slower
from tests.synthetic import Noise

POLICY = policy.load()
ONE = [("remove", "anon", "last")]
few = settings(max_examples=10, deadline=None)


@cache
def sample() -> Results:
    """Something of everything: a regression, something on the margin, gains."""
    found = slower(good(processes=6, rounds=40), REMOVE, 1.02)
    dup = next(c for c in found.runs if c.op == "dup_file" and c.get("variant") == "v6.15" and c.order == 0)
    return slower(found, dup, 1.0065)


def verdicts(found: Results) -> dict[str, Verdict]:
    """By name of the pair."""
    return {item.pair.name: item.verdict for item in gate.judge(found, POLICY).judged}


def test_the_sample_has_different_verdicts() -> None:
    """Else nothing below would show anything."""
    assert set(verdicts(sample()).values()) >= {Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.FASTER}


@few
@given(st.randoms(use_true_random=False))
def test_the_order_of_cases_processes_and_rounds_means_nothing(rng: random.Random) -> None:
    """All three shuffled; rounds alike in all cases, so that pairs stay pairs."""
    found = sample()
    cases, rounds = list(found.runs), list(range(40))
    rng.shuffle(cases)
    rng.shuffle(rounds)
    runs = {
        case: [replace(r, values=np.asarray(r.values)[rounds]) for r in found.runs[case]] for case in cases
    }
    for case in cases:
        rng.shuffle(runs[case])
    assert verdicts(Results(runs, found.metadata)) == verdicts(found)


@few
@given(st.floats(1, 1000))
def test_the_speed_of_the_machine_means_nothing(factor: float) -> None:
    """All times longer by the same factor. (Shorter ones come under the absolute floor.)"""
    found = sample()
    runs = {
        case: [replace(run, values=np.asarray(run.values) * factor) for run in measured]
        for case, measured in found.runs.items()
    }
    assert verdicts(Results(runs, found.metadata)) == verdicts(found)


@few
@given(st.sets(st.sampled_from([case for case in good().runs if not case.get("control")])))
def test_a_case_that_is_gone_never_makes_the_gate_green(gone: set[object]) -> None:
    """What was planned and is not in the file is exit code 6, unless something regressed."""
    found = sample()
    runs = {case: measured for case, measured in found.runs.items() if case not in gone}
    rest = Results(runs, {**found.metadata, "expected_cases": len(found.runs)})
    try:
        code = gate.judge(rest, POLICY).exit_code()
    except Exception as error:
        code = getattr(error, "exit_code", 1)
    assert code in ((3, 6, 2) if gone else (3,))


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.0, 1.0095, 1.02, 3.0])
def test_when_to_stop_depends_on_the_spread_alone(factor: float) -> None:
    """With any effect: six quiet processes are enough, six noisy ones or three quiet ones are not."""
    enough = []
    for processes, noise in ((6, Noise()), (6, Noise(process=0.01)), (3, Noise())):
        found = synthetic.results(ONE, orders=(0,), processes=processes, noise=noise)
        enough.append(not undecided(slower(found, REMOVE, factor), POLICY))
    assert enough == [True, False, False]


def test_pairs_are_those_that_are_said() -> None:
    """The newest generation and users' variants against their bases, batched against per-page."""
    found = synthetic.results(ONE, ("v6.12", "v6.15", "mine"), (0, 4))
    told = {(p.case.get("variant"), p.case.order, p.about, bool(p.why_not)) for p in pairs(found)}
    assert told == {
        ("v6.15", 0, "base", False), ("v6.15", 4, "path", False), ("v6.12", 4, "path", True),
        ("mine", 0, "base", False), ("mine", 4, "base", False), ("mine", 4, "path", False),
    }  # fmt: skip


def test_a_batched_call_that_no_caller_makes_for_small_folios_is_shown() -> None:
    """dup_file: not judged beside the per-page call at order 0, but there beside its base, and larger."""
    found = synthetic.results([("dup_file", "file", "shared")], ("v6.12", "v6.15"), (0, 4))
    told = {
        (p.case.get("path"), p.case.order, p.about): bool(p.why_not)
        for p in pairs(found)
        if p.case.get("variant") == "v6.15"
    }
    assert told == {
        ("ptes", 0, "path"): True, ("ptes", 4, "path"): False,
        ("ptes", 0, "base"): False, ("pte", 0, "base"): False,
    }  # fmt: skip


def test_the_same_code_is_not_compared_with_itself() -> None:
    """Where a file holds both paths of order 0, of one code, the variant is held against its base only."""
    found = synthetic.results(ONE, orders=(0,))
    both = Results({**found.runs, REMOVE.but(path="ptes"): found.runs[REMOVE]}, found.metadata)
    assert {pair.about for pair in pairs(both)} == {"base"}


@pytest.mark.parametrize(
    ("level", "op", "order", "note", "words"),
    [
        ("live", "munmap", 0, {}, ""), ("live", "mprotect", 4, {}, "no rmap call"),
        ("vm", "munmap", 0, {}, "page allocator"), ("vm", "munmap", 4, {}, ""),
        ("live", "fork", 0, {"gross": 1.05e-8, "empty": 9.6e-9}, "less than a tenth"),
        ("live", "fork", 0, {"gross": 2e-8, "empty": 9.6e-9}, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_shown(
    level: str, op: str, order: int, note: dict[str, float], words: str
) -> None:
    """Neighbours without an rmap call, figures of no fixed size, small rests of large times."""
    case = Case.of(level, op, path="ptes", order=order, memory="1GiB")
    runs = {one: [ProcessRun(0, [1e-9] * 9, 1, note)] for one in (case, case.but(path="pte"))}
    (pair,) = pairs(Results(runs, {"lane": level}))
    assert words in pair.why_not and bool(words) == bool(pair.why_not)


def test_a_lane_may_say_that_a_case_is_not_judged() -> None:
    """By metadata of its runs, with the reason."""
    found = good()
    runs = [
        replace(run, metadata={**run.metadata, "not_gated": "below a tenth"}) for run in found.runs[REMOVE]
    ]
    ruling = gate.judge(Results({**found.runs, REMOVE: runs}, found.metadata), POLICY)
    told: list[Judged] = [item for item in ruling.shown if item.pair.case == REMOVE]
    assert [item.pair.why_not for item in told] == ["below a tenth"]
