"""Scenarios do what the specification says: locked operations by number, everything else by the oracle."""

from __future__ import annotations

import ctypes

import pytest

from bench.lanes.model.patterns import PATTERNS, cycle, picture
from bench.lanes.model.scenarios import BY_NAME, ON_REQUEST, SCENARIOS
from bench.lanes.model.scene_check import check, check_one
from kernels import pgtable
from kernels.check import Mismatch
from kernels.variants import GENERATIONS
from tests.conftest import Cli
from tests.scenes import batch, code, counted, locked, targets, world

NEWER = ("v6.10", "v6.12", "v6.15", "v6.15-no-page-mapcount")
# Locked instructions of an order-4 folio (spec 12.5): page by page in 6.8, then batched in 6.8 (the callers
# of 6.9) and in the generations of NEWER.
TABLE = {
    "fork/anon": (64, 49, 50, 50, 50, 34),
    "fork/anon/shared": (32, 17, 18, 18, 18, 2),
    "zap/anon/munmap-last": (64, 49, 50, 35, 35, 18),
    "zap/anon/exit-last": (48, 33, 34, 19, 19, 2),
    "zap/anon/munmap-shared": (48, 33, 34, 34, 34, 18),
}
# The same where there is one number a generation: 6.8 and those of NEWER.
ONE_FORM = {
    ("fault/anon", "folio"): (17, 17, 17, 17, 17),
    # 16 calls and references, as up to 6.6; the table's 33 page by page in 6.8 are those of one call.
    ("fault_around/file/first", "pte"): (16 * (2 + 1), *3 * (16 * (3 + 1),), 16 * (1 + 1)),
    ("fault_around/file/first", "ptes"): (33, 34, 19, 19, 2),
    ("unmap_migrate/anon", "pte"): (96, 112, 112, 112, 80),
    ("restore_migrate/anon", "pte"): (64, 80, 80, 80, 48),
}
ORDER_0 = {
    "fork/anon": 4, "zap/anon/munmap-last": 3, "zap/anon/munmap-shared": 3, "zap/anon/exit-last": 2,
}  # fmt: skip


@pytest.mark.parametrize("scenario", TABLE)
def test_an_order_4_folio_takes_the_locked_instructions_of_the_table(scenario: str) -> None:
    """Per page in 6.8; batched in every generation."""
    per_page, *batched = TABLE[scenario]
    assert locked(scenario, "v6.8", "pte", 4) == per_page
    assert [locked(scenario, variant, "ptes", 4) for variant in ("v6.8", *NEWER)] == batched


@pytest.mark.parametrize(("scenario", "path"), ONE_FORM)
def test_faults_and_migration_take_the_locked_instructions_of_the_table(scenario: str, path: str) -> None:
    """In 6.8 and later."""
    found = tuple(locked(scenario, variant, path, 4) for variant in ("v6.8", *NEWER))
    assert found == ONE_FORM[scenario, path]


@pytest.mark.parametrize("scenario", ORDER_0)
@pytest.mark.parametrize("path", ["pte", "ptes"])
def test_order_0_takes_the_same_in_every_generation_and_form(scenario: str, path: str) -> None:
    """4 in fork, 3 in munmap, 2 at exit."""
    found = {locked(scenario, variant, path, 0) for variant in ("v6.8", *NEWER)}
    assert found == {ORDER_0[scenario]}


def test_order_0_faults_take_what_the_table_says() -> None:
    """6.7 adds no reference of 0; 6.18 keeps the lookup's reference."""
    assert [locked("fault/anon", variant, "folio", 0) for variant in ("v6.7", "v6.8", *NEWER)] == [1] + [
        2
    ] * 5
    found = [locked("fault_around/file/first", variant, "ptes", 0) for variant in ("v6.8", *NEWER)]
    assert found == [2, 2, 2, 1, 1]


