"""Rows of the default table: for one call and variant, each folio size with what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.case import Case
from bench.judge.generations import (  # noqa: F401 - others ask here
    EMPTY,
    GENERATIONS,
    is_plain,
    rank,
    shown_of,
    variant_of,
)
from bench.judge.stats import Comparison, Samples, Summary
from bench.show.table import size

NAMES = {"pte": "per-page", "ptes": "batched"}  # of paths; others have names that say it
PAIR = tuple(NAMES)


@dataclass(frozen=True)
class Subject:
    """What a table is about: a call with kind and state (a case without path and order), and a variant."""

    family: Case
    variant: str

    @property
    def name(self) -> str:
        """The call in words: remove (anon, last)."""
        rest = [value for key, value in self.family.keys if key in ("kind", "state")]
        more = [f"{key}={value}" for key, value in self.family.keys if key not in ("kind", "state")]
        words = ", ".join(rest + more)
        return self.family.op + (f" ({words})" if words else "")

    @property
    def title(self) -> str:
        """The call and, if it has one, its variant."""
        return f"{self.name}, {self.variant}" if self.variant else self.name


@dataclass(frozen=True)
class Row:
    """One folio size: costs, and the comparison that judges it."""

    label: str
    order: int
    group: Case
    per_page: Summary | None
    batched: Summary | None
    same_code: bool
    comparison: Comparison | None
    base: str  # the variant compared with; empty if batched is compared with per-page
    base_value: Summary | None

    @property
    def value(self) -> Summary | None:
        """The cost of what is judged."""
        return self.batched or self.per_page


def subjects(cases: Iterable[Case]) -> dict[Subject, list[Case]]:
    """Cases by what table they belong to, tables in order of the variants, then of the cases."""
    found: dict[Subject, list[Case]] = {}
    for case in cases:
        found.setdefault(Subject(case.group.but(order=None), variant_of(case)), []).append(case)
    return dict(sorted(found.items(), key=lambda item: rank(item[0].variant)))


def rows_of(samples: Samples, cases: Iterable[Case]) -> list[Row]:
    """The rows of one subject's cases: smallest folio first, other mappings after batched and per-page."""
    by_group: dict[Case, dict[str, Case]] = {}
    for case in cases:
        by_group.setdefault(case.group, {})[case.get("path")] = case
    rows = []
    for _, paths in sorted(by_group.items(), key=lambda item: item[0].order):
        pair = {path: case for path, case in paths.items() if path in PAIR}
        if pair:
            rows.append(_pair_row(samples, pair))
        rows += [_single_row(samples, case) for path, case in paths.items() if path not in PAIR]
    return rows


def _pair_row(samples: Samples, pair: dict[str, Case]) -> Row:
    """Batched against per-page; if that is the same code or one is missing, the variant against its base."""
    pte, ptes = pair.get("pte"), pair.get("ptes")
    same = pte is not None and bool(samples.results.note(pte, "same_code"))
    if pte and ptes and not same:
        per_page, batched, change = samples.summary(pte), samples.summary(ptes), samples.compare(ptes, pte)
        return Row(size(pte.order), pte.order, pte.group, per_page, batched, False, change, "", None)
    one = pte if pte and (same or not ptes) else ptes
    assert one is not None
    row = replace(_single_row(samples, one), same_code=same)
    return replace(row, per_page=row.batched, batched=None) if one is pte else row


def _single_row(samples: Samples, case: Case) -> Row:
    """The variant against the one it is based on."""
    base = str(samples.results.note(case, "base") or "")
    other = case.of_other(base)
    compared = samples.compare(case, other) if base and other in samples and other != case else None
    against = samples.summary(other) if compared else None
    label = f"{size(case.order)} {_mapping(case)}".strip()
    return Row(label, case.order, case.group, None, samples.summary(case), False, compared, base, against)


def _mapping(case: Case) -> str:
    """How a folio is mapped, if not by PTEs; a fault maps a new folio of the highest order by a PMD."""
    if case.op == "add_new_anon" and case.order == 9:
        return "pmd"
    return case.get("path") if case.get("path") not in (*PAIR, "folio") else ""
