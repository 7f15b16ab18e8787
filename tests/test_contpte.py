"""arm64's contiguous blocks cost what the specification says (10.3): loads, clears, stores and flushes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.lanes.model.counting import Counts, tally_in
from bench.lanes.model.patterns import CONT_PTES, Picture, Pte, picture
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_check import check_one
from kernels import contpte, trace
from kernels.memmap import get, put
from kernels.mm_types import PAGE_BYTES
from kernels.pgtable import PAGE_CONT, PAGE_DIRTY, PAGE_RW, ZAP_IGNORES
from tests.conftest import Cli
from tests.scenes import batch, code, counted, world

GATHER = world().gather(0)
LAST = CONT_PTES - 1


def blocks(order: int = 4) -> SceneBatch:
    """A folio of contiguous blocks, mapped in A's table."""
    arm = batch("contpte/anon/munmap", "v6.12", "ptes", order)
    arm.reset()
    return arm


def costs(arm: SceneBatch, call: Callable[[], object]) -> tuple[int, int, int, int]:
    """Loads of PTEs, atomic clears, stores and invalidations."""
    with trace.recording() as events:
        call()
    found: Counts = tally_in(events, *arm.arena.counted)
    return found["pte_loads"], found["locked_used"] + found["locked_unused"], found["stores"], found["tlb"]


def test_a_contiguous_pte_is_read_with_its_whole_block() -> None:
    """1 + 16 loads, another one 1."""
    arm, table = blocks(), blocks().arena.tables
    assert costs(arm, lambda: contpte.contpte_ptep_get(table + 8 * 5)) == (17, 0, 0, 0)
    put(table + 8 * 5, get(table + 8 * 5) & ~PAGE_CONT)
    assert costs(arm, lambda: contpte.contpte_ptep_get(table + 8 * 5)) == (1, 0, 0, 0)


def test_a_block_is_unfolded_and_folded_with_16_clears_and_16_stores() -> None:
    """An unfold looks at one PTE before, a fold at all 16; each is one invalidation."""
    arm = blocks()
    table, folio = arm.arena.tables, arm.arena.pages
    before = [get(table + 8 * i) for i in range(CONT_PTES)]
    assert costs(arm, lambda: contpte.contpte_try_unfold(GATHER, table + 8 * 3)) == (1, 16, 16, 1)
    assert [get(table + 8 * i) for i in range(CONT_PTES)] == [pte & ~PAGE_CONT for pte in before]
    last, page = table + 8 * LAST, folio + LAST * PAGE_BYTES
    found = costs(arm, lambda: contpte.contpte_try_fold(GATHER, folio, page, last, get(last)))
    assert found == (16, 16, 16, 1)
    assert [get(table + 8 * i) for i in range(CONT_PTES)] == before


@pytest.mark.parametrize("odd", [0, 7, LAST - 1])
def test_a_fold_that_fails_looks_only_as_far_as_the_pte_that_differs(odd: int) -> None:
    """1 to 16 loads, no clear, no store; dirty and accessed bits are no difference."""
    arm = blocks()
    table, folio = arm.arena.tables, arm.arena.pages
    contpte.contpte_try_unfold(GATHER, table)
    put(table + 8 * odd, get(table + 8 * odd) & ~PAGE_RW)
    last = table + 8 * LAST
    pte, page = get(last), folio + LAST * PAGE_BYTES
    found = costs(arm, lambda: contpte.contpte_try_fold(GATHER, folio, page, last, pte))
    assert found == (odd + 1, 0, 0, 0)
    put(table + 8 * odd, (get(table + 8 * odd) | PAGE_RW) & ~PAGE_DIRTY)
    assert costs(arm, lambda: contpte.contpte_try_fold(GATHER, folio, page, last, pte)) == (16, 16, 16, 1)
    assert all(get(table + 8 * i) & PAGE_DIRTY for i in range(CONT_PTES))


