"""Why a comparison is not to be relied on: what its samples, its controls and the gate say of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.case import Case
from bench.errors import BenchError
from bench.judge import policy
from bench.judge.controls import controls
from bench.judge.evidence import above_floor
from bench.judge.gate import judge, margin_of
from bench.judge.pairs import OLDER, Pair, only_shown, pairs
from bench.judge.stats import Comparison, Note, Samples
from bench.judge.trust import distrust

NOT_JUDGED = "not judged"
UNDECIDED = "INCONCLUSIVE"  # the interval says that


class Doubts:
    """Those of one result file, by a policy's margins."""

    def __init__(self, samples: Samples, margins: policy.Policy | None = None) -> None:
        self.samples, self.controls = samples, controls(samples)
        self._no_margins: tuple[Note, ...] = ()
        try:
            self.margins: policy.Policy | None = margins or policy.load()
        except BenchError as error:
            self.margins, self._no_margins = None, (Note(NOT_JUDGED, str(error)),)
        found = pairs(samples.results)
        self._why_not = {(pair.case, pair.base): pair.why_not for pair in found if pair.why_not != OLDER}
        self._judged = self._notes_of_gate()

    def _notes_of_gate(self) -> dict[tuple[Case, Case], tuple[Note, ...]]:
        """What the gate says of each pair; nothing of a file that it does not judge."""
        if self.margins is None:
            return {}
        try:
            ruling = judge(self.samples.results, self.margins)
        except BenchError:
            return {}
        items = (*ruling.judged, *ruling.shown)
        return {(item.pair.case, item.pair.base): item.notes for item in items}

    def of(self, found: Comparison) -> tuple[Note, ...]:
        """All of them, each word once."""
        by_word: dict[str, Note] = {}
        for note in self._all(found):
            by_word.setdefault(note.word, note)
        return tuple(by_word.values())

    def _all(self, found: Comparison) -> Iterator[Note]:
        yield from (*found.notes, *self._no_margins)
        pair = (found.case, found.base)
        if pair in self._judged:
            yield from (note for note in self._judged[pair] if note.word != UNDECIDED)
        elif doubt := self._distrust(found):
            yield doubt
        if reason := self._why_not.get(pair) or only_shown(self.samples.results, found.case):
            yield Note(NOT_JUDGED, reason)

    def _distrust(self, found: Comparison) -> Note | None:
        """As the gate has it, of pairs that it does not judge.

        Without an interval nothing is claimed, and only a control that was not seen matters.
        """
        group = self.controls[found.case.group]
        if found.interval is None and (group.positive is None or group.positive.holds):
            return None
        if self.margins is None:
            return None
        try:
            margin = margin_of(self.samples.results, self.margins, found.case)
        except BenchError:
            return None  # a policy without a margin for such figures
        doubt = distrust(group, self._value(group.twin, margin) if group.twin else margin.value)
        if doubt is None or doubt.spares(found.interval, math.log1p(self._value(found, margin))):
            return None
        return doubt.note

    def _value(self, found: Comparison, margin: policy.Margin) -> float:
        """The margin of a comparison, a fraction."""
        return above_floor(self.samples, Pair(found.case, found.base), margin).value
