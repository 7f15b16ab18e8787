"""From the journal to results: which processes count, and what is kept about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.case import Case
from bench.measure.journal import ProcessBlock, State
from bench.measure.plan import Block, Plan, Settings, yardstick_column
from bench.measure.rounds import MIN_ROUNDS, kept_rounds
from bench.results import ProcessRun, Results


def assemble(plan: Plan, settings: Settings, state: State, metadata: dict[str, Any]) -> Results:
    """Results of everything that was measured completely; what failed is listed with its reason."""
    results = Results({}, dict(metadata), {})
    for number, block in enumerate(plan.blocks):
        processes = _chosen(plan, settings, number, state)
        reasons = {arm: reason for (at, arm), reason in state.failed.items() if at == number}
        for column in _columns(block):
            if column.arm in reasons:
                results.failed[column.case] = reasons[column.arm]
            elif not processes:
                results.failed[column.case] = "not measured: the budget was spent"
            else:
                facts = _facts(block, column, state.tuning[number][column.arm])
                loops = int(state.tuning[number][column.arm]["loops"])
                if reason := _lacking(column, processes):
                    results.failed[column.case] = reason
                    continue
                runs = [_run(p, m, column, loops, facts) for p, m in enumerate(processes)]
                results.runs[Case.parse(column.case)] = runs
    results.metadata["expected_cases"] = sum(len(block.cases) for block in plan.blocks)
    return results


@dataclass(frozen=True)
class _Column:
    """Where a case's values stand: position in a round, arm of the block, position among the arm's cases."""

    case: str
    position: int
    arm: int
    place: int


def _columns(block: Block) -> Iterator[_Column]:
    position = 0
    for index, arm in enumerate(block.arms):
        for place, case in enumerate(arm.cases):
            if case:
                yield _Column(case, position, index, place)
            position += 1


def _chosen(plan: Plan, settings: Settings, number: int, state: State) -> list[ProcessBlock]:
    """The complete processes, those the yardstick left enough rounds of first, as many as were wanted."""
    measured = [m for _, m in sorted(state.done.get(number, {}).items()) if m.complete]
    column = yardstick_column(plan, number)
    if column is not None and measured:
        kept = kept_rounds([[row[column] for row in m.rounds] for m in measured])
        disturbed = [sum(mask) < MIN_ROUNDS for mask in kept]
        measured = [m for _, m in sorted(zip(disturbed, measured), key=lambda pair: pair[0])]
    return measured[: settings.processes]


def _facts(block: Block, column: _Column, tuning: Any) -> dict[str, Any]:
    per_case = tuning.get("per_case", [])
    special = per_case[column.place] if column.place < len(per_case) else {}
    return {**block.arms[column.arm].spec.get("metadata", {}), **tuning.get("metadata", {}), **special}


def _lacking(column: _Column, processes: list[ProcessBlock]) -> str:
    """Why a case is not to be shown although its arm ran: a round of it has no value. Empty if all have."""
    for measured in processes:
        if any(row[column.position] is None for row in measured.rounds):
            return f"UNMEASURABLE: {_told(column, measured).get('unmeasurable', 'a round has no value')}"
    return ""


def _told(column: _Column, measured: ProcessBlock) -> dict[str, Any]:
    return dict(measured.told[column.arm][column.place]) if column.arm in measured.told else {}


def _run(
    process: int, measured: ProcessBlock, column: _Column, loops: int, facts: dict[str, Any]
) -> ProcessRun:
    met: Counter[str] = Counter()
    for moved in measured.met:
        met.update(moved)
    counted = {name: round(count, 6) for name, count in met.items()}
    disturbed = sum("involuntary_switches" in moved for moved in measured.met)
    values = np.array([row[column.position] for row in measured.rounds], dtype=float)
    known = {**facts, **measured.facts, **_told(column, measured)}
    return ProcessRun(process, values, loops, {**known, **counted, "disturbed_rounds": disturbed})
