"""Calls of a variant on one folio, interpreted and traced: what each did to the folio's descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import NamedTuple

from bench.lanes.model.counting import STATISTICS, Counts, tally
from kernels import mm_types as mm
from kernels import trace
from kernels.checking.operations import FolioSpec, Operation
from kernels.checking.replay import Replay, Variant
from kernels.memmap import FolioState
from kernels.variants import GENERATIONS, discover
from tests.situations import Situation, situation

LETTERS = {
    "U": "locked_used", "N": "locked_unused", "F": "fences", "w": "stores", "L": "lines", "S": "statistics",
}  # fmt: skip


@cache
def variant_of(name: str) -> Variant:
    """The variant, loaded once."""
    return Variant(discover(hidden=True)[name])


class Counted(Replay):
    """A folio under a variant's calls, beside the oracle, which must agree after each."""

    def __init__(self, variant: str, kind: str, order: int, fresh: bool = False) -> None:
        super().__init__(variant_of(variant), [FolioSpec(kind, order, fresh)])
        self.traces: list[list[trace.Event]] = []

    def _parts(self, given: Operation) -> int:
        with trace.recording() as events:
            result = super()._parts(given)
        self.traces.append(events)
        return result

    def call(self, operation: Operation) -> int:
        """Make one call that need not leave the folio at rest; what it returned."""
        return self._parts(operation)

    def counts(self, *operations: Operation) -> Counts:
        """Make calls that leave the folio at rest; what they did together."""
        before = len(self.traces)
        self.do(operations)
        return self.tally(before, len(self.traces))

    def tally(self, start: int, end: int) -> Counts:
        """What the operations numbered start to end - 1 did."""
        memmap = self.world.memmap
        return tally(chain.from_iterable(self.traces[start:end]), memmap.address, memmap.npages)

    def accesses(self, start: int = -1, end: int | None = None) -> str:
        """Their accesses in order, or the last one's: kind, page and field; S is a statistics call."""
        events = chain.from_iterable(self.traces[start:end])
        return " ".join(filter(None, map(self._access, events)))

    def state(self) -> FolioState:
        """The folio as it is in memory."""
        return self.world.state(0)

    def _access(self, event: trace.Event) -> str:
        memmap = self.world.memmap
        if event.kind == "call":
            return "S" if event.name in STATISTICS else event.name.split("_")[0]
        if event.kind == "F":
            return "F"
        page, offset = divmod(event.address - memmap.address, mm.PAGE_BYTES)
        if event.apart or not 0 <= page < memmap.npages:
            return ""
        if event.name == "clear_bit31_unlock":
            return "unlock"
        field = _field(self.variant.layout, page, offset)
        return f"{event.kind}{page}.{'id0' if field == 'ids' and event.name[-2:] == '32' else field}"


def _field(layout: mm.Layout, page: int, offset: int) -> str:
    """The name of the field at an offset of a descriptor."""
    if page == 1 and offset not in range(8) and offset not in (mm.COMPOUND_HEAD, mm.MAPCOUNT):
        names = {
            layout.large_mapcount: "lm", layout.entire_mapcount: "ent", layout.nr_pages_mapped: "npm",
            layout.pincount: "pins", layout.nr_pages: "nr", layout.mm_ids: "ids", layout.mm_ids + 4: "id1",
            layout.mm_id_mapcount: "cnt0", layout.mm_id_mapcount + 4: "cnt1",
        }  # fmt: skip
        return names[mm.PAGE_BYTES + offset]
    if page == 2 and offset == mm.DEFERRED_LIST - 2 * mm.PAGE_BYTES:
        return "list"
    fields = {
        mm.COMPOUND_HEAD: "head", mm.MAPPING: "mapping", mm.INDEX: "index", mm.PRIVATE: "private",
        mm.MAPCOUNT: "mc", mm.PAGE_TYPE_BYTE: "type", mm.REFCOUNT: "ref",
    }  # fmt: skip
    return fields.get(offset) or ("flags" if offset < 8 else f"{offset:#x}")


def made(variant: str, order: int, given: Situation) -> tuple[Counted, int, int]:
    """The folio after the situation's calls, and the numbers of the first and past the last of them."""
    folio = Counted(variant, given.kind, order, given.fresh)
    for operation in given.setup:
        folio.do(operation)
    start = len(folio.traces)
    folio.do((*given.calls, *given.afterwards))
    return folio, start, start + len(given.calls)


def counted(variant: str, order: int, given: Situation) -> Counts:
    """What the situation's calls did."""
    folio, *calls = made(variant, order, given)
    return folio.tally(*calls)


def traced(variant: str, order: int, given: Situation) -> str:
    """The accesses of the situation's calls."""
    folio, *calls = made(variant, order, given)
    return folio.accesses(*calls)


class Row(NamedTuple):
    """A line of a table: its words, and the cell of one variant."""

    words: tuple[str, ...]
    cell: str


def rows(table: str, variant: str) -> Iterator[Row]:
    """A variant's cells of a text table: words first, then a column a generation; `-`: nothing to test."""
    for line in table.strip().splitlines():
        words = line.split()
        row = Row(tuple(words[: -len(GENERATIONS)]), words[GENERATIONS.index(variant) - len(GENERATIONS)])
        if row.cell != "-":
            yield row


def cell_of(counts: Counts, letters: str) -> str:
    """Counts as a table writes them: U2N1w4, 0 if there is nothing."""
    return "".join(f"{x}{counts[LETTERS[x]]}" for x in letters if counts[LETTERS[x]]) or "0"


def compare(table: str, variant: str, letters: str, path: str = "ptes") -> None:
    """All rows of a table at once, so that a failure shows every one that differs."""
    expected, found = {}, {}
    for words, cell in rows(table, variant):
        order, first, nr = (int(word) for word in words[:3])
        expected[words] = cell
        given = situation(" ".join(words[3:]), path, first, nr)
        found[words] = cell_of(counted(variant, order, given), letters)
    assert found == expected
