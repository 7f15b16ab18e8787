"""The verdict column of reports: what the gate says of the comparison that a row shows."""

from __future__ import annotations

from bench.judge import gate, policy
from bench.results import Results
from bench.show.report import Column
from bench.show.rows import Row
from bench.show.table import NONE


def verdict_column(results: Results, margins: policy.Policy | None = None) -> Column:
    """Verdicts, by this tree's policy or another, over the whole file; BenchError where there are none."""
    return column_of(gate.judge(results, margins or policy.load()))


def column_of(ruling: gate.Ruling) -> Column:
    """The verdicts of a ruling."""
    verdicts = {(item.pair.case, item.pair.base): str(item.verdict) for item in ruling.judged}

    def cell(row: Row) -> str:
        found = row.comparison
        return verdicts.get((found.case, found.base), NONE) if found else NONE

    return Column("verdict", cell)
