"""What a gate on exact operation counts says: each count that is not what it was."""

from __future__ import annotations

from bench.case import Case
from bench.judge.counts import CountJudged, CountRuling


def count_notes(ruling: CountRuling) -> list[str]:
    """Every case that differs, the worst first, and how to renew a baseline that is out of date."""
    changed = sorted((item for item in ruling.judged if item.differences or item.note), key=_badness)
    said = [f"{item.verdict} {as_filters(item.name)}: {_words(item)}" for item in changed]
    if ruling.new:
        said.append(f"{len(ruling.new)} cases are not in the baseline, such as {as_filters(ruling.new[0])}")
    if ruling.stale:
        said.append(f"! out of date; renew it with: rmapbench count -o {ruling.against} --force")
    return said or [f"all counts of {len(ruling.judged)} cases equal those in {ruling.against}"]


def as_filters(name: str) -> str:
    """A case as filters, ready to be measured again: remove path=ptes order=4."""
    return " ".join(name.split("/")[1:])


def _words(item: CountJudged) -> str:
    return ", ".join(map(str, item.differences)) or item.note


def _badness(item: CountJudged) -> tuple[int, bool, str]:
    return item.verdict.severity, Case.parse(item.name).order > 0, item.name
