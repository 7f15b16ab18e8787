"""Measuring for a verdict: processes are added until the intervals are narrow or the budget is spent."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from bench import options, results
from bench.case import Case, Filters
from bench.commands.run import begun
from bench.errors import TimedOut
from bench.judge.policy import Policy
from bench.judge.stats import LEAST_PROCESSES
from bench.judge.stopping import undecided
from bench.lanes import extra as extra_of
from bench.lanes import lane, main_cases
from bench.measure.assemble import assemble
from bench.measure.engine import Engine, Progress
from bench.measure.journal import Journal
from bench.measure.plan import FAST, RIGOROUS, Plan
from bench.results import Results
from bench.show.progress import progress

BUDGET = 120.0  # seconds
FIRST = FAST + 1  # processes before the first look


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that matter if something is measured."""
    measuring = parser.add_argument_group("without FILE")
    options.add_lane(parser)
    options.add_variants(parser)
    options.add_kernels(parser)
    options.add_measuring(parser)
    measuring.add_argument(
        "--processes",
        type=options.positive,
        metavar="N",
        help=f"at most (default {RIGOROUS}, not below {FAST})",
    )
    measuring.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to keep what is measured")
    measuring.add_argument("--force", action="store_true", help="overwrite that file, and that of --junit")
    measuring.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(budget=BUDGET)


def measure(args: argparse.Namespace, filters: Filters, rules: Policy) -> tuple[Results, str]:
    """What the filters select, measured as fast as the decision allows, and where it is kept."""
    most = max(FAST, args.processes or RIGOROUS)
    args.processes, args.filters = min(most, FIRST), []
    target, journal = begun(args, chosen(args, filters))
    with lane(args.lane).kept_machine(), progress(args.quiet) as display:
        measured, out_of_time = measure_adaptively(journal, rules, most, display)
    if measured.runs:
        results.save(measured, target.result, args.force)
    if out_of_time and _lacking(measured):
        raise TimedOut(
            f"the budget of {args.budget:g} s was spent before every case had {LEAST_PROCESSES} processes; "
            f"what was measured is in {target.journal}; give a larger --budget, or filters"
        )
    return measured, f"\nwrote {target.result}\n"


def measure_adaptively(journal: Journal, rules: Policy, most: int, display: Progress) -> tuple[Results, bool]:
    """Measure what the journal plans, what is undecided in `most` processes at most; was the budget spent?

    Blocks that were disturbed are undecided, and so measured again only as often as the decision needs.
    """
    plan, settings, header = journal.header()
    engine = Engine(plan, settings, journal, display)
    state = engine.run(replace=False)
    while True:
        every = dataclasses.replace(settings, processes=most)
        measured = assemble(plan, every, state, {**header["metadata"], **state.facts})
        wanted = _blocks(plan, undecided(measured, rules))
        wanted = [number for number in wanted if engine.done[number] < most]
        if not wanted or engine.out_of_time:
            return measured, engine.out_of_time
        state = engine.more(wanted, most)


def _blocks(plan: Plan, groups: set[Case]) -> list[int]:
    return [
        number
        for number, block in enumerate(plan.blocks)
        if not groups.isdisjoint(Case.parse(name).group for name in block.cases)
    ]


def _lacking(measured: Results) -> bool:
    unmeasured = any("budget" in reason for reason in measured.failed.values())
    return unmeasured or any(len(runs) < LEAST_PROCESSES for runs in measured.runs.values())


def chosen(args: argparse.Namespace, filters: Filters) -> list[Case]:
    """What to measure: the filters' cases, or the main ones; with the bases of users' variants."""
    module = lane(args.lane)
    extra = extra_of(module, args)
    if args.lane != "model":
        return filters.select(module.cases(extra, filters)) if filters else main_cases(module, extra)
    every = module.cases(extra)
    main = module.main_cases()
    if extra:
        bases = {name: file.base for name, file in module.found(extra).items() if name in extra}
        variants = {*bases, *filter(None, bases.values())}
        calls = {case.op for case in main}
        main = [
            case
            for case in every
            if case.get("variant") in variants and case.op in calls and case.get("path") != "pmd"
        ]
    if not filters:
        return main
    selected = filters.select(main if not filters.values("variant") and extra else every)
    known = set(every)
    bases_of = {case: case.but(variant=bases.get(case.get("variant"))) for case in selected} if extra else {}
    return list(dict.fromkeys([*selected, *(base for base in bases_of.values() if base in known)]))
