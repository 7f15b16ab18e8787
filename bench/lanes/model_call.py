"""`python -m bench.lanes.model_call`: the model lane's calls as an ordinary pyperf script.

Takes the filters of `rmapbench run` beside pyperf's own options (--fast, --affinity, -o, ...). Its cases are
measured one after the other, so its files are marked unpaired; for a verdict use `rmapbench run`.
"""

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


def _benchmarks(args: argparse.Namespace) -> Sequence[Benchmark]:
    extra = options.variants(args)
    chosen = Filters.parse(args.filters).select(lane.cases(extra))
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
        return session.arm(arm.spec, {"loops": loops}).seconds(place)

    return Benchmark(case, session.npages(arm.spec), time, arm.spec["metadata"])


def main() -> int:
    """Run; errors are one sentence and their exit code, as in `rmapbench`."""
    try:
        run_script("bench.lanes.model_call", _configure, _forwarded, _benchmarks)
    except BenchError as error:
        print(f"model_call: {error}", file=sys.stderr)  # noqa: T201  (a script of its own)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