def test_splitting_a_pmd_takes_the_locked_instructions_of_the_example() -> None:
    """Spec 8.2, and one exchange of the PMD entry."""
    found = [locked("split_pmd/anon", variant, "ptes", 9) for variant in ("v6.8", *NEWER)]
    assert found == [1540, 1542, 1031, 1031, 517]
    assert locked("split_pmd/anon", "v6.7", "pte", 9) == 1540


def test_contiguous_blocks_cost_what_the_specification_says() -> None:
    """Without hooks an unfold and a fold a block of 16, each with 16 clears; with them none at all."""
    without, hooked = (counted("contpte/anon/fork", "v6.12", path, 4) for path in ("pte", "ptes"))
    assert (without["tlb"], hooked["tlb"]) == (2, 0)
    assert locked("contpte/anon/fork", "v6.12", "pte", 4) == locked("fork/anon", "v6.12", "pte", 4) + 32
    assert locked("contpte/anon/fork", "v6.12", "ptes", 4) == locked("fork/anon", "v6.12", "ptes", 4)
    zapped = [counted("contpte/anon/munmap", "v6.12", path, 4)["tlb"] for path in ("pte", "ptes")]
    assert zapped == [2, 1]  # the flush at the end is one


def test_a_pinned_folio_is_copied_page_by_page() -> None:
    """Spec 8.5: batch attempts cost two references each, the last page none; nothing else changes."""
    arm = batch("fork/anon/pinned", "v6.12", "ptes", 4)
    arm.verify()
    found = counted("fork/anon/pinned", "v6.12", "ptes", 4)
    # 15 batches and 16 + 1 single attempts take and drop references; 16 copies set PG_anon_exclusive.
    assert found["locked_used"] + found["locked_unused"] == 2 * 15 + 2 * 17 + 16


@pytest.mark.parametrize("variant", GENERATIONS)
def test_every_scenario_leaves_what_the_oracle_says(variant: str) -> None:
    """Every path and pattern, and random pictures: PTEs, counters, references, statistics, rss."""
    assert check(world(), targets.files[variant], code(variant)) > 100


@pytest.mark.parametrize("looks_beyond", [True, False])
def test_batches_of_every_length_are_found(looks_beyond: bool) -> None:
    """1 to 512 PTEs: where a bit differs, where the range ends, where the folio ends."""
    table = (ctypes.c_int64 * 513)(*(page << 12 | 1 for page in range(513)))
    at = ctypes.addressof(table)
    for nr in range(1, 513):
        table[nr] |= pgtable.PAGE_UFFD_WP
        assert pgtable.folio_pte_batch(at, table[0], 512, 512, 0, looks_beyond)[0] == min(nr, 512)
        table[nr] &= ~pgtable.PAGE_UFFD_WP
        assert pgtable.folio_pte_batch(at, table[0], nr, 512, 0, looks_beyond)[0] == nr
        assert pgtable.folio_pte_batch(at, table[0], 513, nr, 0, looks_beyond)[0] == nr


def test_later_bits_are_collected_and_ignored_bits_do_not_end_a_batch() -> None:
    """A read-only first PTE and a writable second one: fork must see the second."""
    table = (ctypes.c_int64 * 2)(1 << 12 | 1, 2 << 12 | 1 | pgtable.PAGE_RW)
    at = ctypes.addressof(table)
    nr, any_bits = pgtable.folio_pte_batch(at, table[0], 2, 2, pgtable.FORK_IGNORES, False)
    assert (nr, any_bits & pgtable.PAGE_RW) == (2, pgtable.PAGE_RW)
    assert pgtable.folio_pte_batch(at, table[0], 2, 2, pgtable.PAGE_ACCESSED, False)[0] == 1


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("order", [0, 2, 4, 9])
def test_a_pattern_covers_its_window_with_folios(pattern: str, order: int) -> None:
    """Aligned, without overlap; every PTE maps a page of the window."""
    drawn = picture(pattern, order, 1024)
    pages = [page for first, k in drawn.folios for page in range(first, first + (1 << k))]
    assert sorted(pages) == list(range(1024))
    assert all(first % (1 << k) == 0 and k != 1 for first, k in drawn.folios)
    assert len({pte.page for pte in drawn.ptes}) == len(drawn.ptes)


