"""`rmapbench run`: measure the selected cases, save a pyperf file, print the table, draw the charts."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import options, results
from bench.case import Case
from bench.errors import Untrusted, UsageError
from bench.lanes import dry_run, engine, lane, main_cases
from bench.lanes import extra as extra_of
from bench.lanes import pace as pace_of
from bench.measure import environment
from bench.measure.affinity import format_cpu_list, parse_cpu_list, usable_cpus
from bench.measure.assemble import assemble
from bench.measure.journal import Journal
from bench.measure.plan import DEFAULT, FAST, RIGOROUS, Pace, Plan, Settings
from bench.show.progress import progress

EXAMPLES = """examples:
  rmapbench                              the main calls in v6.12 and v6.15
  rmapbench run                          the full call matrix
  rmapbench run remove order=0,4 path=pte,ptes variant=v6.12
  rmapbench run --variant mine=my.py variant=mine,v6.12 -o mine.json
  rmapbench run --fast remove order=0 -o quick.json
  rmapbench run --lane live --fast fork munmap memory=256MiB -o live.json
  rmapbench run --lane vm --kernel old=bzImage.old --kernel new=bzImage fork -o vm.json
  rmapbench run --lane vm --kernel old=bzImage.old --kernel new=bzImage fork --cluster local -o vm.json
  rmapbench run --resume rmapbench-2026-11-23-101500
"""


@dataclass(frozen=True)
class Target:
    """Where a run leaves its files; charts only with a directory of its own."""

    result: Path
    journal: Path
    charts: Path | None


@dataclass(frozen=True)
class Asked:
    """What is to be measured, how much, and where to."""

    target: Target
    settings: Settings
    plan: Plan


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    options.add_lane(parser)
    options.add_variants(parser)
    options.add_kernels(parser)
    options.add_cluster(parser)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--fast", action="store_true", help=f"{FAST} processes; live: 6 of one round; vm: one boot"
    )
    size.add_argument(
        "--rigorous", dest="processes", action="store_const", const=RIGOROUS, help=f"{RIGOROUS} processes"
    )
    size.add_argument(
        "--processes", type=options.positive, metavar="N", help=f"fresh processes (default {DEFAULT})"
    )
    options.add_measuring(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="result file (.json or .json.gz)")
    parser.add_argument("--force", action="store_true", help="overwrite the result file")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="finish a run that was stopped")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="vm lane: boot nothing; write what guests unpack, and print QEMU's commands",
    )
    parser.add_argument("--main", action="store_true", help=argparse.SUPPRESS)
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Measure, save, show; the exit code."""
    if args.dry_run:
        return _dry_run(args)
    target, journal = _resumed(args) if args.resume else begun(args)
    plan, settings, header = journal.header()
    settings = dataclasses.replace(settings, budget=args.budget)  # of a resumed run: for what is left
    module = lane(header["metadata"]["lane"])
    carried_out = engine(module, args.cluster or header.get("cluster"))
    with module.kept_machine(), progress(args.quiet) as display:
        state = carried_out(plan, settings, journal, display).run()
    measured = assemble(plan, settings, state, {**header["metadata"], **state.facts})
    if not measured.runs:
        raise _nothing(measured, journal)
    results.save(measured, target.result, args.force or header["force"])
    _show(measured, target)
    return 0


def _dry_run(args: argparse.Namespace) -> int:
    """Refuse what a run would refuse; else write what its commands read, and print them."""
    if args.resume:
        raise UsageError("--dry-run shows what a new run would do; leave out --resume")
    by_hand = dry_run(args.lane)
    asked = _asked(args)
    directory = args.output.parent if args.output else Path()
    found = by_hand(asked.plan, asked.settings, directory.resolve())
    for one in found:
        results.check_writable(one.file, args.force)
    for one in found:
        results.write_bytes(one.file, one.content, args.force)
        print(f"wrote {one.file}", file=sys.stderr)  # what is printed is for a shell
    print("\n".join(shlex.join(one.command) for one in found))
    return 0


def _nothing(measured: results.Results, journal: Journal) -> Untrusted:
    """The error for a run without a single figure: why, and how to go on."""
    case, reason = next(iter(measured.failed.items()))
    more = f" and {len(measured.failed) - 1} more" if len(measured.failed) > 1 else ""
    return Untrusted(
        f"nothing could be measured ({case}{more}: {reason}); mend that or allow more time, "
        f"then go on with: rmapbench run --resume {journal.directory}"
    )


