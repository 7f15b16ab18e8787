"""The model lane's pyperf scripts: one for the calls, one for the scenarios."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench import options
from bench.case import Filters
from bench.errors import BenchError
from bench.lanes.model import lane
from bench.lanes.model.session import Session, open_session
from bench.measure.front import Benchmark, run_script
from bench.measure.plan import Arm


def _configure(parser: argparse.ArgumentParser) -> None:
    options.add_filters(parser)
    options.add_variants(parser)


def _forwarded(args: argparse.Namespace) -> list[str]:
    return [*args.filters, *(f"--variant={text}" for text in args.variant)]


def _benchmarks(args: argparse.Namespace, level: str) -> Sequence[Benchmark]:
    extra, filters = options.variants(args), Filters.parse(args.filters)
    chosen = filters.select(case for case in lane.cases(extra, filters) if case.level == level)
    plan = lane.plan(chosen, extra)
    session = open_session(plan.setup)
    if not args.worker:
        lane.prepare(chosen, extra)
        session.build(0, 1)
    arms = [arm for block in plan.blocks for arm in block.arms if lane.is_plain(arm)]
    return [
        _benchmark(session, arm, place, case)
        for arm in arms
        for place, case in enumerate(arm.cases)
        if case is not None
    ]


def _benchmark(session: Session, arm: Arm, place: int, case: str) -> Benchmark:
    """The arm is made ready when its turn comes: each worker measures one case only."""

    def time(loops: int) -> float:
        return float(session.arm(arm.spec, {"loops": loops}).seconds(place))

    return Benchmark(case, session.npages(arm.spec), time, arm.spec["metadata"])


def run(name: str, level: str) -> int:
    """Run the script; errors are one sentence and their exit code, as in `rmapbench`."""
    try:
        run_script(f"bench.lanes.{name}", _configure, _forwarded, lambda args: _benchmarks(args, level))
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201  (a script of its own)
        return error.exit_code
    return 0
