"""The default report: a table for each call and variant, order-0 first, as text or markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.controls import controls
from bench.judge.stats import Comparison, Samples
from bench.results import Results
from bench.show.figures import Figures, apart
from bench.show.footnotes import footnotes
from bench.show.live_notes import RUNNING, live_notes
from bench.show.rows import Row, Subject, is_plain, rows_of, shown_of, subjects, variant_of
from bench.show.table import NONE, WIDTH, Table, interval, percent, wrap

MOST_FAILED = 10  # failed cases listed


@dataclass(frozen=True)
class Column:
    """One more column of every table, such as a verdict."""

    title: str
    cell: Callable[[Row], str]


@dataclass(frozen=True)
class Section:
    """A table before it becomes strings."""

    subject: Subject
    rows: tuple[Row, ...]

    @property
    def paired(self) -> bool:
        """Is it about batched against per-page at all?"""
        return any(row.same_code or not row.base for row in self.rows if row.per_page)


def render_text(results: Results, filters: Filters | None = None, extra: Sequence[Column] = ()) -> str:
    """The report in ASCII; UsageError if the filters select nothing."""
    samples, sections = sections_of(results, filters)
    lines = [wrap(line) for line in (*order_0_lines(sections), *unpaired(results))]
    tables = [table.text() for table in tables_of(samples, sections, extra)]
    lacking = [wrap(line) for line in failed(results)]
    return _joined(["\n".join(lines) + "\n", *tables, *lacking])


def render_markdown(results: Results, filters: Filters | None = None, extra: Sequence[Column] = ()) -> str:
    """The report in GitHub markdown; UsageError if the filters select nothing."""
    samples, sections = sections_of(results, filters)
    lines = [f"- {line}" for line in (*order_0_lines(sections), *unpaired(results))]
    tables = [table.markdown() for table in tables_of(samples, sections, extra)]
    lacking = [f"- {line}" for line in failed(results)]
    return _joined(["\n".join(lines) + "\n", *tables, *lacking])


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(parts).strip() + "\n"


def sections_of(results: Results, filters: Filters | None) -> tuple[Samples, list[Section]]:
    """All samples, and the tables that the filters ask for."""
    samples = Samples(results)
    by_subject = subjects(selected(results, filters))
    return samples, [
        Section(subject, tuple(rows_of(samples, cases))) for subject, cases in by_subject.items()
    ]


def selected(results: Results, filters: Filters | None, paths_named: bool = False) -> list[Case]:
    """The cases to show: those the filters name; of the variants, unless named, the default ones.

    Shapes that are kept to be seen only (`on_request`) are among them where somebody names paths.
    """
    plain = [case for case in results.runs if is_plain(case)]
    if not paths_named and not (filters and filters.values("path")):
        plain = [case for case in plain if not results.note(case, "on_request")]
    if not plain:
        raise UsageError(
            "the file holds no case to show; see its failed cases with `python -m pyperf metadata`"
        )
    chosen = filters.select(plain) if filters else plain
    if filters and (filters.values("variant") or filters.values("kernel")):
        return chosen
    wanted = shown_of(chosen)
    return [case for case in chosen if variant_of(case) in wanted]


def tables_of(samples: Samples, sections: Sequence[Section], extra: Sequence[Column] = ()) -> list[Table]:
    """A table a section, with its footnotes."""
    found, figures = controls(samples), Figures(samples)
    tables = []
    for section in sections:
        make = _paired_table if section.paired else _base_table
        table = make(section, extra, figures)
        notes = (*table.notes, *apart(samples, _beside(section)), *footnotes(samples, found, section.rows))
        if section.subject.family.level in RUNNING:
            notes += tuple(live_notes(samples, section.rows))
        tables.append(replace(table, notes=notes))
    return tables


def _beside(section: Section) -> Iterator[Comparison]:
    """The comparisons of rows that show both costs."""
    for row in section.rows:
        if row.comparison and (not section.paired or (row.per_page and row.batched)):
            yield row.comparison


def _paired_table(section: Section, extra: Sequence[Column], figures: Figures) -> Table:
    """Batched against per-page; rows that have one of them only say what they are compared with."""
    said = f"{section.subject.title}: per-page and batched, {figures.explained}"
    header = ("folio", "per-page", "batched", "change", "95 % interval", *(c.title for c in extra), "")
    rows = []
    for row in section.rows:
        batched = "same code" if row.same_code else figures.cell(row.batched)
        against = f"vs {row.base}" if row.base else ""
        cells = (row.label, figures.cell(row.per_page), batched, *_change(row), *(c.cell(row) for c in extra))
        rows.append((*cells, against))
    return _fitted(Table(said, header, tuple(rows)))


def _base_table(section: Section, extra: Sequence[Column], figures: Figures) -> Table:
    """The variant against its base, where a call has one path only."""
    base = next((row.base for row in section.rows if row.base), "")
    if not base:
        return _plain_table(section, figures)
    variant = f" {section.subject.variant}" if section.subject.variant else ""
    said = f"{section.subject.name}:{variant} against {base}, {figures.explained}"
    header = ("folio", "base", "this", "change", "95 % interval", *(c.title for c in extra))
    rows = [
        (
            row.label,
            figures.cell(row.base_value),
            figures.cell(row.value),
            *_change(row),
            *(c.cell(row) for c in extra),
        )
        for row in section.rows
    ]
    return Table(said, header, tuple(rows))


def _plain_table(section: Section, figures: Figures) -> Table:
    """Figures that have nothing to be compared with in the file."""
    rows = tuple((row.label, figures.cell(row.value)) for row in section.rows)
    return Table(f"{section.subject.title}, {figures.explained}", ("folio", "cost"), rows)


def _fitted(table: Table) -> Table:
    """Without an empty last column; where it makes the table too wide, a star that a footnote explains."""
    named = sorted({row[-1] for row in table.rows} - {""})
    if not named:
        return replace(table, header=table.header[:-1], rows=tuple(row[:-1] for row in table.rows))
    if table.width <= WIDTH:
        return table
    starred = tuple((*row[:-1], "*" if row[-1] else "") for row in table.rows)
    return replace(table, rows=starred, notes=(f"* change {', '.join(named)}",))


def _change(row: Row) -> tuple[str, str]:
    found = row.comparison
    return (percent(found.change), interval(found.change_interval)) if found else (NONE, NONE)


def order_0_lines(sections: Sequence[Section]) -> list[str]:
    """What happened to order-0 folios, over all calls, for each variant shown."""
    lines = []
    for variant in dict.fromkeys(section.subject.variant for section in sections):
        by_base: dict[str, list[tuple[float, str]]] = {}
        for section in sections:
            for row in section.rows if section.subject.variant == variant else ():
                if row.order == 0 and row.comparison:
                    change = (row.comparison.change, section.subject.name)
                    by_base.setdefault(row.base, []).append(change)
        lines += [_range(variant, base, changes) for base, changes in sorted(by_base.items())]
    return lines


def _range(variant: str, base: str, changes: Sequence[tuple[float, str]]) -> str:
    named = f", {variant}" if variant else ""
    what = f"order 0{named} against {base}" if base else f"order 0{named}, batched against per-page"
    low, high = min(changes), max(changes)
    if len(changes) == 1:
        return f"{what}: {percent(low[0])} ({low[1]})"
    return (
        f"{what}: from {percent(low[0])} ({low[1]}) to {percent(high[0])} ({high[1]}), {len(changes)} calls"
    )


def unpaired(results: Results) -> list[str]:
    """What to know about a file whose cases were not interleaved."""
    said = "Unpaired file: cases were measured one after the other; small differences may be drift."
    return [said] if results.unpaired else []


def failed(results: Results) -> list[str]:
    """Cases without figures, and why."""
    listed = [f"failed: {name}: {reason}" for name, reason in list(results.failed.items())[:MOST_FAILED]]
    more = len(results.failed) - MOST_FAILED
    return [*listed, f"failed: {more} more cases"] if more > 0 else listed
