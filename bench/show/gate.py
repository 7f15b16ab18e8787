"""The gate's table: order 0 on top, in each table the worst first, and below it why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.case import Case
from bench.judge.counts import CountRuling
from bench.judge.gate import Judged, Ruling
from bench.judge.generations import variant_of
from bench.judge.pairs import BASE, FILE, PATH, Pair
from bench.judge.stats import Note
from bench.judge.stats_rank import attainable_p
from bench.judge.verdict import Verdict
from bench.show import gate_boots
from bench.show.gate_counts import as_filters, count_notes
from bench.show.gate_lines import FINE, headline, lines, margin_words, said_of
from bench.show.live_notes import about_pte
from bench.show.table import NONE, WIDTH, Table, interval, percent, size, wrap

FEWEST = 8  # rows of a table that are shown even if all is well
MOST_NAMED = 10  # cases explained one by one


@dataclass(frozen=True)
class Topic:
    """What a table is about: size of the folios, and which two things are compared."""

    large: bool
    variant: str
    base: str  # empty: batched against per-page

    @classmethod
    def of(cls, pair: Pair) -> Topic:
        """The pair's table."""
        variant, base = variant_of(pair.case), variant_of(pair.base)
        there = f"{base} of {pair.file}".removeprefix(f"{variant} of ")
        return cls(pair.case.order > 0, variant, {FILE: there, BASE: base, PATH: ""}[pair.about])

    @property
    def title(self) -> str:
        """In words."""
        return f"{'larger folios' if self.large else 'order 0'}: {against(self.variant, self.base)}"


def against(variant: str, base: str) -> str:
    """What is held against what; without a base batched against per-page."""
    return f"{variant} against {base}" if base else f"{variant}, batched against per-page".removeprefix(", ")


def render_text(ruling: Ruling | CountRuling, strict: bool = False, every: bool = False) -> str:
    """The gate's output in ASCII; `every` row, or of those that are fine only the worst."""
    said = [wrap(line) for line in _summary(ruling, strict)]
    tables = [table.text() for table in tables_of(ruling, every)]
    notes = [wrap(note) for note in notes_of(ruling)]
    return "\n".join([*said, "", *tables, *notes]).rstrip() + "\n"


def render_markdown(ruling: Ruling | CountRuling, strict: bool = False) -> str:
    """The same for a step summary."""
    first, *rest = _summary(ruling, strict)
    tables = [table.markdown() for table in tables_of(ruling, False)]
    notes = [f"- {note}" for note in (*rest, *notes_of(ruling))]
    return "\n".join([f"## {first}", "", *tables, *notes]).rstrip() + "\n\n"


def _summary(ruling: Ruling | CountRuling, strict: bool) -> list[str]:
    said = [headline(lines(ruling), ruling.exit_code(strict))]
    if isinstance(ruling, CountRuling):
        return [*said, f"exact counts a folio, compared with {ruling.against}"]
    if ruling.exact:
        return [*said, gate_boots.summary(ruling), *ruling.remarks]
    if ruling.against:
        said.append(
            f"Ratios within this run are compared with ratios within {ruling.against}: a faster or slower "
            "machine changes neither."
        )
    return said


def tables_of(ruling: Ruling | CountRuling, every: bool, more: str = "--all") -> list[Table]:
    """All tables: what is judged, then what is only shown, order 0 of it; `more` is what shows every row."""
    if isinstance(ruling, CountRuling):
        return []
    judged = _by_topic(ruling.judged)
    every_shown = every or ruling.exact
    shown = _by_topic(item for item in ruling.shown if every_shown or item.pair.case.order == 0)
    found = [_table(topic, items, every, more) for topic, items in judged.items()]
    seen = "shown, not judged; "
    return found + [_table(topic, items, every, more, seen) for topic, items in shown.items()]


def _by_topic(items: Iterable[Judged]) -> dict[Topic, list[Judged]]:
    found: dict[Topic, list[Judged]] = {}
    for item in items:
        found.setdefault(Topic.of(item.pair), []).append(item)
    return dict(sorted(found.items(), key=lambda pair: (pair[0].large, min(map(badness, pair[1]))[0])))


