"""Result files for tests of the gate, and the outcome of judging them from the command line."""

from __future__ import annotations

import numpy as np

from bench import results
from bench.case import Case
from bench.judge.counts import COUNTED
from bench.results import ProcessRun, Results
from tests import synthetic
from tests.conftest import Cli, Outcome

FAMILY = [("remove", "anon", "last"), ("dup_file", "file", "shared")]
REMOVE = Case.of("call", "remove", kind="anon", state="last", variant="v6.15", path="pte", order=0)

ZERO = tuple(COUNTED)


def slower(found: Results, case: Case, factor: float) -> Results:
    """The same results with every value of `case`, and of its controls, multiplied."""
    runs = dict(found.runs)
    for other in found.runs:
        if case in (other, other.but(control=None)):
            runs[other] = [_slower(run, factor) for run in runs[other]]
    return Results(runs, dict(found.metadata), dict(found.failed))


def _slower(run: ProcessRun, factor: float) -> ProcessRun:
    return ProcessRun(run.process, np.asarray(run.values) * factor, run.loops, run.metadata)


def good(**more: object) -> Results:
    """Two generations, order 0 and 4, nothing slower than the margins allow."""
    return synthetic.results(FAMILY, orders=(0, 4), **more)  # type: ignore[arg-type]


def without_control(found: Results, control: str, order: int = 0) -> Results:
    """The same without one kind of control at an order."""
    runs = {c: r for c, r in found.runs.items() if c.get("control") != control or c.order != order}
    return Results(runs, dict(found.metadata), dict(found.failed))


def judged(cli: Cli, found: Results, *arguments: str, name: str = "a.json") -> Outcome:
    """The gate's outcome on a file of these results."""
    results.save(found, cli.cwd / name, force=True)
    outcome = cli("gate", name, *arguments)
    assert "Traceback" not in outcome.err
    return outcome


def near_margin() -> Results:
    """A difference as large as the margin."""
    return slower(good(), REMOVE, 1.0055)


def refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2, no verdict, one sentence with these words."""
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome
    for word in words:
        assert word in outcome.err, outcome.err
