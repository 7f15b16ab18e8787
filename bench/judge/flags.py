"""Flags: reasons to doubt that a difference, though it is there, is the code's."""

from __future__ import annotations

import math

import numpy as np

from bench.judge.estimate import Estimate, at_placements
from bench.judge.pairs import Pair
from bench.judge.stats import DISTURBED, Note, Sample, Samples, differing, paired_logs
from bench.judge.stats_margin import ALPHA, p_below


def flags(samples: Samples, pair: Pair, margin: float) -> list[Note]:
    """STATE, SHAPE and LAYOUT, where they apply; `margin` is of the log ratio."""
    sample, base = samples[pair.case], samples[pair.base]
    found = [state(sample, base, margin), layout(samples, pair, margin)]
    if pair.case.meaning("threads") == "1":  # contended atomics have no meaningful minimum
        found.append(shape(sample, base, margin))
    return [note for note in found if note]


def state(sample: Sample, base: Sample, margin: float) -> Note | None:
    """Does the estimate depend on leaving out the rounds in which the machine was disturbed?"""
    kept, every = paired_logs(sample, base), paired_logs(sample, base, dropping=False)
    if not kept or not every:
        return None
    return _beyond("STATE", DISTURBED, float(np.mean(list(every.values()))), kept, margin)


def shape(sample: Sample, base: Sample, margin: float) -> Note | None:
    """Do the quickest rounds tell of another difference than the median round?

    Note: by the median over processes. Where the clock has steps, the quickest round of one arm may be the
    only one at a quicker step: +10 % in one process of six was seen, where the others had +2.4 %.
    """
    logs = paired_logs(sample, base)
    if not logs:
        return None
    least = {process: math.log(_quickest(sample, process) / _quickest(base, process)) for process in logs}
    shift = float(np.median([least[process] - log for process, log in logs.items()]))
    text = "the quickest rounds tell another difference than the usual ones"
    return _beyond("SHAPE", text, float(np.mean(list(logs.values()))) + shift, logs, margin)


def _quickest(sample: Sample, process: int) -> float:
    return float(np.min(sample.values[process][sample.kept[process]]))


def _beyond(word: str, text: str, other: float, logs: dict[int, float], margin: float) -> Note | None:
    """The note, if the other estimate lies further than the margin from that of the processes."""
    estimate = float(np.mean(list(logs.values())))
    return differing(word, text, other, estimate) if abs(other - estimate) > margin else None


def layout(samples: Samples, pair: Pair, margin: float) -> Note | None:
    """Is the difference beyond the margin at some code placements, and shown to be within it at as many?

    Processes say at which placement they ran in their metadata; files that have one placement say nothing.

    Note: one placement of four that hides a difference is no doubt of it. The estimate is the mean over
    placements, and a cost of 2.3 % was here -0.6, 2.2, 2.3 and 5.0 % at the four of them.
    """
    estimates = _at_placements(samples, pair)
    within = [p_below(estimate, margin) <= ALPHA for estimate in estimates]
    if 2 * sum(within) < len(within) or not any(estimate.mean > margin for estimate in estimates):
        return None
    text = "the difference is there at some placements of the code only"
    return Note("LAYOUT", text, f"{within.count(False)} of {len(within)}")


def by_placement(samples: Samples, pair: Pair, margin: float) -> Note | None:
    """What the difference is at each placement, where one of them alone would say something else."""
    estimates = _at_placements(samples, pair)
    if not any(p_below(estimate, margin) <= ALPHA for estimate in estimates):
        return None
    changes = sorted(math.expm1(estimate.mean) for estimate in estimates)
    text = "on average over placements of the code, between which it differs"
    return Note("PLACEMENT", text, " ".join(f"{change:+.1%}" for change in changes))


def _at_placements(samples: Samples, pair: Pair) -> list[Estimate]:
    logs = paired_logs(samples[pair.case], samples[pair.base])
    return list(at_placements(logs, samples[pair.case].placements).values())
