"""Any legal interleaving of calls, by more than two mms, leaves what the oracle and the invariants say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from kernels.checking.operations import FolioSpec
from kernels.checking.replay import Mismatch, Variant
from kernels.variants import GENERATIONS, discover
from tests.counted import variant_of
from tests.interleavings import SETTINGS, Interleaving, Step, interleavings
from tests.test_wrong_variants import write
from tests.wrong_variants import WRONG

# Kinds of folios, and how many interleavings are tried.
KINDS: dict[str, tuple[int, tuple[FolioSpec, ...]]] = {
    "small": (60, (FolioSpec("anon", 0), FolioSpec("anon", 0, fresh=True), FolioSpec("file", 0))),
    "anon": (80, (FolioSpec("anon", 2), FolioSpec("anon", 4), FolioSpec("anon", 2, fresh=True))),
    "pinned": (25, (FolioSpec("anon", 2), FolioSpec("anon", 4), FolioSpec("anon", 0))),
    "file": (40, (FolioSpec("file", 2), FolioSpec("shmem", 4), FolioSpec("file", 3))),
    "anon PMD": (60, (FolioSpec("anon", 9), FolioSpec("anon", 9, fresh=True))),
    "file PMD": (20, (FolioSpec("file", 9), FolioSpec("shmem", 9))),
    "hugetlb": (
        25,
        (*(FolioSpec("hugetlb_anon", 9, fresh) for fresh in (False, True)), FolioSpec("hugetlb_file", 9)),
    ),
}


def run(variant: Variant, kind: str) -> None:
    """Let hypothesis look for an interleaving that goes wrong."""
    examples, specs = KINDS[kind]

    @settings(SETTINGS, max_examples=examples)
    @given(interleavings(specs))
    def agrees(interleaving: tuple[FolioSpec, list[Step]]) -> None:
        spec, steps = interleaving
        Interleaving(variant, spec, pinned=kind == "pinned").run(steps)

    agrees()


@pytest.mark.parametrize("variant", GENERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_interleaving_leaves_what_the_oracle_says(kind: str, variant: str) -> None:
    """Adding, forking, sharing, splitting, removing of partial ranges by seven vmas of six mms, and pins."""
    run(variant_of(variant), kind)


# Of variants that are wrong: the kind of folio that shows it, and how many operations are enough.
SHORTEST = {
    "the total of mappings is not raised": ("file", 1),
    "the last page of a batch is forgotten": ("file", 1),
    "pages that others map still are counted as unmapped": ("anon", 3),
    "exclusive pages of a pinned folio are shared": ("pinned", 3),
    "fork's mappings are the parent's": ("anon", 2),
    "every folio that loses its PMD is queued": ("anon PMD", 2),
    "pages of a batch are counted where the folio's should be": ("file", 1),
}


@pytest.mark.parametrize("what", SHORTEST)
def test_a_wrong_variant_is_reported_by_the_shortest_interleaving(tmp_path: Path, what: str) -> None:
    """Call, arguments, counter and both values, and the operations that lead there, ready to be replayed."""
    kind, enough = SHORTEST[what]
    write(WRONG[what], tmp_path / "wrong.py")
    with pytest.raises(Mismatch) as caught:
        run(Variant(discover({"wrong": tmp_path / "wrong.py"})["wrong"]), kind)
    (operations,) = (text for text in caught.value.__notes__ if text.startswith("Operation("))
    assert len(operations.splitlines()) == enough, operations
    assert re.search(r"\(order-\d \w+ folio 0, .*\), call \d+: .*: expected .+, found .+", str(caught.value))
