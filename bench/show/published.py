"""Published figures beside a file's own: read from results/published.csv, marked as other machines'."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.case import Filters
from bench.errors import UsageError
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.arms import arms_of, compared
from bench.show.figures import Figures
from bench.show.live_notes import about_pte
from bench.show.report import Section, sections_of
from bench.show.rows import Row
from bench.show.table import NONE, Table, nanoseconds, percent, size

DEFAULT = Path(__file__).resolve().parents[2] / "results" / "published.csv"
LEVELS = ("scenario", "live", "vm")  # whole operations; of single calls nothing was published
STATES = ("", "munmap-last")  # of scenarios: memory that one process maps
# Operations that are called otherwise here, each with its name in published.csv.
SAME_AS = {"zap": "munmap", "exit": "munmap"}
MEMORY = {"1GiB": 1 << 30, "128MiB": 128 << 20}
PAGE = 4096
COLUMNS = (
    "operation", "order", "memory", "before_s", "after_s", "change", "before", "after", "machine", "series",
    "posted", "date", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Published:
    """One published figure: what changed by how much, and who said so of which machine."""

    operation: str
    order: int
    memory: str
    before: str  # nanoseconds a page
    after: str
    change: str
    machine: str
    source: tuple[str, str]  # what was compared, on what; where it was published
    ratio: float | None  # after over before, where both times were posted


def load(path: Path = DEFAULT) -> list[Published]:
    """The figures in a file; UsageError where there is none, or it is not such a file."""
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ValueError("other columns")
            return [_figure(row) for row in rows]
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); it comes with the source tree"
        ) from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(f"{path}: is not such a file ({error}); its columns: {', '.join(COLUMNS)}") from None


def _figure(row: Mapping[str, str]) -> Published:
    pages = MEMORY[row["memory"]] // PAGE
    seconds = [float(row[key]) if row[key] else None for key in ("before_s", "after_s")]
    before, after = (nanoseconds(known / pages) if known else NONE for known in seconds)
    ratio = seconds[1] / seconds[0] if seconds[0] and seconds[1] else None
    compared = f"{row['machine']}: {row['before']} -> {row['after']}, {row['memory']}"
    where = f"{row['series']}, {row['posted']}, {row['date']}, <{row['source']}>"
    return Published(
        row["operation"], int(row["order"]), row["memory"], before, after, row["change"], row["machine"],
        (compared, where), ratio,
    )  # fmt: skip


def published_tables(results: Results, filters: Filters | None = None) -> list[Table]:
    """A table for each operation of the file of which somebody published a figure of the same size."""
    samples, sections = sections_of(results, filters)
    known = load()
    found = [_table(samples, section, known) for section in sections]
    tables = [table for table in found if table]
    if not tables:
        operations = ", ".join(sorted({figure.operation for figure in known}))
        raise UsageError(
            "nothing was published of what this file holds; published figures are of whole operations "
            f"(lanes live and vm, scenarios): {operations}"
        )
    return tables


def _table(samples: Samples, section: Section, known: Sequence[Published]) -> Table | None:
    family = section.subject.family
    operation = SAME_AS.get(family.op, family.op)
    if family.level not in LEVELS or family.meaning("kind") != "anon" or family.get("state") not in STATES:
        return None
    orders = {row.order for row in section.rows}
    here = [figure for figure in known if figure.operation == operation and figure.order in orders]
    if not here:
        return None
    figures = Figures(samples)
    numbers = {source: n for n, source in enumerate(dict.fromkeys(figure.source for figure in here), 1)}
    units = (", instructions", ", ns") if figures.counted else ("", "")  # where a column has both
    pairs = [
        (_ours(figures, row, units[0]), *_theirs(row, here, numbers, units[1])) for row in compared(section)
    ]
    rows = [cells for pair in pairs for cells in pair]
    said = f"{section.subject.title}, {figures.unit}, beside PUBLISHED FIGURES OF OTHER MACHINES"
    notes = [f"[{n}] another machine's, {what}; {where}" for (what, where), n in numbers.items()]
    notes = [_note(figures), *about_pte(row.per_page.case for row in section.rows if row.per_page), *notes]
    return Table(said, ("folio", "whose", "before", "after", "change"), tuple(rows), tuple(notes))


def _note(figures: Figures) -> str:
    what = "this file: per-page and batched, of one kernel; published: one kernel before, another after"
    return what + ("; instructions and ns do not compare, changes do" if figures.counted else "")


def _ours(figures: Figures, row: Row, unit: str) -> tuple[str, ...]:
    found = arms_of(row)
    costs = (figures.plain(cost.value) if cost else NONE for cost in (found.before, found.after))
    change = percent(found.comparison.change) if found.comparison else NONE
    return (row.label, f"this file{unit}", *costs, change)


def _theirs(
    row: Row, known: Sequence[Published], numbers: Mapping[tuple[str, str], int], unit: str
) -> list[tuple[str, ...]]:
    """Published figures of the row's size; not beside a PMD-mapped folio, which nobody compared."""
    if row.label != size(row.order):
        return []
    return [
        ("", f"published [{numbers[figure.source]}]{unit}", figure.before, figure.after, figure.change)
        for figure in known
        if figure.order == row.order
    ]
