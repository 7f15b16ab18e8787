"""From the journal to results: which processes count, and what is kept about each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.case import Case
from bench.measure.engine import yardstick_column
from bench.measure.journal import ProcessBlock, State
from bench.measure.plan import Block, Plan, Settings
from bench.measure.rounds import MIN_ROUNDS, kept_rounds
from bench.results import ProcessRun, Results


def assemble(plan: Plan, settings: Settings, state: State, metadata: dict[str, Any]) -> Results:
    """Results of everything that was measured completely; what failed is listed with its reason."""
    results = Results({}, dict(metadata), {})
    for number, block in enumerate(plan.blocks):
        processes = _chosen(plan, settings, number, state)
        reasons = {arm: reason for (at, arm), reason in state.failed.items() if at == number}
        for index, arm in enumerate(block.arms):
            for case in filter(None, arm.cases):
                if index in reasons:
                    results.failed[case] = reasons[index]
                elif not processes:
                    results.failed[case] = "not measured: the budget was spent"
        for case, position, index in _columns(block):
            if index not in reasons and processes:
                tuning = state.tuning[number][index]
                runs = [_run(p, m, position, block, index, tuning) for p, m in enumerate(processes)]
                results.runs[Case.parse(case)] = runs
    results.metadata["expected_cases"] = sum(len(block.cases) for block in plan.blocks)
    return results


def _columns(block: Block) -> list[tuple[str, int, int]]:
    """(case name, its position in a round's values, its arm) for every case of the block."""
    columns, position = [], 0
    for index, arm in enumerate(block.arms):
        for case in arm.cases:
            if case:
                columns.append((case, position, index))
            position += 1
    return columns


def _chosen(plan: Plan, settings: Settings, number: int, state: State) -> list[ProcessBlock]:
    """The complete processes, those the yardstick left enough rounds of first, as many as were wanted."""
    measured = [m for _, m in sorted(state.done.get(number, {}).items()) if m.complete]
    column = yardstick_column(plan, number)
    if column is not None and measured:
        kept = kept_rounds([[row[column] for row in m.rounds] for m in measured])
        disturbed = [sum(mask) < MIN_ROUNDS for mask in kept]
        measured = [m for _, m in sorted(zip(disturbed, measured), key=lambda pair: pair[0])]
    return measured[: settings.processes]


def _run(process: int, measured: ProcessBlock, position: int, block: Block, index: int, tuning: Any) -> ProcessRun:
    met: Counter[str] = Counter()
    for moved in measured.met:
        met.update(moved)
    facts: dict[str, Any] = {
        **block.arms[index].spec.get("metadata", {}),
        **tuning.get("metadata", {}),
        **{name: round(count, 6) for name, count in met.items()},
        "disturbed_rounds": sum(bool(moved) for moved in measured.met),
    }
    values = [float(row[position] or 0.0) for row in measured.rounds]
    return ProcessRun(process, tuple(values), int(tuning["loops"]), facts)


