"""The gate: every judged pair of a result file with its verdict, by the policy's margins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.case import Case, Filters
from bench.errors import Untrusted, UsageError
from bench.judge.boots import Boots
from bench.judge.controls import Controls, controls
from bench.judge.evidence import Evidence, above_floor, between, within
from bench.judge.flags import by_placement
from bench.judge.holm import holm
from bench.judge.pairs import OLDER, Pair, absent, gated, pairs
from bench.judge.policy import Margin, Policy
from bench.judge.stats import Comparison, Note, Samples
from bench.judge.stats_margin import ALPHA, detectable, processes_needed
from bench.judge.stats_rank import attainable_p
from bench.judge.trust import Doubt, distrust
from bench.judge.verdict import Verdict, decide, exit_code
from bench.results import Results

Find = Callable[[Pair, Margin], Evidence | None]
LANE_OF = {"call": "model", "scenario": "model", "live": "live", "vm": "vm"}  # by level of the case
SAME_MACHINE = "cpu_model_name"  # ratios do not carry over to another CPU


@dataclass(frozen=True)
class Judged:
    """One pair with its verdict and what it rests on."""

    pair: Pair
    verdict: Verdict
    margin: Margin
    comparison: Comparison | None = None
    p: float = 1.0  # of being beyond the margin, after Holm
    detectable: float | None = None  # the true change that would be seen nine times in ten, a fraction
    needed: int | None = None  # processes that would decide an INCONCLUSIVE
    notes: tuple[Note, ...] = ()
    boots: Boots | None = None  # of counts compared with those of an older file


@dataclass(frozen=True)
class Ruling:
    """All verdicts of a gate: those that count, and those that are only shown."""

    judged: tuple[Judged, ...]
    shown: tuple[Judged, ...]
    controls: Mapping[Case, Controls]
    absent: int = 0  # cases that were planned and of which the file knows nothing
    against: str = ""  # the older file, if there is one
    remarks: tuple[str, ...] = ()  # what to know of the comparison as a whole

    def exit_code(self, strict: bool = False) -> int:
        """What the program ends with (README, "Exit codes")."""
        lacking = [Verdict.MISSING] if self.absent else []
        return exit_code([*lacking, *(item.verdict for item in self.judged)], strict)

    @property
    def exact(self) -> bool:
        """Are counts compared with those of an older file?"""
        return any(item.pair.file for item in (*self.judged, *self.shown))

    @property
    def processes(self) -> int:
        """The most processes that a verdict rests on; of counts there are boots instead."""
        return max((len(item.comparison.log_ratios) for item in self.judged if item.comparison), default=0)


def judge(
    results: Results, policy: Policy, filters: Filters | None = None, about: str | None = None
) -> Ruling:
    """The verdicts of a run judged within itself; `about` PATH or BASE leaves the other pairs out."""
    samples = Samples(results)
    court = Court(samples, policy, lambda pair, margin: within(samples, pair, margin))
    return court.ruling([pair for pair in pairs(results, filters) if about in (None, pair.about)])


def judge_against(
    results: Results, old: Results, name: str, policy: Policy, filters: Filters | None = None
) -> Ruling:
    """The verdicts on how each pair's ratio differs from the one in an older run called `name`."""
    check_same(results, old, name, ("lane", "figure", SAME_MACHINE))
    new, before = Samples(results), Samples(old)
    court = Court(new, policy, lambda pair, margin: between(new, before, pair, margin), before, name)
    return court.ruling(_common(pairs(results, filters), old, name, filters))


def _common(found: Sequence[Pair], old: Results, name: str, filters: Filters | None) -> list[Pair]:
    """Pairs of either file: what only the new one has is shown, what only the old one has is missing."""
    before = [pair for pair in pairs(old) if pair.case in old.runs and pair.base in old.runs]
    known = {(pair.case, pair.base) for pair in before}
    here = {(pair.case, pair.base) for pair in found}
    new = [
        pair if (pair.case, pair.base) in known else replace(pair, why_not=f"not in {name}") for pair in found
    ]
    gone = [
        p for p in gated(before) if (p.case, p.base) not in here and (not filters or filters.match(p.case))
    ]
    return [*new, *gone]


def check_same(results: Results, old: Results, name: str, keys: Sequence[str]) -> None:
    """UsageError unless both files have the same metadata under the keys; `name` is the older file's."""
    for key in keys:
        one, other = (str(file.metadata.get(key, "")) for file in (results, old))
        if one != other:
            raise UsageError(
                f"{name}: its {key} is {other or 'unknown'!r}, not {one or 'unknown'!r}: ratios of the two "
                "cannot be compared; measure both on the same kind of machine"
            )


def margin_of(results: Results, policy: Policy, case: Case) -> Margin:
    """The policy's margin for a case of this file."""
    lane = LANE_OF[case.level]
    figure = str(results.metadata.get("figure", "instructions" if lane == "vm" else "time"))
    return policy.margin(figure, lane, case)


