"""The worked examples of spec section 8, step by step: every counter, the statistics, locked operations."""

from __future__ import annotations

import json

import pytest

from kernels.checking.operations import op
from kernels.mm_types import EBUSY, RMAP_EXCLUSIVE
from kernels.variants import GENERATIONS
from tests.conftest import ROOT, Cli
from tests.counted import Counted
from tests.example_figures import E2_SPLIT, TABLES
from tests.examples import Figures, dup, slots, steps

# 8.5: what a refused try_dup looks at (as in tests/test_traces.py): the pin, then page 0; page 0 first in
# v6.7 and the RFC.
REFUSED = {
    "v6.7": "r0.flags r0.head r0.flags r1.pins",
    "rfc-2023-12": "r0.flags r0.flags r1.pins",
    "v6.8": "r0.flags r1.pins r0.flags",
    "v6.10": "r0.flags r1.pins r0.head r0.mc r0.flags",
    "v6.12": "r0.flags r1.pins r0.head r0.type r0.flags",
    "v6.15": "r0.flags r1.pins r0.head r0.type r0.flags",
    "v6.15-no-page-mapcount": "r0.flags r1.pins r0.head r0.type r0.flags",
}


def table(text: str) -> dict[str, dict[str, str]]:
    """Figures by step and column, as written but for hexadecimal numbers."""
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {words[0]: dict(zip(head[1:], map(written, words[1:]), strict=True)) for words in lines}


def written(value: object) -> str:
    """A figure as the tables write it: - for what is missing, 0 and 1 for bits."""
    if value is None:
        return "-"
    text = str(int(value)) if isinstance(value, bool) else str(value)
    return str(int(text, 16)) if text.startswith("0x") else text


def as_written(figures: Figures, columns: dict[str, str]) -> dict[str, str]:
    """The figures of a table's columns."""
    return {column: written(figures[column]) for column in columns}


@pytest.mark.parametrize("variant", GENERATIONS)
@pytest.mark.parametrize("example", TABLES)
def test_every_step_of_an_example_leaves_the_figures_of_the_specification(example: str, variant: str) -> None:
    """Counters, owner slots, statistics, locked operations and deferred splits, in every generation."""
    due = table(TABLES[example][variant])
    name = "8.1 by pages" if (example, variant) == ("8.1", "v6.7") else example
    found = {step: as_written(figures, due[step]) for step, figures in steps(name, variant)}
    assert found == due


@pytest.mark.parametrize("variant", GENERATIONS)
def test_splitting_a_pmd_costs_what_the_specification_adds_up(variant: str) -> None:
    """8.2: a reference add for 511 mappings, the mappings by PTEs, the removal of the PMD; 512 lines."""
    figures = dict(steps("8.2", variant))
    assert 1 + sum(int(str(figures[step]["locked"])) for step in ("+512", "-PMD")) == E2_SPLIT[variant]
    assert figures["+512"]["lines"] == 512


@pytest.mark.parametrize(("example", "variant"), [("8.1", "v6.15"), ("8.3", "v6.12")])
def test_an_example_leaves_the_same_figures_compiled(cli: Cli, example: str, variant: str) -> None:
    """All but what only a trace can count."""
    outcome = cli.python("-m", "tests.examples", example, variant, cwd=ROOT)
    assert outcome.code == 0, outcome.err
    found, due = json.loads(outcome.out), table(TABLES[example][variant])
    for step, columns in due.items():
        columns = {column: value for column, value in columns.items() if column not in ("locked", "calls")}
        assert as_written(found[step], columns) == columns, step


def pinned(variant: str, *shared_before: tuple[int, int]) -> Counted:
    """An order-4 folio that A maps and has pinned; ranges of it were shared by an earlier fork."""
    folio = Counted(variant, "anon", 4)
    folio.do(op("add_anon", "ptes", 0, 16, flags=RMAP_EXCLUSIVE))
    for first, nr in shared_before:
        folio.do(op("try_dup_anon", "ptes", first, nr, "C"))
        folio.do(op("remove", "ptes", first, nr, "C"))
    folio.do(op("pin"))
    return folio


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_pinned_folio_refuses_every_exclusive_page(variant: str) -> None:
    """8.5: batches and single pages, at the first exclusive page, with nothing changed."""
    folio = pinned(variant)
    assert folio.do(dup(0, 16)) == -EBUSY
    assert folio.accesses() == REFUSED[variant]
    before = folio.world.raw(0)
    for page in range(16):
        assert folio.do(dup(page, 16 - page)) == -EBUSY
        assert pages_read(folio) <= {0, 1, page}
        assert folio.do(dup(page, 1, "pte")) == -EBUSY
    assert folio.world.raw(0) == before


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_pinned_folio_that_was_shared_before_is_duplicated(variant: str) -> None:
    """8.5: no exclusive bit, no refusal."""
    folio = pinned(variant, (0, 16))
    assert folio.do(dup(0, 16)) == 0
    assert folio.mappings[0].counts() == [2] * 16


@pytest.mark.parametrize("variant", GENERATIONS)
def test_one_exclusive_page_in_a_pinned_folio_is_left_out(variant: str) -> None:
    """8.6: six batches refused, each at page 5; pages 0-4 one by one, then the other ten at once."""
    folio = pinned(variant, (0, 5), (6, 10))
    assert sum(folio.state().anon_exclusive) == 1
    for page in range(6):
        if variant != "v6.7":  # which has no batches
            assert folio.do(dup(page, 16 - page)) == -EBUSY
            assert pages_read(folio) - {0, 1} == set(range(max(page, 2), 6))
        assert folio.do(dup(page, 1, "pte")) == (-EBUSY if page == 5 else 0)
    assert folio.do(dup(6, 10)) == 0
    stored = folio.variant.layout.page_mapcount
    assert folio.state().mapcounts == tuple(-1 if not stored else 0 if page == 5 else 1 for page in range(16))
    assert folio.state().anon_exclusive == tuple(page == 5 for page in range(16))
    if folio.state().large_mapcount is not None:
        assert folio.state().large_mapcount == 15 + 15
    if folio.state().slots is not None:
        assert (slots(folio), folio.state().maybe_shared) == ("A:15/B:14", True)


def pages_read(folio: Counted) -> set[int]:
    """Descriptors that the last operation looked at; it must have changed none."""
    accesses = folio.accesses().split()
    assert all(access.startswith("r") for access in accesses)
    return {int(access[1:].partition(".")[0]) for access in accesses}
