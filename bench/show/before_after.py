"""Tables of two kernels on one machine: what each operation costs a page before and after, order 0 first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.case import Case
from bench.judge.before_after import LEAST_BOOTS, BeforeAfter, Change, Side
from bench.judge.estimate import Interval
from bench.show.live_notes import about_pte
from bench.show.rows import NAMES
from bench.show.table import NONE, Table, interval, nanoseconds, percent, size, wrap


def render(found: BeforeAfter, markdown: bool = False) -> str:
    """The whole comparison as text or markdown."""
    tables = [table.markdown() if markdown else table.text() for table in _tables(found)]
    lines = [*head(found), ""]
    if markdown:
        return "\n".join([*(f"{line}\n" for line in lines if line), *tables])
    return "\n".join([*(wrap(line) if line else "" for line in lines), *tables])


def head(found: BeforeAfter) -> Iterator[str]:
    """Which kernels, which machine, what happened to order 0, and whether that is a verdict."""
    before, after = named(found.base, found.new), named(found.new, found.base)
    yield f"{after} against {before}, on {found.new.files[0].fact('cpu_model_name')}"
    yield from _order_0(found)
    yield _unit(found.boots)
    if min(found.boots) > 1 and not found.alternated:
        yield "! ORDER: one kernel was measured before the other: the machine's drift counts; alternate them"
    if any("" in side.boots and len(side.files) > 1 for side in (found.base, found.new)):
        yield "! BOOTS: files that do not say which boot they are of count as one"
    if found.alone:
        yield f"{found.alone} cases are in the files of one kernel only, and not shown"


def named(side: Side, other: Side) -> str:
    """The kernel's release; with its build where the other has the same release."""
    release, version = side.files[0].kernel
    return f"{release} ({version})" if other.files[0].kernel[0] == release else release


def _order_0(found: BeforeAfter) -> Iterator[str]:
    fit = (one for one in found.changes if one.case.order == 0 and not one.why_not)
    changes = [(one.change, _label(one.case)) for one in fit]
    if changes:
        (low, at), (high, there) = min(changes), max(changes)
        said = f"from {percent(low)} ({at}) to {percent(high)} ({there})"
        yield f"order 0: {said if len(changes) > 1 else f'{percent(low)} ({at})'}"


def _unit(boots: tuple[int, int]) -> str:
    if boots == (1, 1):
        return "one boot a side: no verdict"
    said = f"boots: {boots[0]} of the base, {boots[1]} of the new kernel"
    return said if min(boots) >= LEAST_BOOTS else f"{said}; a verdict takes {LEAST_BOOTS} a side"


def _label(case: Case) -> str:
    return " ".join(filter(None, (case.op, case.get("kind"), _path(case))))


def _path(case: Case) -> str:
    """How a folio is met or mapped; hugetlb has one way."""
    path = case.get("path")
    return "" if path == "folio" else NAMES.get(path, path)


def _tables(found: BeforeAfter) -> Iterator[Table]:
    """A table an operation, kind and amount of memory."""
    by_subject: dict[tuple[str, str, str], list[Change]] = {}
    for change in found.changes:
        case = change.case
        by_subject.setdefault((case.op, case.meaning("kind"), case.get("memory")), []).append(change)
    for (op, kind, memory), changes in by_subject.items():
        yield _table(f"{op} ({kind}, {memory}), ns a page", changes)


def _table(title: str, changes: Sequence[Change]) -> Table:
    judged = any(change.verdict for change in changes)
    header = ("folio", "base", "new", "change", "95 % interval", *(("verdict",) if judged else ()))
    notes = about_pte(change.case for change in changes)
    return Table(title, header, tuple(_row(change, judged) for change in changes), tuple(notes))


def _row(change: Change, judged: bool) -> tuple[str, ...]:
    found = change.interval
    bounds = Interval(found.low - 1, found.high - 1) if found else None
    verdict = (str(change.verdict or NONE),) if judged else ()
    label = f"{size(change.case.order)} {_path(change.case)}".strip()
    figures = nanoseconds(change.base), nanoseconds(change.new)
    return (label, *figures, percent(change.change), interval(bounds), *verdict)
