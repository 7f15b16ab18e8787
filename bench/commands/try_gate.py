"""`rmapbench try-gate`: how often the gate alarms without cause on this machine, and sees a cause."""

from __future__ import annotations

import argparse
import dataclasses
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import options, results
from bench.case import Case
from bench.commands import adaptive
from bench.errors import Interrupted, Untrusted, UsageError
from bench.judge import gate, policy
from bench.judge.pairs import BASE
from bench.judge.quality import SAME, Injection, Record, Trial, pooled_mann_whitney
from bench.judge.stats import Samples
from bench.judge.verdict import UNUSABLE, Verdict
from bench.lanes import lane
from bench.lanes.model.injection import ORIGINAL, copied
from bench.measure import environment
from bench.measure.affinity import usable_cpus
from bench.measure.journal import Journal
from bench.measure.plan import RIGOROUS, Settings
from bench.results import Results
from bench.show import quality
from bench.show.progress import progress

TRIED = "tried"  # the variant's name
PROBE = 64  # folios of 1024 that cost more at the first try
PROBES = 12  # processes of a try
TRIES = 4
NEAR = 0.25  # of the size asked for, that the true one may differ
SLOWER = re.compile(r"^(?:- )?(\S+): Mean .* slower$", re.MULTILINE)
EXAMPLES = """examples:
  rmapbench try-gate -o gate.jsonl --for 240       four minutes of it; repeat to go on
  rmapbench try-gate -o gate.jsonl --same 200 --slower 100 --size 2,5
  rmapbench try-gate -o gate.jsonl --same 0 --slower 0 --chart gate.svg    only show what is there
"""


class Target(NamedTuple):
    """A function to make slower, and the case at which that is looked for."""

    function: str
    case: Case


def _case(op: str, kind: str, state: str) -> Case:
    return Case.of("call", op, kind=kind, state=state, variant=TRIED, path="pte", order=0)


TARGETS = {
    "remove": Target("folio_remove_rmap_ptes", _case("remove", "anon", "last")),
    "add_file": Target("folio_add_file_rmap_ptes", _case("add_file", "file", "first")),
    "try_dup_anon": Target("folio_try_dup_anon_rmap_pte", _case("try_dup_anon", "anon", "exclusive")),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", required=True,
        help="record of all trials; goes on where it stopped",
    )  # fmt: skip
    parser.add_argument(
        "--same", type=_count, default=200, metavar="N", help="gates over an equal copy (default 200)"
    )
    parser.add_argument(
        "--slower", type=_count, default=100, metavar="N", help="gates over a slower copy (default 100)"
    )
    parser.add_argument(
        "--size", default="2", metavar="PERCENT[,...]", help="how much slower at order 0 (default 2)"
    )
    parser.add_argument("--for", dest="limit", type=options.seconds, metavar="S", help="stop after S seconds")
    parser.add_argument("--budget", type=options.seconds, default=60.0, metavar="S", help="of one gate")
    options.add_chart(parser, "the rates")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    options.add_thresholds(parser)
    parser.epilog = EXAMPLES


def _count(text: str) -> int:
    return 0 if text == "0" else options.positive(text)


def run(args: argparse.Namespace) -> int:
    """Go on until the numbers asked for are reached or time is up; print the rates."""
    options.check_chart(args)
    rules, sizes = policy.load(args.thresholds), _sizes(args.size)
    record, began = Record(args.output), time.monotonic()
    trier = _Trier(args, rules, record)
    for target, size in _wanted(record, sizes, args.same, args.slower):
        if args.limit and time.monotonic() - began > args.limit:
            break
        try:
            trial = trier.trial(target, size)
        except Interrupted:
            raise Interrupted(
                f"interrupted; {args.output} keeps {len(record.trials)} gates, repeat the command to go on"
            ) from None
        record.add(trial)
        print(quality.line(trial), flush=True)
    print(f"\n{quality.render(record)}", end="")
    if args.chart:
        from bench.show import chart_quality, chart_style

        chart_style.save(chart_quality.quality_chart(record), args.chart, args.force)
        print(f"\nwrote {args.chart}")
    return 0


