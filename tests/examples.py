"""The worked examples of spec section 8: their steps, and the figures of the folio after each.

`python -m tests.examples EXAMPLE VARIANT` makes the steps compiled and prints the figures as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from kernels import abi
from kernels.checking.operations import VMAS, Operation, op
from kernels.mm_types import RMAP_EXCLUSIVE
from tests.counted import Counted

X = RMAP_EXCLUSIVE
Figures = dict[str, object]


class Example(NamedTuple):
    """Steps on one folio, each some operations; `begin` is done before the first."""

    kind: str
    order: int
    steps: tuple[tuple[str, tuple[Operation, ...]], ...]
    fresh: bool = True


def _step(name: str, *operations: Operation) -> tuple[str, tuple[Operation, ...]]:
    return name, operations


def new(order: int) -> Operation:
    """A maps a new folio."""
    return op("add_new_anon", "folio", 0, 1 << order, flags=X)


def dup(first: int, nr: int, path: str = "ptes") -> Operation:
    """A forks B."""
    return op("try_dup_anon", path, first, nr, "B")


def remove(first: int, nr: int, vma: str, path: str = "ptes") -> Operation:
    """A range is unmapped."""
    return op("remove", path, first, nr, vma)


def add(first: int, nr: int, vma: str, path: str = "ptes") -> Operation:
    """A range of a file folio is mapped."""
    return op("add_file", path, first, nr, vma)


def _forked(first: Operation) -> Example:
    return Example(
        "anon",
        4,
        (
            _step("t1", first),
            _step("t2", dup(0, 16)),
            _step("t3", remove(4, 3, "B")),
            _step("t4", remove(4, 3, "A")),
            _step("t5", remove(0, 4, "B"), remove(7, 9, "B")),
            _step("t6", remove(0, 4, "A"), remove(7, 9, "A")),
        ),
        fresh=first.call == "add_new_anon",
    )


EXAMPLES = {
    "8.1": _forked(new(4)),
    "8.1 by pages": _forked(op("add_anon", "ptes", 0, 16, flags=X)),  # 6.7 had no new folios of order 4
    "8.2": Example(
        "anon",
        9,
        (
            _step("new", new(9)),
            _step("+512", op("add_anon", "ptes", 0, 512, flags=X)),
            _step("-PMD", remove(0, 1, "A", "pmd")),
            _step("-1", remove(0, 1, "A")),
            _step("-511", remove(1, 511, "A")),
        ),
    ),
    "8.3": Example(  # mms 11, 22 and 33 of the specification are A, B and C
        "file",
        4,
        (
            _step("+16A", add(0, 16, "A")),
            _step("+16B", add(0, 16, "B")),
            _step("+16C", add(0, 16, "C")),
            _step("-16A", remove(0, 16, "A")),
            _step("-16B", remove(0, 16, "B")),
            _step("-10C", remove(0, 10, "C")),
            _step("+1C", add(0, 1, "C", "pte")),
            _step("-1C", remove(0, 1, "C", "pte")),
            _step("-5C", remove(10, 5, "C")),
            _step("-1C'", remove(15, 1, "C", "pte")),
        ),
        fresh=False,
    ),
    "8.4": Example(
        "anon",
        9,
        (
            _step("new", new(9)),
            _step("fork", dup(0, 1, "pmd")),
            _step("B+512", op("add_anon", "ptes", 0, 512, "B")),
            _step("B-PMD", remove(0, 1, "B", "pmd")),
            _step("B-100", remove(0, 100, "B")),
            _step("A-PMD", remove(0, 1, "A", "pmd")),
            _step("B-412", remove(100, 412, "B")),
        ),
    ),
}
# A figure's name in the tables, and what it is.
FIGURES: dict[str, Callable[[Counted], object]] = {
    "outside": lambda folio: mapcount(folio, [*range(4), *range(7, 16)]),
    "inside": lambda folio: mapcount(folio, range(4, 7)),
    "page0": lambda folio: mapcount(folio, [0]),
    "others": lambda folio: mapcount(folio, range(1, 512)),
    "ent": lambda folio: folio.state().entire_mapcount,
    "npm": lambda folio: folio.state().nr_pages_mapped,
    "lm": lambda folio: folio.state().large_mapcount,
    "slots": lambda folio: slots(folio),
    "SHARED": lambda folio: folio.state().maybe_shared,
    "AE": lambda folio: sum(folio.state().anon_exclusive),
    "ANON": lambda folio: folio.world.statistics().get("NR_ANON_MAPPED", 0),
    "FILE": lambda folio: folio.world.statistics().get("NR_FILE_MAPPED", 0),
    "THPS": lambda folio: folio.world.statistics().get("NR_ANON_THPS", 0),
    "queued": lambda folio: folio.world.statistics().get("queue_len", 0),
}


def mapcount(folio: Counted, pages: range | list[int]) -> object:
    """_mapcount of some pages, which must be the same."""
    counts = {folio.state().mapcounts[page] for page in pages}
    return counts.pop() if len(counts) == 1 else "mixed"


def slots(folio: Counted) -> str | None:
    """Owner slots as A:15/- ; None if the generation has none."""
    names = {0: "", **{vma.mm_id: vma.name for vma in VMAS if vma.name in "ABC"}}
    found = folio.state().slots
    if found is None:
        return None
    return "/".join(f"{names[mm_id]}:{count}" if mm_id else "-" for mm_id, count in found)


def steps(example: str, variant: str) -> Iterator[tuple[str, Figures]]:
    """The name of each step, and the figures after it."""
    kind, order, given, fresh = EXAMPLES[example]
    folio = Counted(variant, kind, order, fresh)
    for name, operations in given:
        start, wanted = len(folio.traces), folio.oracle.splits_wanted
        for operation in operations:
            folio.call(operation)
        counts = folio.tally(start, len(folio.traces))
        yield (
            name,
            {
                **{figure: value(folio) for figure, value in FIGURES.items() if applies(figure, order)},
                "locked": counts["locked_used"] + counts["locked_unused"],
                "dsplit": folio.oracle.splits_wanted - wanted,
                "calls": counts["deferred_split"],
                "lines": counts["lines"],
            },
        )
    folio.check_invariants()


def applies(figure: str, order: int) -> bool:
    """Has a folio of the order the pages that the figure is about?"""
    return figure not in (("page0", "others") if order == 4 else ("outside", "inside"))


def main() -> None:
    """What a process that compiles found: figures by step."""
    abi.use_cache(Path(os.environ["RMAPBENCH_CACHE_DIR"]))
    print(json.dumps(dict(steps(*sys.argv[1:]))))


if __name__ == "__main__":
    main()
