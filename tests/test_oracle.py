"""The oracle alone against numbers of the specification; each invariant against what breaks it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.checking.bookkeeping import Mappings
from kernels.checking.invariants import OF_FOLIO, Seen, violated, violated_by_statistics
from kernels.checking.model import Folio, Vma
from kernels.checking.operations import VMAS, FolioSpec, Operation, op
from kernels.memmap import FolioState
from kernels.mm_types import EBUSY, RMAP_EXCLUSIVE, Layout
from kernels.reference import Oracle
from kernels.variants import GENERATIONS
from tests.counted import variant_of
from tests.example_figures import TABLES
from tests.examples import EXAMPLES, FIGURES, applies, remove
from tests.test_examples import as_written, table


class Alone:
    """The oracle with one folio and no memory: what FIGURES ask of a folio, they find here."""

    def __init__(self, variant: str, spec: FolioSpec) -> None:
        self.variant = variant_of(variant)
        self.folio = Folio(spec, self.variant.layout)
        vmas = {vma.name: Vma(vma, 0x100 * vma.mm_id, 0x900 * vma.mm_id) for vma in VMAS}
        self.oracle = Oracle(self.variant.layout, self.variant.generation, [self.folio], vmas)
        self.world = SimpleNamespace(statistics=lambda: self.oracle.stats)
        if spec.anon and not spec.fresh:
            self.folio.mapping = vmas["A"].anon_vma + 1

    def do(self, *operations: Operation) -> int:
        """Make calls, page by page where the generation has no batches; the first refusal or 0."""
        parts = (part for operation in operations for part in self.variant.expand(operation))
        return next((result for part in parts if (result := self.oracle.apply(part))), 0)

    def state(self) -> FolioState:
        """As Replay finds it in memory."""
        return self.folio.state()

    def figures(self) -> dict[str, object]:
        """All that is in the tables and does not take a trace."""
        found = {name: value for name, value in FIGURES.items() if applies(name, self.folio.spec.order)}
        return {name: value(self) for name, value in found.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", GENERATIONS)
@pytest.mark.parametrize("example", TABLES)
def test_the_oracle_leaves_the_figures_of_the_examples(example: str, variant: str) -> None:
    """Spec section 8, without any kernel: oracle and kernels cannot be wrong together."""
    due = table(TABLES[example][variant])
    kind, order, given, fresh = EXAMPLES["8.1 by pages" if (example, variant) == ("8.1", "v6.7") else example]
    alone, wanted = Alone(variant, FolioSpec(kind, order, fresh)), 0
    for step, operations in given:
        alone.do(*operations)
        figures = {**alone.figures(), "dsplit": alone.oracle.splits_wanted - wanted}
        wanted = alone.oracle.splits_wanted
        columns = {name: value for name, value in due[step].items() if name not in ("locked", "calls")}
        assert as_written(figures, columns) == columns, step


PINNED = op("add_anon", "ptes", 0, 16, flags=RMAP_EXCLUSIVE)


@pytest.mark.parametrize("variant", GENERATIONS)
def test_the_oracle_refuses_what_the_specification_refuses(variant: str) -> None:
    """Spec 5.2, 6.7, 6.8: large folios by their pins, small ones from 1,024 references on."""
    large, small = Alone(variant, FolioSpec("anon", 4)), Alone(variant, FolioSpec("anon", 0))
    large.do(PINNED)
    large.folio.refcount = 5000  # means nothing for a large folio
    assert large.do(op("try_share_anon", "pte", 3)) == 0
    large.folio.pincount = 1
    before = large.state()
    for refused in (
        op("try_dup_anon", "ptes", 0, 16, "B"),
        op("try_dup_anon", "pte", 4, 1, "B"),
        op("try_share_anon", "pte", 4),
    ):
        assert large.do(refused) == -EBUSY
    assert large.state() == before
    assert large.do(op("try_dup_anon", "pte", 3, 1, "B")) == 0
    small.do(op("add_anon", "pte", flags=RMAP_EXCLUSIVE))
    small.folio.refcount = 1024
    assert small.do(op("try_dup_anon", "pte", vma="B")) == -EBUSY
    assert small.do(op("try_dup_anon", "pte", vma="A", src="B")) == 0  # B's mm never pinned
    small.folio.anon_exclusive[0], small.folio.refcount = True, 1023
    assert small.do(op("try_share_anon", "pte")) == 0


@pytest.mark.parametrize("variant", GENERATIONS)
def test_the_oracle_queues_a_folio_that_loses_its_pmd(variant: str) -> None:
    """Spec 4.2, 8.4: 412 pages stay mapped by another mm."""
    alone = Alone(variant, FolioSpec("anon", 9))
    alone.do(op("add_anon", "pmd"), op("add_anon", "ptes", 100, 412, "B"), remove(0, 1, "A", "pmd"))
    assert (alone.folio.deferred, alone.oracle.stats["deferred_split"]) == (True, 1)
    left = 512 if variant == "v6.15-no-page-mapcount" else 412
    assert alone.oracle.stats["NR_ANON_MAPPED"] == alone.oracle.memcg["NR_ANON_MAPPED"] == left


def seen(spec: FolioSpec, layout: Layout, *operations: Operation, pins: int = 0) -> Seen:
    """A folio as the oracle leaves it, with the references due."""
    generation = next(name for name in GENERATIONS if variant_of(name).layout == layout)
    alone, mappings = Alone(generation, spec), Mappings(spec)
    for operation in operations:
        alone.do(operation)
        mappings.update(operation)
    state = alone.state()._replace(refcount=1 + mappings.total() + pins)
    return Seen(layout, state, mappings, pins)


LAYOUT = variant_of("v6.15").layout
TWO = (op("add_anon", "ptes", 0, 4, "A"), op("add_anon", "ptes", 1, 3, "B"))
WHOLE = (op("hugetlb_add_anon", "folio", vma="A"),)
# Invariant, operations on an order-2 folio (hugetlb: order 9), and a field that breaks nothing but it.
BROKEN: list[tuple[str, tuple[Operation, ...], dict[str, Any]]] = [
    ("I1", TWO, {"nr_pages_mapped": 5}),
    ("I1", TWO, {"nr_pages_mapped": 0x800004}),
    ("I2", (TWO[0],), {"large_mapcount": 4, "maybe_shared": True}),
    ("I5", TWO, {"refcount": 9}),
    ("I6", TWO, {"anon_exclusive": (False, True, False, False)}),
    ("I7", TWO, {"slots": ((11, 3), (11, 2))}),
    ("I7", TWO, {"slots": ((11, 4), (0x7FFF_FFFF, 2))}),
    ("I7", TWO, {"slots": ((11, 3), (0, 2))}),
    ("I7", TWO, {"slots": ((11, -1), (0x7FFF_FFFF, 2))}),
    ("I8", TWO, {"maybe_shared": False}),
    ("I8", (), {"maybe_shared": True}),
    ("I10", WHOLE, {"large_mapcount": 1}),
    ("I11", (), {"slots": ((11, -1), (0, -1))}),
    ("I11", (), {"locked": True}),
    ("page tables", (TWO[0],), {"mapcounts": (0, 0, 0, -1)}),
]


@pytest.mark.parametrize(("name", "operations", "field"), BROKEN)
def test_an_invariant_sees_the_state_that_breaks_it(
    name: str, operations: tuple[Operation, ...], field: dict[str, Any]
) -> None:
    """Spec section 7; in the state before, none is broken."""
    spec = FolioSpec("hugetlb_anon", 9) if operations is WHOLE else FolioSpec("anon", 2)
    right = seen(spec, LAYOUT, *operations)
    assert violated(right) == []
    wrong = dataclasses.replace(right, state=right.state._replace(**field))
    assert name in [says.partition(":")[0] for says in violated(wrong)]


def test_every_invariant_is_shown_to_see_something() -> None:
    """Those of the statistics are below."""
    assert {name for name, *_ in BROKEN} == set(OF_FOLIO)


@pytest.mark.parametrize(("spec", "operations", "due"), [
    (FolioSpec("anon", 0), (op("add_anon", "pte"),), {"NR_ANON_MAPPED": 1}),
    (FolioSpec("anon", 2), TWO, {"NR_ANON_MAPPED": 4}),
    (FolioSpec("anon", 9), (op("add_anon", "pmd"),), {"NR_ANON_MAPPED": 512, "NR_ANON_THPS": 512}),
    (FolioSpec("file", 9), (op("add_file", "ptes", 7, 5),), {"NR_FILE_MAPPED": 5}),
    (FolioSpec("file", 9), (op("add_file", "pmd"),), {"NR_FILE_MAPPED": 512, "NR_FILE_PMDMAPPED": 512}),
    (FolioSpec("hugetlb_anon", 9), WHOLE, {}),
])  # fmt: skip
def test_statistics_are_what_the_folios_contribute(
    spec: FolioSpec, operations: tuple[Operation, ...], due: dict[str, int]
) -> None:
    """I3, I4 and I9; one more of any is seen."""
    folio = seen(spec, LAYOUT, *operations)
    assert violated_by_statistics([folio], due) == []
    for name in (
        "NR_ANON_MAPPED",
        "NR_FILE_MAPPED",
        "NR_ANON_THPS",
        "NR_FILE_PMDMAPPED",
        "NR_SHMEM_PMDMAPPED",
    ):
        assert len(violated_by_statistics([folio], {**due, name: due.get(name, 0) + 1})) == 1


def test_without_page_mapcounts_a_folio_contributes_all_of_itself() -> None:
    """I3': from the first mapping of any page to the last."""
    folio = seen(FolioSpec("file", 4), variant_of("v6.15-no-page-mapcount").layout, op("add_file", "pte", 3))
    assert violated_by_statistics([folio], {"NR_FILE_MAPPED": 16}) == []
    assert violated_by_statistics([folio], {"NR_FILE_MAPPED": 1}) != []
