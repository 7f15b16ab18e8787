"""Counts of the calls by PTEs equal the specification's tables (12.1, 12.2), number by number."""

from __future__ import annotations

import pytest

from bench.case import Case
from bench.lanes.model import lane
from kernels.variants import GENERATIONS
from tests.counted import cell_of, compare, rows

# Columns everywhere: v6.7 (G0), rfc-2023-12, v6.8 (G1), v6.10 (G2a), v6.12 (G2b), v6.15 (G3) and
# v6.15-no-page-mapcount (G4). Cells: U locked operations whose result is used, N whose result is not, F full
# fences, w plain stores to descriptors. v6.7 makes a call for each page but for add_file.

# Spec 12.1: a small folio, n = 1. Nothing but one descriptor is touched in any generation.
SMALL = """
add_file      first        U1   U1   U1   U1   U1   U1   U1
add_file      shared       U1   U1   U1   U1   U1   U1   U1
add_anon      first        U1   U1   U1   U1   U1   U1   U1
add_anon      exclusive    U1N1 U1N1 U1N1 U1N1 U1N1 U1N1 U1N1
add_new_anon               N1w4 N1w4 N1w4 N1w4 N1w4 N1w4 N1w4
dup_file      shared       N1   N1   N1   N1   N1   N1   N1
try_dup_anon  exclusive    N2   N2   N2   N2   N2   N2   N2
try_dup_anon  shared       N1   N1   N1   N1   N1   N1   N1
try_share_anon             F1N1 F1N1 F1N1 F1N1 F1N1 F1N1 F1N1
remove        last         U1   U1   U1   U1   U1   U1   U1
remove        shared       U1   U1   U1   U1   U1   U1   U1
"""
# Spec 12.2: order, first page, pages of the batch. The state says who maps the pages before: `shared` one
# other mm, `third` two others, `again` another vma of the same mm, `beside` this mm, other pages; `part`: one
# of the pages is mapped, or exclusive; `inside`: the mm keeps pages; `under`, `split`: a PMD maps them too.
LARGE = """
4   5   1  add_file      first      U2       U2       U2       U2N1     U2N1     U3w4      U1w4
4   5   1  add_file      shared     U1       U1       U1       U1N1     U1N1     U2w5      U1w5
4   5   1  add_anon      first      U2       U2       U2       U2N1     U2N1     U3w4      U1w4
4   5   1  add_anon      exclusive  U2N1     U2N1     U2N1     U2N2     U2N2     U3N1w4    U1N1w4
4   5   1  dup_file      shared     N1       N1       N1       N2       N2       U1N1w5    U1w5
4   5   1  try_dup_anon  exclusive  N2       N2       N2       N3       N3       U1N2w5    U1N1w5
4   5   1  try_dup_anon  shared     N1       N1       N1       N2       N2       U1N1w5    U1w5
4   5   1  try_share_anon           F1N1     F1N1     F1N1     F1N1     F1N1     F1N1      F1N1
4   5   1  remove        last       U2       U2       U2       U2N1     U2N1     U3w5      U1w5
4   5   1  remove        shared     U1       U1       U1       U1N1     U1N1     U2w5      U1w5
4   4   3  add_file      first      U6       U6       U6       U6N1     U4N1     U5w4      U1w4
4   4   3  add_file      shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  add_file      part       U5       U5       U5       U5N1     U4N1     U5w5      U1w5
4   4   3  add_anon      exclusive  U6N3     U6N3     U6N3     U6N4     U4N4     U5N3w4    U1N3w4
4   4   3  add_anon      shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  dup_file      shared     N3       N3       N3       N4       N4       U1N3w5    U1w5
4   4   3  try_dup_anon  exclusive  N6       N6       N6       N7       N7       U1N6w5    U1N3w5
4   4   3  try_dup_anon  part       N4       N6       N4       N5       N5       U1N4w5    U1N1w5
4   4   3  try_dup_anon  shared     N3       N3       N3       N4       N4       U1N3w5    U1w5
4   4   3  remove        last       U6       U6       U6       U6N1     U4N1     U5w5      U1w5
4   4   3  remove        shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  remove        part       U5       U5       U5       U5N1     U4N1     U5w5      U1w5
4   4   3  remove        inside     U6       U6       U6       U6N1     U4N1     U5w3      U1w3
9   4   3  add_file      first      U6       U6       U6       U6N1     U4N1     U5w4      U1w4
9   4   3  add_file      shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
9   4   3  add_anon      exclusive  U6N3     U6N3     U6N3     U6N4     U4N4     U5N3w4    U1N3w4
9   4   3  dup_file      shared     N3       N3       N3       N4       N4       U1N3w5    U1w5
9   4   3  try_dup_anon  exclusive  N6       N6       N6       N7       N7       U1N6w5    U1N3w5
9   4   3  try_dup_anon  shared     N3       N3       N3       N4       N4       U1N3w5    U1w5
9   4   3  remove        last       U6       U6       U6       U6N1     U4N1     U5w5      U1w5
9   4   3  remove        shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
9   4   3  remove        under      U6       U6       U6       U6N1     U4N1     U5w5      U1w5
2   0   4  add_file      first      U8       U8       U8       U8N1     U5N1     U6w4      U1w4
2   0   4  add_file      shared     U4       U4       U4       U4N1     U4N1     U5w5      U1w5
2   0   4  add_anon      exclusive  U8N4     U8N4     U8N4     U8N5     U5N5     U6N4w4    U1N4w4
2   0   4  add_new_anon             -        N4w8     N4w8     N4w9     N4w9     N4w11     N4w6
2   0   4  dup_file      shared     N4       N4       N4       N5       N5       U1N4w5    U1w5
2   0   4  try_dup_anon  exclusive  N8       N8       N8       N9       N9       U1N8w5    U1N4w5
2   0   4  try_dup_anon  part       N5       N8       N5       N6       N6       U1N5w5    U1N1w5
2   0   4  try_dup_anon  shared     N4       N4       N4       N5       N5       U1N4w5    U1w5
2   0   4  remove        last       U8       U8       U8       U8N1     U5N1     U6w5      U1w5
2   0   4  remove        shared     U4       U4       U4       U4N1     U4N1     U5w5      U1w5
4   0  16  add_file      first      U32      U32      U32      U32N1    U17N1    U18w4     U1w4
4   0  16  add_file      shared     U16      U16      U16      U16N1    U16N1    U17w5     U1w5
4   0  16  add_anon      exclusive  U32N16   U32N16   U32N16   U32N17   U17N17   U18N16w4  U1N16w4
4   0  16  add_new_anon             -        N16w20   N16w20   N16w21   N16w21   N16w23    N16w6
4   0  16  dup_file      shared     N16      N16      N16      N17      N17      U1N16w5   U1w5
4   0  16  try_dup_anon  exclusive  N32      N32      N32      N33      N33      U1N32w5   U1N16w5
4   0  16  try_dup_anon  shared     N16      N16      N16      N17      N17      U1N16w5   U1w5
4   0  16  remove        last       U32      U32      U32      U32N1    U17N1    U18w5     U1w5
4   0  16  remove        shared     U16      U16      U16      U16N1    U16N1    U17w5     U1w5
9   0 512  add_file      first      U1024    U1024    U1024    U1024N1  U513N1   U514w4    U1w4
9   0 512  add_file      shared     U512     U512     U512     U512N1   U512N1   U513w5    U1w5
9   0 512  add_anon      exclusive  U1024N512 U1024N512 U1024N512 U1024N513 U513N513 U514N512w4 U1N512w4
9   0 512  add_anon      split      U1024N512 U1024N512 U1024N512 U1024N513 U513N513 U514N512w3 U1N512w3
9   0 512  dup_file      shared     N512     N512     N512     N513     N513     U1N512w5  U1w5
9   0 512  try_dup_anon  exclusive  N1024    N1024    N1024    N1025    N1025    U1N1024w5 U1N512w5
9   0 512  try_dup_anon  shared     N512     N512     N512     N513     N513     U1N512w5  U1w5
9   0 512  remove        last       U1024    U1024    U1024    U1024N1  U513N1   U514w5    U1w5
9   0 512  remove        shared     U512     U512     U512     U512N1   U512N1   U513w5    U1w5
9   0 512  remove        under      U1024    U1024    U1024    U1024N1  U513N1   U514w5    U1w5
"""
# Spec 12.2, 16 x _pte: what batching does away with.
UNBATCHED = """
4   0  16  add_file      first      U32      U32      U32      U32N16   U32N16   U48w49    U16w49
4   0  16  add_file      shared     U16      U16      U16      U16N16   U16N16   U32w50    U16w50
4   0  16  add_anon      exclusive  U32N16   U32N16   U32N16   U32N32   U32N32   U48N16w49 U16N16w49
4   0  16  dup_file      shared     N16      N16      N16      N32      N32      U16N16w50 U16w50
4   0  16  try_dup_anon  exclusive  N32      N32      N32      N48      N48      U16N32w50 U16N16w50
4   0  16  try_dup_anon  part       N17      N17      N17      N33      N33      U16N17w50 U16N1w50
4   0  16  try_dup_anon  shared     N16      N16      N16      N32      N32      U16N16w50 U16w50
4   0  16  remove        last       U32      U32      U32      U32N16   U32N16   U48w50    U16w50
4   0  16  remove        shared     U16      U16      U16      U16N16   U16N16   U32w50    U16w50
"""
# Spec 6.12, stores under the lock: O in the tables above, for add and remove in every state of the slots.
OWNERS = """
4   4   3  add_file      again      U3       U3       U3       U3N1     U3N1     U4w3      U1w3
4   4   3  add_file      beside     U6       U6       U6       U6N1     U4N1     U5w3      U1w3
4   4   3  add_file      first      U6       U6       U6       U6N1     U4N1     U5w4      U1w4
4   4   3  add_file      second     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  add_file      shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  add_file      third      U3       U3       U3       U3N1     U3N1     U4w2      U1w2
4   4   3  try_dup_anon  third      N3       N3       N3       N4       N4       U1N3w2    U1w2
4   4   3  try_dup_anon  again      N3       N3       N3       N4       N4       U1N3w3    U1w3
4   4   3  remove        inside     U6       U6       U6       U6N1     U4N1     U5w3      U1w3
4   4   3  remove        tracked    U3       U3       U3       U3N1     U3N1     U4w4      U1w4
4   4   3  remove        shared     U3       U3       U3       U3N1     U3N1     U4w5      U1w5
4   4   3  remove        last       U6       U6       U6       U6N1     U4N1     U5w5      U1w5
4   4   3  remove        third      U3       U3       U3       U3N1     U3N1     U4w2      U1w2
4   4   3  remove        stranger   U3       U3       U3       U3N1     U3N1     U4w3      U1w3
"""


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_small_folio_costs_the_same_in_every_generation(variant: str) -> None:
    """Spec 12.1, on either path: these rows are what must not be harmed."""
    for path in ("pte", "ptes"):
        compare("\n".join(f"0 0 1 {line}" for line in SMALL.strip().splitlines()), variant, "UFNw", path)


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_batch_on_a_large_folio_costs_what_the_table_says(variant: str) -> None:
    """Spec 12.2: n = 1, 3 and whole folios of orders 2, 4 and 9."""
    compare(LARGE, variant, "UFNw")


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_call_a_page_costs_what_the_table_says(variant: str) -> None:
    """Spec 12.2, the unbatched rows."""
    compare(UNBATCHED, variant, "UNw", "pte")


