"""Footnotes of tables about a running kernel: what the paths are, and which figures are weak."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from bench.case import Case
from bench.judge.stats import Samples, Summary
from bench.results import Results
from bench.show import contpte
from bench.show.figures import Figures
from bench.show.rows import NAMES, Row
from bench.show.table import nanoseconds, percent, size

RUNNING = ("live", "vm")  # levels of cases that a kernel runs
# What must never be forgotten about path=pte.
PATHS = (
    "per-page (path=pte) is this kernel's batching code meeting batches of one, made by userfaultfd "
    "write-protect bits on every second page; it is not the code of kernels before batching"
)
SMALL = 0.10  # of the whole operation's time: a smaller part is a difference of two large numbers
WEAK_SHARE = 0.9999  # of folios of the order: what is less is said


def live_notes(samples: Samples, rows: Sequence[Row]) -> list[str]:
    """All of them for the rows of one table."""
    cases = [case for row in rows for case in _cases(samples, row)]
    paired = [row.group for row in rows if row.per_page and row.batched]
    groups = dict.fromkeys(row.group for row in rows)
    return [
        *_whole(samples, rows), *of_paths(samples.results, paired),
        *clock(samples, cases), *technique(samples, groups), *weak(samples, cases),
    ]  # fmt: skip


def of_paths(results: Results, per_page: Sequence[Case]) -> list[str]:
    """What path=pte is, and what else it differs in, where there are such cases."""
    folded = [contpte.NOTE] if contpte.folds(results, per_page) else []
    return [PATHS, *folded] if per_page else []


def about_pte(cases: Iterable[Case]) -> list[str]:
    """What path=pte is, if a running kernel's is among the cases."""
    return [PATHS] if any(case.level in RUNNING and case.get("path") == "pte" for case in cases) else []


def weak(samples: Samples, cases: Sequence[Case]) -> list[str]:
    """Which figures are a small part of what was timed, or of memory that is not all of the order."""
    return [*_small(samples, cases), *_mixed(samples, cases)]


def _cases(samples: Samples, row: Row) -> Iterator[Case]:
    paths = ("pte", "ptes", "default", "pmd", "folio")
    wanted = {summary.case for summary in (row.per_page, row.batched) if summary}
    yield from (case for path in paths if (case := row.group.but(path=path)) in samples and case in wanted)


def _whole(samples: Samples, rows: Sequence[Row]) -> list[str]:
    """The same figures for all of the memory, as they are published, where it is a GiB or more."""
    memory = next((row.group.get("memory") for row in rows), "")
    if samples.results.counted or not memory.endswith("GiB"):
        return []
    by_size: dict[str, list[str]] = {}
    for row in rows:
        for summary in filter(None, (row.per_page, row.batched)):
            path = summary.case.get("path")
            said = f"{NAMES.get(path, path)} {_milliseconds(samples, summary)}"
            by_size.setdefault(size(row.order), []).append(said)
    return [f"{memory} as a whole, ms:", *(f"  {at}: {', '.join(said)}" for at, said in by_size.items())]


def _milliseconds(samples: Samples, summary: Summary) -> str:
    """What a figure a page comes to over all nominal pages, to three digits."""
    pages = float(samples.results.note(summary.case, "pages") or 0)
    return nanoseconds(summary.value * pages * 1e-6)


def clock(samples: Samples, cases: Sequence[Case]) -> list[str]:
    """What timing itself costs a guest, once an operation."""
    metadata = samples.results.metadata
    costs = {metadata.get(f"clock_reading_{case.get('kernel')}") for case in cases} - {None}
    if not costs:
        return []
    unit = "instructions" if samples.results.counted else "ns"
    said = " or ".join(str(cost) for cost in sorted(costs, key=str))
    return [f"a reading of the clock: {said} {unit} an operation, subtracted with the empty one"]


def technique(samples: Samples, groups: Iterable[Case]) -> list[str]:
    """A check of the technique: batched with the bits against the same memory left alone."""
    changes = []
    for group in groups:
        batched, default = group.but(path="ptes"), group.but(path="default")
        if batched in samples and default in samples:
            changes.append((samples.compare(batched, default).change, group.order))
    if not changes:
        return []
    (low, at_low), (high, at_high) = min(changes), max(changes)
    said = f"{percent(low)} at {size(at_low)}"
    said += f" to {percent(high)} at {size(at_high)}" if len(changes) > 1 else ""
    return [f"check of the technique, batched against default (without such bits): {said}"]


def _small(samples: Samples, cases: Sequence[Case]) -> list[str]:
    """Figures that are a small part of what was timed, with their absolute error."""
    found, figures = [], Figures(samples)
    for case in cases:
        gross, share = _share(samples, case)
        if share is not None and share < SMALL:
            medians = sorted(samples[case].medians.values())
            error = (medians[-1] - medians[0]) / 2
            found.append(f"{_words(case, cases)} (+-{figures.plain(error)} of {gross})")
    said = "less than 10 % of what was timed, too little to judge: take more memory"
    return [f"! SMALL at {', '.join(found)}: {said}"] if found else []


def _words(case: Case, cases: Sequence[Case]) -> str:
    """2M pmd; with the kernel, where there are several."""
    several = len({other.get("kernel") for other in cases}) > 1
    return " ".join(filter(None, (size(case.order), case.get("path"), case.get("kernel") if several else "")))


def _share(samples: Samples, case: Case) -> tuple[str, float | None]:
    """The gross figure a page with its unit, and which part of it the net figure is."""
    grosses = [float(run.metadata.get("gross", 0)) for run in samples.results.runs[case]]
    if not all(grosses):
        return "", None
    gross = statistics.median(grosses)
    figures = Figures(samples)
    unit = "ns" if not figures.counted else "instructions"
    return f"{figures.plain(gross)} {unit}", samples.summary(case).value / gross


def _mixed(samples: Samples, cases: Sequence[Case]) -> list[str]:
    """Memory that is not all folios of the order."""
    found = []
    for case in cases:
        share = min(float(run.metadata.get("order_share", 1)) for run in samples.results.runs[case])
        if share < WEAK_SHARE:
            found.append(f"{_words(case, cases)} {share:.1%}")
    return [f"! MIXED at {', '.join(found)}: the share of folios that have this size"] if found else []
