"""Verdicts as lines that every output of the gate is made of: a name, a verdict, a sentence, the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.judge.boots import Boots
from bench.judge.counts import CountJudged, CountRuling
from bench.judge.gate import Judged, Ruling
from bench.judge.stats import Note
from bench.judge.verdict import UNUSABLE, Verdict
from bench.show.figures import instructions
from bench.show.table import interval, percent

Figure = str | int | float | None
FINE = (Verdict.OK, Verdict.FASTER)
EXIT_WORDS = {0: "passed", 3: "REGRESSED", 5: "INCONCLUSIVE under --strict", 6: "no verdict to be trusted"}


@dataclass(frozen=True)
class Line:
    """One verdict, ready for any format."""

    name: str
    verdict: Verdict
    said: str
    judged: bool = True  # else only shown
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Does it alone make the gate fail, without --strict?"""
        return self.judged and self.verdict in (Verdict.REGRESSED, *UNUSABLE)


def lines(ruling: Ruling | CountRuling) -> list[Line]:
    """All lines of a ruling, the judged ones first."""
    if isinstance(ruling, CountRuling):
        return [_of_counts(item) for item in ruling.judged] + [_new(name) for name in ruling.new]
    found = [_of_time(item, True) for item in ruling.judged]
    found += [_of_time(item, False) for item in ruling.shown]
    if ruling.absent:
        said = f"{ruling.absent} planned cases are neither measured nor listed as failed"
        found.append(Line("planned cases", Verdict.MISSING, said))
    return found


def _of_time(item: Judged, judged: bool) -> Line:
    found = item.comparison
    bounds = found.change_interval if found else None
    figures: dict[str, Figure] = {
        "margin": item.margin.value,
        "change": found.change if found else None,
        "low": bounds.low if bounds else None,
        "high": bounds.high if bounds else None,
        "p": item.p if found else None,
        "detectable": item.detectable,
        "processes": len(found.log_ratios) if found else None,
        "processes_needed": item.needed,
        **(_of_boots(item.boots) if item.boots else {}),
    }
    return Line(item.pair.name, item.verdict, said_of(item), judged, figures)


def _of_boots(boots: Boots) -> dict[str, Figure]:
    """Instructions a page before and now, the median over boots; over how many of them."""
    base, new = (round(1e9 * float(np.median(side)), 6) for side in (boots.base, boots.new))
    told = {"instructions": new, "base_instructions": base, "repeatability": boots.repeatability}
    return {**told, "processes": min(boots.number)}


def said_of(item: Judged) -> str:
    """What was found, in one line: +2.3 % [+2.0, +2.6], margin 1 %, p = 0.0004 after Holm."""
    words = []
    if item.boots and item.comparison:
        words += [boots_words(item.boots), percent(item.comparison.change), repeats(item.boots)]
    elif item.comparison:
        bounds = item.comparison.change_interval
        words.append(f"{percent(item.comparison.change)} {interval(bounds) if bounds else '(no interval)'}")
    words.append(f"margin {margin_words(item.margin.value)}")
    if item.verdict == Verdict.REGRESSED:
        words.append(f"p = {item.p:.2g} after Holm")
    if item.margin.reason:
        words[-1] += f" ({item.margin.reason})"
    return "; ".join([", ".join(words), *map(note_words, item.notes)])


def boots_words(boots: Boots) -> str:
    """165.0 -> 219.4 instructions a page."""
    base, new = (instructions(float(np.median(side))) for side in (boots.base, boots.new))
    return f"{base} -> {new} instructions a page"


def repeats(boots: Boots) -> str:
    """How far boots lie apart."""
    return f"boots within +-{100 * boots.repeatability:.2f} %"


def note_words(note: Note) -> str:
    """A note as a sentence."""
    return f"{note.word}: {note.text}" + (f" ({note.detail})" if note.detail else "")


def margin_words(fraction: float) -> str:
    """1 %, 0.5 %."""
    return f"{100 * fraction:.3g} %"


def _of_counts(item: CountJudged) -> Line:
    said = ", ".join(map(str, item.differences)) or item.note or "as before"
    figures: dict[str, Figure] = {change.key: change.new - change.old for change in item.differences}
    return Line(item.name, item.verdict, said, True, {"margin": item.margin.value, **figures})


def _new(name: str) -> Line:
    return Line(name, Verdict.INCONCLUSIVE, "not in the baseline", judged=False)


def headline(found: Sequence[Line], code: int) -> str:
    """What came out: passed (exit code 0): 50 judged, 13 OK, 37 FASTER."""
    judged = [line.verdict for line in found if line.judged]
    parts = [f"{count} {verdict}" for verdict, count in _counted(judged)]
    return (
        f"gate: {EXIT_WORDS.get(code, 'failed')} (exit code {code}); {len(judged)} judged: {', '.join(parts)}"
    )


def _counted(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    return sorted(Counter(verdicts).items(), key=lambda item: item[0].severity)
