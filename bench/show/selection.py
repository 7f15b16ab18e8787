"""Which cases a table of any two keys shows, and which arm of theirs is the base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.case import KEYS, Case, Filters, natural
from bench.errors import UsageError, one_of
from bench.results import Results
from bench.show.report import selected
from bench.show.rows import is_plain

ROWS = ("op", "order")  # what titles and rows of a list of comparisons have


def against(results: Results, base: str, filters: Filters | None) -> tuple[list[Case], str, str]:
    """The cases to be compared with an arm (key=value), its key and value; UsageError if there is none."""
    key = base.partition("=")[0]
    cases = cases_of(results, {key}, filters)
    key, value = base_of(base, cases, keys_of(cases))
    if key in ROWS:
        raise UsageError(f"--base {base}: with --style and --json a base is a kernel, variant or path")
    return cases, key, value


def cases_of(results: Results, named: set[str], filters: Filters | None) -> list[Case]:
    """The ordinary cases selected; all variants where variants are an axis."""
    if not named & {"variant", "kernel"}:
        return selected(results, filters, paths_named="path" in named)
    plain = [case for case in results.runs if is_plain(case)]
    return filters.select(plain) if filters else plain


def keys_of(cases: Iterable[Case]) -> list[str]:
    """The keys that cases of the file have, `op` first."""
    present = {key for case in cases for key, _ in case.keys}
    return ["op", *(key for key in KEYS if key in present)]


def base_of(text: str, cases: Iterable[Case], valid: Sequence[str]) -> tuple[str, str]:
    """Key and value of the arm that others are compared with; UsageError if the cases have no such arm."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"base {text!r}: expected key=value, for example path=pte")
    if key not in valid:
        raise one_of("key", key, valid)
    values = sorted({value_of(case, key) for case in cases} - {""}, key=natural)
    if value not in values:
        raise one_of(f"base {key}", value, values)
    return key, value


def value_of(case: Case, key: str) -> str:
    """What a case has of a key, or what the key's absence stands for."""
    return case.op if key == "op" else case.meaning(key)
