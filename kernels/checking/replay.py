"""Replaying operations on a variant and on the oracle at once, comparing all there is after each call."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from kernels import abi
from kernels.calls import Resolved, resolve
from kernels.checking.bookkeeping import allocate, references
from kernels.checking.invariants import Seen, violated, violated_by_statistics
from kernels.checking.model import Folio
from kernels.checking.operations import OUTSIDE_CALLS, FolioSpec, Operation
from kernels.checking.world import PAGE_CACHE_MAPPING, World
from kernels.mm_types import PAGE_BYTES, PAGE_MAPPING_ANON, Layout
from kernels.reference import Oracle
from kernels.variants import GENERATIONS, VariantFile, discover, load

NAMES = {
    "mapcounts": "_mapcount",
    "anon_exclusive": "PG_anon_exclusive",
    "refcount": "_refcount",
    "swapbacked": "PG_swapbacked",
    "entire_mapcount": "_entire_mapcount",
    "large_mapcount": "_large_mapcount",
    "nr_pages_mapped": "_nr_pages_mapped",
    "slots": "_mm_id and _mm_id_mapcount",
    "maybe_shared": "the maybe-shared flag of _mm_ids",
    "locked": "the lock bit of _mm_ids",
    "partially_mapped": "PG_partially_mapped",
    "deferred": "on the deferred-split queue",
}
THOROUGH_PARTS = 2  # of a batch made page by page: the first and the last calls are compared in full


class Mismatch(Exception):
    """A variant did something else than the oracle; one sentence: call, arguments, counter, both values."""


class Variant:
    """A variant's functions, callable from Python."""

    def __init__(self, file: VariantFile) -> None:
        self.file = file
        self.module = load(file)
        self.layout = self.module.LAYOUT
        self.generation = generation_of(file, self.layout)
        self.function = cache(self._function)
        self._resolved = cache(lambda call, path: resolve(file, call, path))

    def _function(self, name: str) -> Any:
        return abi.callable_of(getattr(self.module, name))

    def resolve(self, op: Operation) -> Resolved | None:
        """The function for an operation."""
        return self._resolved(op.call, op.path)

    def expand(self, op: Operation) -> Iterator[Operation]:
        """The call, page by page if the variant has no batched function for it."""
        if self.resolve(op):
            yield op
        elif op.path == "ptes":
            yield from (single for single in op.one_by_one() if self.resolve(single))


def generation_of(file: VariantFile, layout: Layout) -> str:
    """The generation whose rules hold: that of BASE, but of a copy of a generation's file its own."""
    if file.name in GENERATIONS or layout == _layout(file.generation):
        return file.generation
    return next((name for name in GENERATIONS if layout == _layout(name)), file.generation)


@cache
def _layout(generation: str) -> Layout:
    layout: Layout = load(discover()[generation]).LAYOUT
    return layout


