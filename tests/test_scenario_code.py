"""The machine code of scenarios: the locked instructions of the specification, no other, and no numba."""

from __future__ import annotations

import json
import platform

import pytest

from tests.conftest import Cli
from tests.machine_code import Function, functions

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the table names x86-64 instructions"
)

# What is locked in scenarios (spec 3 and 9): table locks, references, PTEs, the positive control's steps.
LOCKS, CONTROL = "cmpxchgl", "incl"
GATHERED = {"tlb_flush", "free_folios", "folio_mark_dirty", "folio_mark_accessed"}
SCENARIOS = {
    "enter_window": (set(), set()),
    "restore": (set(), set()),
    "next_window": (set(), set()),
    "leave": (set(), set()),
    "batch_windows": ({"incl"}, {"clock_gettime"}),
    "fork_ptes": ({LOCKS, CONTROL, "decl", "cmpxchgq"}, set()),
    "copy_present_ptes": ({"addl", "subl", "cmpxchgq"}, set()),
    "zap_present_folio_ptes": ({"xchgq"}, GATHERED - {"tlb_flush", "free_folios"}),
    "munmap_ptes": ({LOCKS, CONTROL, "xchgq", "subl"}, GATHERED),
    "exit_pte": ({LOCKS, CONTROL, "decl"}, GATHERED),
    "split_pmd_ptes": ({LOCKS, CONTROL, "addl", "xchgq"}, {"tlb_flush"}),
    "unmap_migrate_pte": ({LOCKS, CONTROL, "xchgq", "decl"}, {"tlb_flush"}),
    "restore_migrate_ptes": ({LOCKS, CONTROL, "addl"}, set()),
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Function]:
    """The entries of a few scenarios, compiled from scratch."""
    cli = Cli(tmp_path_factory.mktemp("empty-cache"), tmp_path_factory.mktemp("code"))
    outcome = cli.python("-m", "tests.machine_code", "scenarios")
    assert outcome.code == 0, outcome.err
    texts: dict[str, str] = json.loads(outcome.out)["scenarios"]
    return {name: functions(text)[f"{name}.0"] for name, text in texts.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_locks_what_the_specification_names_and_nothing_else(
    code: dict[str, Function], name: str
) -> None:
    """And calls nothing but events: no runtime of numba's, no Python."""
    assert set(code) == set(SCENARIOS)
    locked, calls = SCENARIOS[name]
    made = code[name]
    assert (made.locked(), {call.split(".")[0] for call in made.calls()}) == (locked, calls)