@pytest.mark.parametrize("order", [4, 5, 9])
def test_a_batch_is_found_with_17_loads_a_block(order: int) -> None:
    """By the hint; the first PTE is at hand already. Without blocks it is one load a PTE."""
    arm = blocks(order)
    table, folio, nr = arm.arena.tables, arm.arena.pages, 1 << order
    pte = get(table)
    assert contpte.contpte_batch(folio, folio, table, pte, nr, ZAP_IGNORES)[0] == nr
    found = costs(arm, lambda: contpte.contpte_batch(folio, folio, table, pte, nr, ZAP_IGNORES))
    assert found == (17 * (nr // CONT_PTES - 1), 0, 0, 0)
    assert counted("contpte/anon/munmap", "v6.12", "ptes", order)["pte_loads"] == 17 * nr // CONT_PTES


@pytest.mark.parametrize(
    ("first", "nr", "unfolded"), [(0, 32, 0), (8, 24, 1), (0, 24, 1), (8, 16, 2), (16, 16, 0), (3, 5, 1)]
)
def test_only_blocks_at_the_edges_of_a_range_are_unfolded(first: int, nr: int, unfolded: int) -> None:
    """Where it covers them in part: at its begin, at its end, both, or neither."""
    arm = blocks(5)
    table = arm.arena.tables
    found = costs(arm, lambda: contpte.contpte_unfold_edges(GATHER, table + 8 * first, nr))
    assert found == (unfolded, 16 * unfolded, 16 * unfolded, unfolded)


def test_page_by_page_costs_a_look_for_the_bit_each() -> None:
    """Of a block, fork: read, unfold, write-protect, set and fold; munmap: read and unfold."""
    assert counted("contpte/anon/fork", "v6.12", "pte", 4)["pte_loads"] == (17 + 15) + 16 + 16 + 16 + 16
    assert counted("contpte/anon/fork", "v6.12", "ptes", 4)["pte_loads"] == 17 + 16
    assert counted("contpte/anon/munmap", "v6.12", "pte", 4)["pte_loads"] == (17 + 15) + 16


def test_a_block_is_folded_by_the_last_pte_only_in_one_folio() -> None:
    """Set by itself after fifteen others: also by a batch of one; never over folios next to each other."""
    ptes = tuple(Pte(page, page, PAGE_DIRTY if page == LAST else 0) for page in range(CONT_PTES))
    for path in ("pte", "ptes"):
        spec = SceneSpec("case", "contpte/anon/fork", 4, "v6.12", path, "random")
        check_one(world(), spec, code("v6.12"), Picture(16, ((0, 4),), ptes, 16))
        arm = batch("contpte/anon/fork", "v6.12", path, 4, drawn=Picture(16, ((0, 4),), ptes, 16))
        arm.verify()
        check_one(world(), spec, code("v6.12"), picture("full", 2, 16))
        check_one(world(), spec, code("v6.12"), picture("full", 3, 32))


def test_patterns_of_blocks_hold_blocks_that_the_range_covers_in_part() -> None:
    """Unaligned: the range begins and ends within one; partial: some cannot be folded."""
    for order in (4, 9):
        drawn = picture("unaligned", order, 1024, cuts=True)
        assert drawn.begin % CONT_PTES and drawn.slots % CONT_PTES
        assert drawn.walked == drawn.slots - drawn.begin < len(drawn.ptes) == 1024
        arm = batch("contpte/anon/munmap", "v6.12", "ptes", order, "unaligned")
        arm.reset()
        assert get(arm.arena.tables) & PAGE_CONT
        arm.scenario(arm.block)
        left = get(arm.arena.tables)
        assert left and not left & PAGE_CONT
        arm.verify()
    arm = batch("contpte/anon/fork", "v6.12", "ptes", 4, "partial")
    assert not any(get(arm.arena.tables + 8 * i) & PAGE_CONT for i in range(CONT_PTES))


def test_loads_of_page_tables_are_a_column_of_scenarios(cli: Cli) -> None:
    """Among the loads; where only calls are counted, there is no such column."""
    shown = cli(
        "count", "contpte", "state=munmap", "order=4", "variant=v6.12", "path=ptes", "pattern=full"
    ).out
    head, row = (line.split() for line in shown.splitlines()[:2])
    found = dict(zip(head, row[1:]))
    assert (found["pte"], found["tlb"]) == ("17", "1")
    assert int(found["loads"]) > 17
    calls = cli("count", "remove", "order=0", "variant=v6.12", "path=pte", "kind=anon", "state=last").out
    assert "pte" not in calls.splitlines()[0].split()