def _sizes(text: str) -> list[float]:
    try:
        sizes = [float(word) for word in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(0 < size <= 100 for size in sizes):
        raise UsageError(f"--size {text}: expected percents above 0, such as 2,5")
    return sizes


def _wanted(record: Record, sizes: list[float], same: int, slower: int) -> Iterator[tuple[str, float]]:
    """What is tried next, kinds in turn, so that a record that ends early holds some of all."""
    goals = {(SAME, 0.0): same}
    for size in sizes:
        for number, target in enumerate(TARGETS):
            goals[target, size] = slower // len(TARGETS) + (number < slower % len(TARGETS))
    while lacking := {kind: goal for kind, goal in goals.items() if len(record.of(*kind)) < goal}:
        # The kind that is furthest behind, as a part of its goal.
        yield min(lacking, key=lambda kind: len(record.of(*kind)) / lacking[kind])


def next_try(tried: Sequence[Injection], size: float) -> int:
    """Folios that should make `size` percent, on the line through the last two tries or the first and zero.

    Asking whether a folio is dear costs something by itself, so it is not in proportion.
    """
    last = tried[-1]
    before = tried[-2] if len(tried) > 1 else Injection(last.target, size, 0, 0.0)
    slope = (last.true - before.true) / (last.extra - before.extra)
    return max(1, round(last.extra + (size - last.true) / slope)) if slope > 0 else 1


class _Trier:
    """Makes copies, measures them against the original, judges; adds to the record what it learns."""

    def __init__(self, args: argparse.Namespace, rules: policy.Policy, record: Record) -> None:
        self.args, self.rules, self.record = args, rules, record
        self.module = lane("model")
        self.directory = args.output.with_name(args.output.name + ".variants")
        self.filters = options.filters(args)
        self.facts = environment.collect()
        self.compiled: set[Path] = set()
        if not record.trials and not record.injections:
            record.add(dict(self.facts))

    def trial(self, target: str, size: float) -> Trial:
        """One gate, as `rmapbench gate order=0 --variant` makes it."""
        path = self._variant(target, size)
        began, seed = time.monotonic(), len(self.record.trials) + 1
        measured = self._gate(path, adaptive.FIRST, RIGOROUS, seed)
        case = TARGETS[target].case if target != SAME else None
        name = case.but(variant=None).name if case else ""
        try:
            ruling = gate.judge(measured, self.rules, about=BASE)
        except Untrusted:  # no pair has enough quiet rounds
            return Trial(target, size, seed, round(time.monotonic() - began, 2), 0, 0, (), name, unusable=1)
        seconds = round(time.monotonic() - began, 2)
        hit = next((item for item in ruling.judged if item.pair.case == case), None)
        pairs = [(item.pair.case, item.pair.base) for item in ruling.judged if item.comparison]
        return Trial(
            target, size, seed, seconds, ruling.processes, len(ruling.judged),
            tuple(item.pair.case.name for item in ruling.judged if item.verdict == Verdict.REGRESSED),
            name, str(hit.verdict) if hit else "", hit.comparison.change if hit and hit.comparison else 0.0,
            tuple(note.word for note in hit.notes) if hit else (),
            sum(item.verdict in UNUSABLE for item in ruling.judged),
            pooled_mann_whitney(Samples(measured), pairs), _pyperf(measured, pairs),
        )  # fmt: skip

    def _gate(self, path: Path, first: int, most: int, seed: int) -> Results:
        """The copy against the original, at order 0 of all calls."""
        chosen = self._cases({TRIED: path}, {TRIED, ORIGINAL})
        return self._measured(
            {TRIED: path}, chosen, Settings(first, seed=seed, budget=self.args.budget), most
        )

    def _variant(self, target: str, size: float) -> Path:
        """The copy, compiled: what compiling takes is no gate's time."""
        if target == SAME:
            path = self._written("same", copied())
        else:
            injection = self.record.injections.get((target, size)) or self._injected(target, size)
            path = self._copy(target, injection.extra)
        if path not in self.compiled:
            self._gate(path, 1, 1, 0)
            self.compiled.add(path)
        return path

    def _injected(self, target: str, size: float) -> Injection:
        """Try numbers of dearer folios until one makes the target about that much slower, and record it."""
        extra, tried = PROBE, list[Injection]()
        while extra not in [found.extra for found in tried] and len(tried) < TRIES:
            tried.append(Injection(target, size, extra, 100 * self._change(target, extra)))
            extra = next_try(tried, size)
        best = min(tried, key=lambda found: abs(found.true - size))
        if not size * (1 - NEAR) <= best.true <= size * (1 + NEAR):
            raise UsageError(
                f"--size {size:g}: {target} gets slower by {best.true:.1f} % and not by that; take another,"
                " or a quieter machine"
            )
        self.record.add(best)
        return best

    def _change(self, target: str, extra: int) -> float:
        """How much slower the target's case is with so many dearer folios, a fraction."""
        case = TARGETS[target].case
        copies = {TRIED: self._copy(target, extra)}
        chosen = [c for c in self._cases(copies, {TRIED, ORIGINAL}) if c.op == case.op]
        samples = Samples(self._measured(copies, chosen, Settings(PROBES), PROBES))
        return samples.compare(case, case.but(variant=ORIGINAL)).change

    def _copy(self, target: str, extra: int) -> Path:
        return self._written(f"{target}-{extra}", copied(TARGETS[target].function, extra))

    def _path(self, name: str) -> Path:
        return (self.directory / f"{name.replace('-', '_')}.py").resolve()

    def _written(self, name: str, source: str) -> Path:
        """A file that stays, at the same place: the compiler's cache knows it by that."""
        path = self._path(name)
        try:
            self.directory.mkdir(exist_ok=True)
            path.write_text(source)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another -o") from None
        return path

    def _cases(self, extra: dict[str, Path], variants: set[str]) -> list[Case]:
        listed = [case for case in self.module.cases(extra) if case.order == 0]
        chosen = (self.filters or self.module.UNASKED).select(listed)
        return [case for case in chosen if case.get("variant") in variants]

    def _measured(self, extra: dict[str, Path], chosen: list[Case], settings: Settings, most: int) -> Results:
        self.module.prepare(chosen, extra)
        plan = self.module.plan(chosen, extra)
        settings = dataclasses.replace(settings, cpus=tuple(usable_cpus()[: self.module.PACE.workers]))
        header = {"metadata": dict(self.facts)}
        with tempfile.TemporaryDirectory() as scratch, progress(self.args.quiet) as display:
            journal = Journal.create(Path(scratch) / "journal", plan, settings, header)
            return adaptive.measure_adaptively(journal, self.rules, most, display)[0]


def _pyperf(measured: Results, pairs: list[tuple[Case, Case]]) -> tuple[str, ...]:
    """Cases that `pyperf compare_to` calls slower, if base and copy are given to it as two files."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / "base.json", Path(scratch) / "tried.json"]
        for place, path in enumerate(reversed(files)):
            runs = {pair[0].but(variant=None): measured.runs[pair[place]] for pair in pairs}
            results.save(Results(runs, {}), path)
        command = [sys.executable, "-m", "pyperf", "compare_to", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UsageError(f"pyperf compare_to failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return tuple(SLOWER.findall(done.stdout))
