"""Sheets of one result file: batched beside per-page, a variant beside its base, an arm beside another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bench.case import Case
from bench.judge.generations import variant_of
from bench.judge.pairs import own_way_first
from bench.judge.stats import Comparison, Note, Summary
from bench.show.arms import arms_of, compared, spread
from bench.show.doubts import Doubts
from bench.show.figures import Figures
from bench.show.live_notes import RUNNING, clock, of_paths, technique, weak
from bench.show.report import Section
from bench.show.rows import NAMES, PAIR, Row, Subject
from bench.show.sheet import Cost, Entry, Sheet

OLD, NEW = "per-page", "batched"
ARMS = ("variant", "kernel")  # keys of what is measured, which a title names last


def path_words(path: str) -> str:
    """path=pte (per-page); nothing of what has one path."""
    if path in ("", "folio"):
        return ""
    return f"path={path}" + (f" ({NAMES[path]})" if path in NAMES else "")


def own_way_sorted(families: Iterable[Case]) -> list[Case]:
    """Operations as they come; of each, first the path that a kernel takes by itself."""
    families = list(families)
    first = list(dict.fromkeys(family.but(path=None) for family in families))
    return sorted(families, key=lambda family: (first.index(family.but(path=None)), own_way_first(family)))


class Sheets:
    """Makes them."""

    def __init__(self, doubts: Doubts) -> None:
        self.samples, self.doubts, self.figures = doubts.samples, doubts, Figures(doubts.samples)
        self._clock = clock(self.samples, list(self.samples))

    def of(self, sections: Sequence[Section]) -> list[Sheet]:
        """Of a report's tables, by operation; where kernels are compared, that comes first."""
        found: list[Sheet] = []
        for family in dict.fromkeys(section.subject.family for section in sections):
            here = [section for section in sections if section.subject.family == family]
            kernels = [row for section in here for row in section.rows if self._of_kernels(section, row)]
            cases = [row.value.case for row in kernels if row.value]
            bases = {row.base for row in kernels if row.base and self._has_kernel(row.base)}
            for base in sorted(bases):
                found += self.against(cases, "kernel", base)
            rest = [replace(section, rows=self._others(section, kernels)) for section in here]
            found += [self._of_section(section) for section in (rest if bases else here) if section.rows]
        return found

    def _has_kernel(self, name: str) -> bool:
        return any(case.get("kernel") == name for case in self.samples)

    def _of_kernels(self, section: Section, row: Row) -> bool:
        """Is it a row of one path of a kernel, which is compared with other kernels only?"""
        alone = row.value is not None and not (row.per_page and row.batched)
        return section.subject.family.level == "vm" and alone

    def _others(self, section: Section, taken: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(row for row in section.rows if row not in taken)

    def against(self, cases: Iterable[Case], key: str, base: str) -> list[Sheet]:
        """Each other value of `key` beside the base, a sheet for each path and whatever else cases have."""
        groups: dict[Case, dict[str, list[Case]]] = {}
        for case in cases:
            family = case.but(**{"order": None, key: None})
            groups.setdefault(family, {}).setdefault(case.get(key), []).append(case)
        return [
            sheet
            for family in own_way_sorted(groups)
            for sheet in self._beside(family, groups[family], key, base)
        ]

    def _beside(self, family: Case, arms: dict[str, list[Case]], key: str, base: str) -> Iterator[Sheet]:
        others = [arm for arm in arms if arm != base]
        for arm in others or [base]:
            orders = sorted({case.order for name in (base, arm) for case in arms.get(name, ())})
            entries = [self._entry_of(family, key, order, base, arm) for order in orders]
            heads = (base if any(entry.before for entry in entries) else "", arm)
            both = (family.but(**{key: name, "order": order}) for name in (base, arm) for order in orders)
            shown = [case for case in dict.fromkeys(both) if case in self.samples]
            yield self._sheet(family, heads, entries, shown)

    def _entry_of(self, family: Case, key: str, order: int, base: str, arm: str) -> Entry:
        old, new = (family.but(**{key: value, "order": order}) for value in (base, arm))
        before, after = (self.samples.summary(c) if c in self.samples else None for c in (old, new))
        if old == new:
            return self._entry(order, "", None, after, None)
        found = self.samples.compare(new, old) if before and after else None
        return self._entry(order, "", before, after, found)

    def _entry(
        self, order: int, mapping: str, before: Summary | None, after: Summary | None,
        found: Comparison | None, *more: Note,
    ) -> Entry:  # fmt: skip
        costs = [Cost(cost.value, spread(self.samples, cost)) if cost else None for cost in (before, after)]
        if found is None:
            return Entry(order, mapping, costs[0], costs[1], remarks=more)
        remarks = (*more, *self.doubts.of(found))
        return Entry(order, mapping, costs[0], costs[1], found.change, found.change_interval, remarks)

    def _of_section(self, section: Section) -> Sheet:
        """The rows that compare something; all, in one column, if none does."""
        rows, heads, subject = compared(section), self._heads(section), section.subject
        entries = []
        for row in rows:
            found, mapping = arms_of(row), _mapping(row)
            more = [_other_base(subject.variant, row)] if heads == (OLD, NEW) and row.base else []
            if heads[0]:
                entry = self._entry(row.order, mapping, found.before, found.after, row.comparison, *more)
            else:
                entry = self._entry(row.order, mapping, None, row.value, None)
            entries.append(entry)
        cases = [summary.case for row in rows for summary in (row.per_page, row.batched) if summary]
        family = subject.family.but(**{_arm_key(cases[0]): subject.variant or None})
        return replace(self._sheet(family, heads, entries, cases), notes=self._below(section, rows, cases))

    def _heads(self, section: Section) -> tuple[str, str]:
        """What the two arms are called: if every row compares variants, by their names."""
        rows, variant = compared(section), section.subject.variant
        if not any(row.comparison for row in rows):
            return "", variant or "cost"
        bases = {row.base for row in rows}
        if len(bases) == 1 and bases != {""} and variant:
            return bases.pop(), variant
        return OLD, NEW

    def _below(self, section: Section, rows: Sequence[Row], cases: Sequence[Case]) -> tuple[str, ...]:
        missing = dict.fromkeys(_mapping(row) or row.label for row in section.rows if row not in rows)
        notes = [f"not shown, with nothing to compare it with: {', '.join(missing)}"] if missing else []
        if section.subject.family.level not in RUNNING:
            return tuple(notes)
        return (*notes, *technique(self.samples, _groups(rows)), *weak(self.samples, cases))

    def _sheet(
        self, family: Case, heads: tuple[str, str], entries: Sequence[Entry], cases: Sequence[Case]
    ) -> Sheet:
        """With the notes that cases of a running kernel have."""
        running = family.level in RUNNING
        per_page = [case for case in cases if case.get("path") == PAIR[0]]
        shared = of_paths(self.samples.results, per_page) + self._clock if running else []
        return Sheet(
            name_of(family), keys_of(family), heads, self.figures.unit, self.figures.plain, tuple(entries),
            tuple(cases), tuple(weak(self.samples, cases)) if running else (), tuple(shared),
        )  # fmt: skip


def _mapping(row: Row) -> str:
    """How it is mapped, where not by PTEs in the usual way."""
    return " ".join(row.label.split(" ")[1:])


def _arm_key(case: Case) -> str:
    return "kernel" if case.get("kernel") else "variant"


def _groups(rows: Iterable[Row]) -> Iterable[Case]:
    return dict.fromkeys(row.group for row in rows if row.per_page and row.batched)


def _other_base(variant: str, row: Row) -> Note:
    """That a row compares something else than its columns say."""
    same = ", as batched and per-page are the same code" if row.same_code else ""
    return Note("", f"{variant or 'this'} against {row.base}{same}")


def name_of(family: Case) -> str:
    """fork (memory=1GiB), v6.12, path=default."""
    subject = Subject(family.but(path=None, **dict.fromkeys(ARMS)), variant_of(family))
    return ", ".join(filter(None, (subject.title, path_words(family.get("path")))))


def keys_of(family: Case) -> tuple[tuple[str, str], ...]:
    """The same, as names and values."""
    last = [(key, family.get(key)) for key in ARMS if family.get(key)]
    rest = [(key, value) for key, value in family.keys if key not in ARMS]
    return (("call", family.op), *rest, *last)