class Replay:
    """One variant working on some folios beside the oracle; `do` raises Mismatch where they differ."""

    def __init__(self, variant: Variant, specs: Sequence[FolioSpec], about: str = "") -> None:
        self.variant, self.specs, self.about = variant, specs, about
        self.world = World(variant.layout, specs)
        self.folios = [Folio(spec, variant.layout) for spec in specs]
        self.oracle = Oracle(variant.layout, variant.generation, self.folios, self.world.vmas())
        self.mappings = allocate(specs)
        self.pins = [0] * len(specs)
        self.beside = [0] * len(specs)  # references that are neither mappings nor pins
        self.calls = 0
        for folio in range(len(specs)):
            self._own(folio)

    def _own(self, number: int) -> None:
        """Anonymous folios belong to A, file folios to a page cache that holds their references."""
        folio, spec = self.folios[number], self.specs[number]
        if spec.anon and not spec.fresh:
            folio.mapping = self.oracle.vmas["A"].anon_vma + PAGE_MAPPING_ANON
            folio.swapbacked = not spec.hugetlb
        elif not spec.anon:
            folio.mapping, folio.index = PAGE_CACHE_MAPPING, 7
            folio.swapbacked = spec.kind == "shmem"
        self.world.belong(number, folio.mapping, folio.index, folio.swapbacked)
        self.beside[number] = 1 if spec.anon else spec.nr_pages
        self._refer(number, self.beside[number] - folio.refcount)

    def _refer(self, number: int, nr: int) -> None:
        self.folios[number].refcount += nr
        self.world.set_refcount(number, self.folios[number].refcount)

    def do(self, operations: Operation | Iterable[Operation]) -> int:
        """Make calls that leave the folios at rest; what the last one returned. Mismatch if wrong."""
        result = 0
        for given in [operations] if isinstance(operations, Operation) else operations:
            result = self._outside(given) if given.call in OUTSIDE_CALLS else self._parts(given)
        self.check_invariants()
        return result

    def _parts(self, given: Operation) -> int:
        """The call, or page by page up to the first refusal."""
        parts = list(self.variant.expand(given))
        if len(parts) > 1:  # what an earlier, refused batch got done page by page is not done again
            parts = [op for op in parts if op.first not in self.mappings[op.folio].of(op.vma) or _undoes(op)]
        for number, op in enumerate(parts):
            if result := self._call(op, number < THOROUGH_PARTS or number == len(parts) - 1):
                return result
        return 0

    def _outside(self, op: Operation) -> int:
        """What others do to a folio: op.nr pins or references more, or entering the swap cache."""
        folio, number = self.folios[op.folio], op.folio
        nr = -op.nr if op.call == "unpin" else op.nr
        if op.call == "swapcache":
            folio.swapcache = True
            self.world.enter_swapcache(number)
        elif op.call == "reference":
            self.beside[number] += nr
            self._refer(number, nr)
        else:
            self.pins[number] += nr
            self._refer(number, nr if folio.spec.order else nr * 1024)
            if folio.spec.order:
                folio.pincount += nr
                self.world.pin(number, folio.pincount)
        return 0

    def _call(self, op: Operation, thorough: bool) -> int:
        level = self._level(op)
        due = references(level, self.specs[op.folio])
        self._refer(op.folio, max(due, 0))
        before = self.world.raw(op.folio)
        expected = self.oracle.apply(op)
        found = self._run(op)
        self.calls += 1
        self._compare(op, "the return value", expected, found)
        if expected != 0 and self.world.raw(op.folio) != before:
            self._compare_states(op)
            self._wrong(op, "a descriptor after -EBUSY", "unchanged", "changed")
        if thorough:
            self._compare_states(op)
        if expected == 0:
            self.mappings[op.folio].update(level)
        self._refer(op.folio, min(due, 0) if expected == 0 else -due)
        return expected

    def _level(self, op: Operation) -> Operation:
        """The operation as the page tables see it: most generations duplicate a file PMD as PTEs (6.10)."""
        if (op.call, op.path) == ("dup_file", "pmd") and not self.oracle.rules.dups_file_pmd_as_pmd:
            return dataclasses.replace(op, path="ptes", nr=self.specs[op.folio].nr_pages)
        return op

    def _run(self, op: Operation) -> int:
        resolved = self.variant.resolve(op)
        assert resolved is not None
        try:
            return self.variant.function(resolved.function)(*self.arguments(op, resolved))
        except Exception as error:  # an interpreted kernel's own, or numba's refusal to compile it
            reason = (str(error).strip().splitlines() or [""])[0]
            raise Mismatch(f"{self.describe(op)}: fails with {type(error).__name__}: {reason}") from error

    def arguments(self, op: Operation, resolved: Resolved) -> tuple[int, ...]:
        """What the function is given: addresses of this replay's memory."""
        head = self.world.heads[op.folio]
        vma = self.world.vma_at
        return resolved.arguments(
            folio=head,
            page=head + op.first * PAGE_BYTES,
            nr_pages=op.nr,
            vma=vma[op.vma],
            dst_vma=vma[op.vma],
            src_vma=vma[op.src],
            address=self.oracle.vmas[op.vma].spec.start + op.offset(),
            flags=op.flags,
        )

    def describe(self, op: Operation) -> str:
        """The call with its arguments, for people."""
        spec = self.specs[op.folio]
        resolved = self.variant.resolve(op)
        name = resolved.function if resolved else op.call
        last = op.first + op.nr - 1
        pages = f"page {op.first}" if op.nr == 1 else f"pages {op.first}-{last} (nr_pages {op.nr})"
        whole = op.path in ("pmd", "folio")
        words = [
            f"order-{spec.order} {spec.kind} folio {op.folio}",
            "whole" if whole else pages,
            f"vma {op.vma}",
        ]
        words += [f"src_vma {op.src}"] if op.call.endswith("try_dup_anon") else []
        words += ["RMAP_EXCLUSIVE"] if op.exclusive else []
        return f"{name}({', '.join(words)})"

    def _wrong(self, op: Operation, counter: str, expected: object, found: object) -> None:
        where = f"{self.describe(op)}, call {self.calls}{self.about}"
        raise Mismatch(f"{where}: {counter}: expected {expected}, found {found}")

    def _compare(self, op: Operation, counter: str, expected: object, found: object) -> None:
        if expected != found:
            self._wrong(op, counter, expected, found)

    def _compare_states(self, op: Operation) -> None:
        for number, folio in enumerate(self.folios):
            expected, found = folio.state(), self.world.state(number)
            if expected != found:
                self._explain(op, number, expected, found)
            if folio.spec.hugetlb:
                found_reserve = self.world.restore_reserve(number)
                self._compare(op, "hugetlb's restore-reserve flag", folio.restore_reserve, found_reserve)
        if elsewhere := self.world.changed_elsewhere():
            self._wrong(op, elsewhere, "unchanged", "changed")
        self._compare_counts(op, "", self.oracle.stats, self.world.statistics())
        self._compare_counts(op, "the memcg's ", self.oracle.memcg, self.world.memcg_statistics())

    def _explain(self, op: Operation, number: int, expected: Any, found: Any) -> None:
        of = "" if number == op.folio else f" of folio {number}"
        for field, due in expected._asdict().items():
            has = getattr(found, field)
            if due != has and field in ("mapcounts", "anon_exclusive"):
                page = next(page for page, pair in enumerate(zip(due, has)) if pair[0] != pair[1])
                self._wrong(op, f"{NAMES[field]} of page {page}{of}", due[page], has[page])
            self._compare(op, NAMES.get(field, field) + of, due, has)

    def _compare_counts(self, op: Operation, whose: str, expected: Any, found: Any) -> None:
        for name in sorted({*expected, *found}):
            self._compare(op, f"{whose}{name}", expected.get(name, 0), found.get(name, 0))

    def seen(self) -> list[Seen]:
        """The folios as they are in memory, for the invariants."""
        layout = self.variant.layout
        return [
            Seen(layout, self.world.state(i), self.mappings[i], self.pins[i], self.beside[i])
            for i in range(len(self.specs))
        ]

    def check_invariants(self) -> None:
        """Mismatch if what is in memory breaks an invariant of spec 7."""
        seen = self.seen()
        broken = [says for folio in seen for says in violated(folio)]
        broken += violated_by_statistics(seen, self.world.statistics())
        if broken:
            raise Mismatch(f"after call {self.calls}{self.about}: {broken[0]}: does not hold")


def _undoes(op: Operation) -> bool:
    return op.call == "remove"
