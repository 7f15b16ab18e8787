"""How good the gate is, as a table: false alarms and detections, its own and those of plainer tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.judge.quality import SAME, Rate, Record, Trial
from bench.judge.verdict import Verdict
from bench.show.table import NONE, Table, percent, wrap


@dataclass(frozen=True)
class Row:
    """One kind of gate, and how often each judge went red."""

    name: str
    same: bool  # is nothing slower?
    true: float | None  # mean change of the slower case, a fraction
    rates: Mapping[str, Rate]  # by judge: gate, mann_whitney, pyperf


def rows(record: Record) -> list[Row]:
    """Equal copies first, then each slower call, then all of a size together."""
    kinds = sorted({(trial.target != SAME, trial.size, trial.target) for trial in record.trials})
    found = [_row(target, size, record.of(target, size)) for _, size, target in kinds]
    for size in sorted({size for slower, size, _ in kinds if slower}):
        every = [trial for trial in record.trials if trial.target != SAME and trial.size == size]
        found.append(_row("all of these", size, every))
    return found


def _row(target: str, size: float, trials: Sequence[Trial]) -> Row:
    same = target == SAME
    red = {
        "gate": [bool(t.alarms) if same else t.verdict == Verdict.REGRESSED for t in trials],
        "mann_whitney": [bool(t.mann_whitney) if same else t.case in t.mann_whitney for t in trials],
        "pyperf": [bool(t.pyperf) if same else t.case in t.pyperf for t in trials],
    }
    rates = {judge: Rate(sum(hits), len(hits)) for judge, hits in red.items()}
    true = None if same else float(np.mean([trial.change for trial in trials]))
    return Row(SAME if same else f"{target} {size:+g} %", same, true, rates)


def render(record: Record) -> str:
    """Everything in the record."""
    if not record.trials:
        return "no gate was tried yet\n"
    header = ("what is slower", "gates", "true", "red", "95 %", "M.-W.", "pyperf")
    lines = tuple(_cells(row) for row in rows(record))
    return Table("How often a gate at order 0 goes red", header, lines, tuple(_notes(record.trials))).text()


def _cells(row: Row) -> tuple[str, ...]:
    rate = row.rates["gate"]
    true = NONE if row.true is None else percent(row.true, 2)
    bounds = f"[{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]"
    shares = {judge: f"{100 * rate.share:.1f} %" for judge, rate in row.rates.items()}
    return (row.name, str(rate.of), true, shares["gate"], bounds, shares["mann_whitney"], shares["pyperf"])


def _notes(trials: Sequence[Trial]) -> list[str]:
    seconds = [trial.seconds for trial in trials]
    processes = [trial.processes for trial in trials]
    unusable, judged = sum(t.unusable for t in trials), sum(t.judged for t in trials)
    return [
        f"a gate: {np.median(seconds):.1f} s (at most {max(seconds):.1f}), {np.median(processes):.0f} "
        f"processes (at most {max(processes)}), {max(trial.judged for trial in trials)} pairs judged",
        f"pairs without a verdict to be trusted: {unusable} of {judged}",
        "red: of the same code, any pair REGRESSED; else the pair that is slower. M.-W. (Mann-Whitney) and "
        "pyperf compare_to judge the same values, and have no margin: slower is whatever is significant",
    ]


def line(trial: Trial) -> str:
    """One trial, as soon as it is over."""
    what = trial.target if trial.target == SAME else f"{trial.target} {trial.size:+g} %: {trial.verdict}"
    found = f"{percent(trial.change, 2)}, " if trial.target != SAME else ""
    alarms = f"{len(trial.alarms)} of {trial.judged} red"
    return wrap(f"{what}: {found}{alarms}, {trial.processes} processes, {trial.seconds:.1f} s")