def test_runs_of_every_length_occur_in_the_patterns() -> None:
    """1 to 511 pages before or behind a hole of an order-9 folio, and 512; in a hot window evenly spread."""
    orders = (0, *range(2, 10))
    drawn = [picture(pattern, order, 1024) for pattern in PATTERNS for order in orders]
    whole = [picture("partial", order, cycle(order)) for order in orders]
    assert {run.nr for one in (*drawn, *whole) for run in one.runs} == set(range(1, 513))
    for order, one in zip(orders[1:], whole[1:]):
        assert sorted(run.nr for run in one.runs) == list(range(1, 1 << order))  # 2^(order - 1) on average
        hot = [run.nr for run in picture("partial", order, 1024).runs]
        assert abs(sum(hot) / len(hot) - (1 << order >> 1)) <= 0.5


@pytest.mark.parametrize("scenario", [what.name for what in SCENARIOS if not what.undoes_itself])
def test_a_window_goes_back_to_where_it_began(scenario: str) -> None:
    """After a scenario and a restore every descriptor and every PTE is as in the image."""
    what = BY_NAME[scenario]
    order = 9 if what.op == "split_pmd" else 2
    for path in what.forms:
        arm = batch(scenario, "v6.12", path, order)
        before = arm.scene.image().tobytes(), arm.scene.child_image().tobytes()
        arm.verify()
        assert (arm.scene.image().tobytes(), arm.scene.child_image().tobytes()) == before


def test_a_scenario_that_goes_wrong_is_named() -> None:
    """Scenario, variant, path, what, expected and found."""
    arm = batch("fork/anon", "v6.12", "ptes", 2)
    spec, drawn = arm.spec, arm.scene.drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernels.scenario.fork.fork_ptes.__code__", _does_nothing.__code__)
        with pytest.raises(Mismatch) as caught:
            check_one(world(), spec, code("v6.12"), drawn)
    words = "fork/anon of v6.12 on path ptes, order 2, full: PTE 0 of A: expected 0x"
    assert str(caught.value).startswith(words)


def _does_nothing(scene: int) -> None:
    return None


def test_shapes_kept_on_request_are_marked() -> None:
    """contpte v3's fork exists for comparison only."""
    assert {path for what in SCENARIOS for path in what.forms} - {"pte", "ptes", "folio"} == set(ON_REQUEST)


COMPILED = """
import os
from pathlib import Path
from kernels import abi
abi.use_cache(Path(os.environ["RMAPBENCH_CACHE_DIR"]))
from bench.lanes.model.patterns import cycle, picture
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_check import check_one
from tests import scenes
for scenario in ("fork/anon", "zap/anon/munmap-last"):
    every_length = SceneSpec("case", scenario, 9, "v6.12", "ptes", "partial")
    check_one(scenes.world(), every_length, scenes.code("v6.12"), picture("partial", 9, cycle(9)))
    for path, order, pattern in (("ptes", 4, "full"), ("ptes", 2, "partial"), ("ptes", 0, "full")):
        arm = scenes.batch(scenario, "v6.12", path, order, pattern)
        check_one(scenes.world(), arm.spec, scenes.code("v6.12"), arm.scene.drawn)
        assert arm.nanoseconds(3)[0] > 0
print("agree")
"""


def test_compiled_scenarios_leave_what_the_oracle_says(cli: Cli) -> None:
    """Two of them, in a process that compiles: also with batches of 1, 2, ... 511 pages."""
    outcome = cli.python("-c", COMPILED)
    assert (outcome.code, outcome.out) == (0, "agree\n"), outcome.err
