"""How good the gate is, as a table: false alarms and detections, its own and those of plainer tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.judge.quality import SAME, Rate, Record, Trial
from bench.judge.verdict import Verdict
from bench.show.table import NONE, Table, percent, wrap


def render(record: Record) -> str:
    """Everything in the record."""
    if not record.trials:
        return "no gate was tried yet\n"
    kinds = sorted({(trial.target != SAME, trial.size, trial.target) for trial in record.trials})
    rows = [_row(target, size, record.of(target, size)) for _, size, target in kinds]
    sizes = sorted({trial.size for trial in record.trials if trial.target != SAME})
    for size in sizes:
        every = [trial for trial in record.trials if trial.target != SAME and trial.size == size]
        rows.append(_row("all of these", size, every))
    header = ("what is slower", "gates", "true", "red", "95 %", "M.-W.", "pyperf")
    table = Table("How often a gate at order 0 goes red", header, tuple(rows), tuple(_notes(record.trials)))
    return table.text()


def _row(target: str, size: float, trials: Sequence[Trial]) -> tuple[str, ...]:
    same = target == SAME
    hits = _red_anywhere if same else _red_target
    rate = Rate(sum(map(hits, trials)), len(trials))
    true = NONE if same else percent(float(np.mean([trial.change for trial in trials])), 2)
    name = SAME if same else f"{target} {size:+g} %"
    bounds = f"[{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]"
    plain = (_share(trials, lambda t: t.mann_whitney, same), _share(trials, lambda t: t.pyperf, same))
    return (name, str(rate.of), true, f"{100 * rate.share:.1f} %", bounds, *plain)


def _red_anywhere(trial: Trial) -> bool:
    return bool(trial.alarms)


def _red_target(trial: Trial) -> bool:
    return trial.verdict == Verdict.REGRESSED


def _share(trials: Sequence[Trial], slower: Callable[[Trial], Sequence[str]], same: bool) -> str:
    hits = [bool(slower(trial)) if same else trial.case in slower(trial) for trial in trials]
    return f"{100 * sum(hits) / len(hits):.1f} %"


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