def _table(topic: Topic, items: Sequence[Judged], every: bool, more: str, how: str = "") -> Table:
    ordered = sorted(items, key=badness)
    kept = [item for n, item in enumerate(ordered) if every or n < FEWEST or item.verdict not in FINE]
    exact = any(item.pair.file for item in items)
    figures = gate_boots.HEADER if exact else ("change", "95 % interval")
    header = ("call", *(["size"] if topic.large else []), *figures, "verdict")
    rows = tuple(_row(topic, item, exact) for item in kept)
    own, title = gate_boots.notes(items) if exact else [], f"{how}{topic.title}"
    notes = (*_rest(ordered, kept, more), *own, *_margin_notes(items))
    if exact and how:  # they have no margin
        return _fitted(Table(title, header, rows, tuple(own)))
    return _fitted(Table(f"{title}; {_usual_margin(items)}", header, rows, notes))


def _usual_margin(items: Sequence[Judged]) -> str:
    usual = sorted({item.margin.value for item in items if not item.margin.reason})
    return f"margin {', '.join(map(margin_words, usual))}" if usual else "margins below"


def _margin_notes(items: Sequence[Judged]) -> list[str]:
    """Margins that are not the usual one, by their reasons."""
    special: dict[str, list[Judged]] = {}
    for item in items:
        if item.margin.reason:
            special.setdefault(item.margin.reason, []).append(item)
    return [
        f"margin {margin_words(max(item.margin.value for item in found))} at most, {reason}: "
        + _few([short_name(item) for item in found])
        for reason, found in special.items()
    ]


def badness(item: Judged) -> tuple[int, float]:
    """Sort key: the worst verdict first, in it what is nearest to the margin."""
    return item.verdict.severity, item.margin.value - (item.comparison.change if item.comparison else 0)


def _rest(ordered: Sequence[Judged], kept: Sequence[Judged], more: str) -> tuple[str, ...]:
    left = [item.comparison.change for item in ordered if item not in kept and item.comparison]
    if not left:
        return ()
    return (f"{len(left)} more, OK or FASTER: {percent(min(left))} to {percent(max(left))} (all: {more})",)


def _row(topic: Topic, item: Judged, exact: bool) -> tuple[str, ...]:
    found = item.comparison
    change = (percent(found.change), interval(found.change_interval)) if found else (NONE, NONE)
    figures = gate_boots.cells(item) if exact else change
    sizes = [size(item.pair.case.order)] if topic.large else []
    return (_label(item), *sizes, *figures, _verdict(item, exact))


def _label(item: Judged) -> str:
    """The case, with its path where that is not what is compared, nor the kernel's own way."""
    named = item.pair.about != PATH and item.pair.case.get("path") != gate_boots.PLAIN
    return call_of(item.pair.case, named)


def _verdict(item: Judged, exact: bool) -> str:
    """None for a count that is only shown: unlike an older generation's, it says nothing."""
    return NONE if exact and item.pair.why_not else item.verdict


def call_of(case: Case, with_path: bool) -> str:
    """A case in a few words: add_anon first pte; what its call's name says already is left out."""
    said = [case.op]
    for key, value in case.keys:
        implied = key == "kind" and (case.op.endswith(value) or case.op.startswith(value))
        path = key == "path" and (not with_path or value == "folio")
        if key not in ("variant", "kernel", "order") and not implied and not path:
            said.append(value if key in ("kind", "state", "path") else f"{key}={value}")
    return " ".join(said)


def _fitted(table: Table) -> Table:
    """At most WIDTH columns: what is too long is cut in the first."""
    over = table.width - WIDTH
    if over <= 0:
        return table
    longest = max(len(row[0]) for row in table.rows)
    cut = [row[0].replace(" exclusive", " excl") for row in table.rows]
    keep = longest - over
    fitted = [name if len(name) <= keep else name[: keep - 1] + "~" for name in cut]
    rows = tuple((name, *row[1:]) for name, row in zip(fitted, table.rows))
    return Table(table.title, table.header, rows, table.notes)