@pytest.mark.parametrize("variant", GENERATIONS)
def test_owner_slots_cost_as_many_stores_as_their_state_needs(variant: str) -> None:
    """Spec 6.12: from two stores for an untracked mm to five for one that changes SHARED."""
    compare(OWNERS, variant, "UNw")


PATHS = ("pte", "ptes", "folio")
# The words of the tables as cases of `rmapbench count`: call, kind, state; `last` is after an exclusive add.
CASES = {
    "add_new_anon": ("add_new_anon", "anon", "first"),
    "add_file first": ("add_file", "file", "first"),
    "add_file shared": ("add_file", "file", "shared"),
    "add_anon exclusive": ("add_anon", "anon", "first"),
    "add_anon shared": ("add_anon", "anon", "shared"),
    "dup_file shared": ("dup_file", "file", "shared"),
    "try_dup_anon exclusive": ("try_dup_anon", "anon", "exclusive"),
    "try_dup_anon shared": ("try_dup_anon", "anon", "shared"),
    "try_share_anon": ("try_share_anon", "anon", "exclusive"),
    "remove last": ("remove", "anon", "last"),
    "remove shared": ("remove", "anon", "shared"),
}


def cases_of(table: str, variant: str, path: str, order: str = "") -> dict[str, str]:
    """Names of the cases that hand over whole folios, and their cells."""
    found = {}
    for words, cell in rows(table, variant):
        if not order and int(words[2]) != 1 << int(words[0]):
            continue
        if named := CASES.get(" ".join(words if order else words[3:])):
            call, kind, state = named
            keys = {"kind": kind, "state": state, "variant": variant, "path": path}
            found[Case.of("call", call, **keys, order=int(order or words[0])).name] = cell
    return found


def test_what_the_program_counts_is_in_the_tables() -> None:
    """`rmapbench count` of whole folios of orders 0, 2, 4 and 9 on every path that a generation has."""
    small, large = ((SMALL, path, "0") for path in PATHS), ((LARGE, path, "") for path in PATHS[1:])
    tables = (*small, *large, (UNBATCHED, "pte", ""))
    due: dict[str, str] = {}
    for variant in GENERATIONS:
        for table, path, order in tables:
            due |= cases_of(table, variant, path, order)
    chosen = [case for case in lane.cases({}) if case.name in due]
    assert len(chosen) > 250
    found = {name: cell_of(counts, "UFNw") for name, counts in lane.count(chosen, {}).items()}
    assert found == {name: due[name] for name in found}