class Court:
    """What all verdicts of one gate share; `find` gives the evidence for a pair, None where there is none."""

    def __init__(
        self, samples: Samples, policy: Policy, find: Find, old: Samples | None = None, against: str = ""
    ) -> None:
        for file in (samples.results, *([old.results] if old else [])):
            if file.unpaired:
                raise UsageError(
                    "an unpaired file (of the plain pyperf script) allows no verdict: drift would be taken "
                    "for a difference; measure with `rmapbench run`"
                )
        self.samples, self.results, self.policy = samples, samples.results, policy
        self.find, self.old, self.against = find, old, against
        self.controls = controls(samples)
        self.old_controls = controls(old) if old else {}

    def ruling(self, found: Sequence[Pair]) -> Ruling:
        """Evidence for all pairs, Holm over those that are judged, verdicts.

        Of older generations order 0 is shown: reports have the rest.
        """
        found = [pair for pair in found if pair.why_not != OLDER or pair.case.order == 0]
        if not gated(found):
            raise Untrusted(
                "nothing to judge: the cases selected have no pair of batched and per-page, and no base, in "
                "the file; measure more (`rmapbench list`), or compare with an older file of them "
                "(`gate NEW --baseline OLD`)"
            )
        evidence = {pair: self.find(pair, self._margin(pair.case)) for pair in found}
        self._could_fire([item for pair, item in evidence.items() if item and not pair.why_not])
        tested = [pair for pair in gated(found) if (item := evidence[pair]) and item.usable]
        p_values = [evidence[pair].tests.above for pair in tested]  # type: ignore[union-attr]
        adjusted = dict(zip(tested, holm(p_values)))
        judged = [self._judged(pair, evidence[pair], adjusted.get(pair), len(tested)) for pair in found]
        return Ruling(
            tuple(item for item in judged if not item.pair.why_not),
            tuple(item for item in judged if item.pair.why_not),
            self.controls, absent(self.results), self.against,
        )  # fmt: skip

    def _margin(self, case: Case) -> Margin:
        return margin_of(self.results, self.policy, case)

    def _could_fire(self, evidence: Sequence[Evidence]) -> None:
        """Refuse a gate that no difference, however large, could turn red."""
        if not evidence or any(item.usable for item in evidence):
            return
        most = max(evidence, key=lambda item: item.processes)
        if most.boots:
            raise Untrusted(
                f"this gate could never fire: {most.too_few.text}, not {most.too_few.detail}; measure "
                "without --fast, or with --processes 6"
            )
        raise Untrusted(
            f"this gate could never fire: {most.processes} processes with enough quiet rounds attain p = "
            f"{attainable_p(most.processes):.3g} at best, above {ALPHA:g}; measure 5 or more, 8 are usual"
        )

    def _judged(self, pair: Pair, item: Evidence | None, adjusted: float | None, family: int) -> Judged:
        if item is None:
            return Judged(pair, Verdict.MISSING, self._margin(pair.case), notes=(self._missing(pair),))
        if not item.usable:
            return Judged(
                pair, Verdict.UNMEASURABLE, item.margin, item.comparison,
                notes=(item.too_few,), boots=item.boots,
            )  # fmt: skip
        adjusted = item.tests.above if adjusted is None else adjusted
        alpha = ALPHA / max(1, family)
        seen = math.expm1(item.limit + detectable(item.estimate, alpha))
        judged = Judged(
            pair, decide(item.tests, adjusted, item.doubts), item.margin, item.comparison, adjusted, seen,
            boots=item.boots,
        )  # fmt: skip
        return self._explained(judged, item, alpha)

    def _explained(self, judged: Judged, item: Evidence, alpha: float) -> Judged:
        """With distrust, and with what is to be known of a REGRESSED or an INCONCLUSIVE."""
        doubt = self._distrust(item.pair)
        if doubt and not doubt.spares(item.comparison.interval, item.limit):
            return replace(judged, verdict=Verdict.UNTRUSTED, notes=(doubt.note,))
        if judged.verdict == Verdict.REGRESSED:
            spread = None if item.boots else by_placement(self.samples, item.pair, item.limit)
            return replace(judged, notes=(spread,) if spread else ())
        if judged.verdict != Verdict.INCONCLUSIVE:
            return judged
        if judged.p <= ALPHA and item.doubts:
            return replace(judged, notes=item.doubts)
        distance = item.estimate.mean - item.limit
        needed = processes_needed(item.comparison.sd, distance, alpha if distance > 0 else ALPHA)
        doubts = [note for note in item.doubts if note.word == "LAYOUT"]  # may be why it is undecided
        return replace(judged, needed=needed, notes=(*doubts, _undecided(item, judged.p, needed)))

    def _distrust(self, pair: Pair) -> Doubt | None:
        for samples, found in ((self.samples, self.controls), (self.old, self.old_controls)):
            if samples is not None:
                group = found[pair.case.group]
                margin = self._margin(pair.case)
                if group.twin:
                    margin = above_floor(samples, Pair(group.twin.case, group.twin.base), margin)
                if doubt := distrust(group, margin.value):
                    return doubt
        return None

    def _missing(self, pair: Pair) -> Note:
        for case in (pair.case,) if pair.file else (pair.case, pair.base):
            if case.name in self.results.failed:
                return Note("MISSING", self.results.failed[case.name])
            if case not in self.samples:
                return Note("MISSING", f"not in the file: {case.name}")
        return Note("MISSING", f"not in {self.against}")


def _undecided(item: Evidence, adjusted: float, needed: int | None) -> Note:
    if adjusted <= ALPHA or item.tests.below <= ALPHA:
        return Note("RANKS", "the t test decides, but the ranks of the processes do not confirm it")
    units = "boots of either kernel" if item.boots else "processes"
    about = f"about {needed} {units} would decide" if needed else "too close to the margin to be decided"
    return Note("INCONCLUSIVE", "neither shown to be beyond the margin nor within it", about)