# What stands below the tables


def notes_of(ruling: Ruling | CountRuling) -> list[str]:
    """Why verdicts are what they are, what the controls say, and what could have been seen."""
    if isinstance(ruling, CountRuling):
        return count_notes(ruling)
    bad = sorted((item for item in ruling.judged if item.verdict not in FINE), key=badness)
    red = [item for item in bad if item.verdict == Verdict.REGRESSED]
    named = [f"! REGRESSED {_filters_of(item)}: {said_of(item)}" for item in red[:MOST_NAMED]]
    if len(red) > MOST_NAMED:
        named.append(f"! REGRESSED: {len(red) - MOST_NAMED} more (gate --json has them all)")
    if ruling.absent:
        named.append(f"! MISSING: {ruling.absent} planned cases are neither measured nor listed as failed")
    rest = [item for item in bad if item.verdict != Verdict.REGRESSED]
    bases = (item.pair.base for item in ruling.judged)
    return [*named, *_reasons(rest), *_control_notes(ruling), *_power(ruling), *about_pte(bases)]


def _filters_of(item: Judged) -> str:
    """The pair as filters, ready to be measured again: remove path=ptes order=4 against path=pte."""
    case, _, other = item.pair.name.partition(" against ")
    return f"{as_filters(case)} against {other}"


def _reasons(items: Iterable[Judged]) -> list[str]:
    """Why verdicts are none, a line for each reason."""
    concerned: dict[tuple[str, str], list[str]] = {}
    for item in items:
        for note in item.notes:
            detail = f" ({note.detail})" if note.detail else ""
            concerned.setdefault((item.verdict, _worded(item, note)), []).append(short_name(item) + detail)
    return [f"! {verdict}, {text}: {_few(names)}" for (verdict, text), names in concerned.items()]


def _worded(item: Judged, note: Note) -> str:
    """The note's word only where it says more than the verdict does."""
    return note.text if note.word == item.verdict else f"{note.word}: {note.text}"


def short_name(item: Judged) -> str:
    """Variant, call and size in a few words."""
    case = item.pair.case
    words = [variant_of(case), _label(item), size(case.order)]
    return " ".join(filter(None, words))


def _few(names: Sequence[str]) -> str:
    listed = ", ".join(names[:MOST_NAMED])
    return listed if len(names) <= MOST_NAMED else f"{listed}, and {len(names) - MOST_NAMED} more"


def _control_notes(ruling: Ruling) -> list[str]:
    groups = {item.pair.case.group for item in ruling.judged} & ruling.controls.keys()
    found = [ruling.controls[group] for group in groups]
    twins = [control.twin.change for control in found if control.twin]
    shares = [control.positive.recovered for control in found if control.positive]
    if not twins or not shares:
        return ["controls: none measured"]
    worst = max(twins, key=abs)
    return [
        f"controls of {len(found)} groups: A/A largest {percent(worst, 2)}; positive control, estimated / "
        f"true {min(shares):.2f} to {max(shares):.2f}"
    ]


def _power(ruling: Ruling) -> list[str]:
    """What this gate could have seen."""
    said = []
    for where, large in (("at order 0", False), ("above", True)):
        seen = [
            item.detectable
            for item in ruling.judged
            if item.detectable is not None and (item.pair.case.order > 0) == large
        ]
        if seen:
            ends = dict.fromkeys(percent(end) for end in (min(seen), max(seen)))
            said.append(f"{' to '.join(ends)} {where}")
    if not said:
        return []
    tested = sum(item.comparison is not None for item in ruling.judged)
    seen_as = f"seen 9 times in 10, by Holm over {tested} pairs: {', '.join(said)}; "
    if ruling.exact:
        return [seen_as + gate_boots.number(ruling.judged)]
    attainable = attainable_p(ruling.processes)
    return [f"{seen_as}{ruling.processes} processes, whose ranks attain p = {attainable:.2g}"]
