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
from bench.show.report import Section, sections_of
from bench.show.rows import Row, unit
from bench.show.table import NONE, Table, nanoseconds, percent, size

DEFAULT = Path(__file__).resolve().parents[2] / "results" / "published.csv"
LEVELS = ("scenario", "live", "vm")  # whole operations; of single calls nothing was published
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
    before: str  # nanoseconds a page
    after: str
    change: str
    source: tuple[str, str]  # what was compared, on what; where it was published


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
    before, after = (
        nanoseconds(float(row[key]) / pages) if row[key] else NONE for key in ("before_s", "after_s")
    )
    compared = f"{row['machine']}: {row['before']} -> {row['after']}, {row['memory']}"
    where = f"{row['series']}, {row['posted']}, {row['date']}, <{row['source']}>"
    return Published(row["operation"], int(row["order"]), before, after, row["change"], (compared, where))


def published_tables(results: Results, filters: Filters | None = None, path: Path = DEFAULT) -> list[Table]:
    """A table for each operation of the file of which somebody published a figure of the same size."""
    samples, sections = sections_of(results, filters)
    known = load(path)
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
    if family.level not in LEVELS or family.meaning("kind") != "anon":
        return None
    orders = {row.order for row in section.rows}
    here = [figure for figure in known if figure.operation == operation and figure.order in orders]
    if not here:
        return None
    numbers = {source: n for n, source in enumerate(dict.fromkeys(figure.source for figure in here), 1)}
    rows = [cells for row in compared(section) for cells in (_ours(row), *_theirs(row, here, numbers))]
    said = (
        f"{section.subject.title}, {unit(samples.results)} a page, beside PUBLISHED FIGURES OF OTHER MACHINES"
    )
    notes = [f"[{n}] another machine's, {what}; {where}" for (what, where), n in numbers.items()]
    return Table(said, ("folio", "whose", "before", "after", "change"), tuple(rows), (_note(samples), *notes))


def _note(samples: Samples) -> str:
    what = "this file: per-page and batched, of one kernel; published: one kernel before, another after"
    counted = unit(samples.results) == "instructions"
    return what + ("; this file counts instructions, published are nanoseconds" if counted else "")


def _ours(row: Row) -> tuple[str, ...]:
    found = arms_of(row)
    costs = (nanoseconds(cost.value) if cost else NONE for cost in (found.before, found.after))
    return (row.label, "this file", *costs, percent(found.comparison.change) if found.comparison else NONE)


def _theirs(
    row: Row, known: Sequence[Published], numbers: Mapping[tuple[str, str], int]
) -> list[tuple[str, ...]]:
    """Published figures of the row's size; not beside a PMD-mapped folio, which nobody compared."""
    if row.label != size(row.order):
        return []
    return [
        ("", f"published [{numbers[figure.source]}]", figure.before, figure.after, figure.change)
        for figure in known
        if figure.order == row.order
    ]