def begun(args: argparse.Namespace, chosen: Sequence[Case] | None = None) -> tuple[Target, Journal]:
    """A journal for what is to be measured: the `chosen` cases, or those that the arguments select."""
    asked = _asked(args, chosen)
    metadata: dict[str, Any] = {
        **environment.collect(),
        **lane(args.lane).metadata(),
        "lane": args.lane,
        "command": shlex.join(["rmapbench", *sys.argv[1:]]),
        "seed": asked.settings.seed,
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "cpus": format_cpu_list(list(asked.settings.cpus)),
    }
    for remedy in getattr(lane(args.lane), "remedies", list)():
        print(f"not measured: {remedy}", file=sys.stderr)
    target = asked.target
    header = {"metadata": metadata, "output": str(target.result.resolve()), "force": args.force}
    header["cluster"] = getattr(args, "cluster", None)  # where a resumed run goes on, unless told otherwise
    return target, Journal.create(target.journal, asked.plan, asked.settings, header, args.force)


def _asked(args: argparse.Namespace, chosen: Sequence[Case] | None = None) -> Asked:
    """Everything that can be refused is refused here, before anything is measured."""
    module, filters = lane(args.lane), options.filters(args)
    extra = extra_of(module, args)
    if chosen is None:
        asked = filters or module.UNASKED
        chosen = main_cases(module, extra) if args.main else asked.select(module.cases(extra, filters))
    chosen = list(chosen)
    if args.output:
        results.check_writable(args.output, args.force)
    target = _target(args.output)
    pace = _kept_apart(pace_of(module, extra), module, chosen, args)
    settings = _settings(args, pace, module.cpus(usable_cpus()))
    module.prepare(chosen, extra)
    return Asked(target, settings, module.plan(chosen, extra))


def _resumed(args: argparse.Namespace) -> tuple[Target, Journal]:
    journal = Journal(args.resume / "journal" if (args.resume / "journal").is_dir() else args.resume)
    header = journal.header()[2]
    result = Path(header["output"])
    inside = journal.directory.resolve().parent == result.parent and journal.directory.name == "journal"
    if result.exists() and not (args.force or header["force"]):
        raise UsageError(f"{result}: exists already; this run is complete, overwrite it with --force")
    return Target(result, journal.directory, result.parent if inside else None), journal


def _target(output: Path | None) -> Target:
    if output is not None:
        return Target(output, output.with_name(output.name + ".journal"), None)
    directory = Path(time.strftime("rmapbench-%Y-%m-%d-%H%M%S"))
    return Target(directory / "result.json", directory / "journal", directory)


def _kept_apart(pace: Pace, module: ModuleType, chosen: list[Case], args: argparse.Namespace) -> Pace:
    """With as few processes at once as the cases need, where the lane knows; what cannot be is refused."""
    if not hasattr(module, "workers"):
        return pace
    most = min(pace.workers, len(usable_cpus()))
    return dataclasses.replace(pace, workers=module.workers(chosen, most, args.oversubscribe))


def _settings(args: argparse.Namespace, pace: Pace, cpus: list[int]) -> Settings:
    if args.affinity:
        cpus = _chosen(args.affinity, cpus)
        os.sched_setaffinity(0, cpus)  # for what this program starts, guests too
    return Settings(
        processes=args.processes or (pace.fast_processes if getattr(args, "fast", False) else pace.processes),
        rounds=args.rounds or (pace.fast_rounds if getattr(args, "fast", False) else pace.rounds),
        seed=args.seed if args.seed is not None else int(time.time()),
        budget=args.budget,
        timeout=args.timeout or pace.timeout,
        warmups=pace.warmups,
        cpus=tuple(cpus[: pace.workers]),
    )


def _chosen(text: str, cpus: list[int]) -> list[int]:
    """The CPUs that --affinity names; UsageError if it names none, or others than these."""
    try:
        wanted = parse_cpu_list(text)
    except ValueError:
        wanted = []
    if not wanted or set(wanted) - set(cpus):
        raise UsageError(f"--affinity {text}: this process may use CPUs {format_cpu_list(cpus)}")
    return wanted


def _show(measured: results.Results, target: Target) -> None:
    from bench.commands.report import verdicts
    from bench.show import report

    print(report.render_text(measured, extra=verdicts(measured)))
    written = [target.result]
    if target.charts is not None:
        from bench.show import chart

        written += chart.draw_all(measured, target.charts, "chart", charts=chart.AT_ONCE)
    print("\n".join(f"wrote {path}" for path in written))
