"""Counts of calls on whole folios (spec 12.3, 12.4), cache lines touched and statistics calls made."""

from __future__ import annotations

import pytest

from kernels.variants import GENERATIONS
from tests.counted import cell_of, compare, counted, rows
from tests.situations import situation

# Columns and cells as in tests/test_counts.py; L lines.
# Spec 12.3: order 9 by a PMD. Lines: {h, 1} but for remove, which looks at h only for statistics, for the
# deferred split, and in v6.7, which looks up the folio and whether it is hugetlb.
PMD = """
9 0 1  add_file      first      U2L2     U2L2     U2L2     U2N1L2   U2N1L2   U3w4L2     U2w4L2
9 0 1  add_file      shared     U1L2     U1L2     U1L2     U1N1L2   U1N1L2   U2w5L2     U2w5L2
9 0 1  add_file      again      U1L2     U1L2     U1L2     U1N1L2   U1N1L2   U2w3L2     U2w3L2
9 0 1  add_file      third      U1L2     U1L2     U1L2     U1N1L2   U1N1L2   U2w2L2     U2w2L2
9 0 1  add_anon      exclusive  U2N1L2   U2N1L2   U2N1L2   U2N2L2   U2N2L2   U3N1w4L2   U2N1w4L2
9 0 1  add_anon      over       U2L2     U2L2     U2L2     U2N1L2   U2N1L2   U3w5L2     U2w5L2
9 0 512 add_new_anon            N1w5L2   N1w5L2   N1w5L2   N1w6L2   N1w6L2   N1w8L2     N1w7L2
9 0 1  try_dup_anon  exclusive  N2L2     N2L2     N2L2     N3L2     N3L2     U1N2w5L2   U1N2w5L2
9 0 1  try_dup_anon  shared     N1L2     N1L2     N1L2     N2L2     N2L2     U1N1w5L2   U1N1w5L2
9 0 1  try_share_anon           F1N1L2   F1N1L2   F1N1L2   F1N1L2   F1N1L2   F1N1L2     F1N1L2
9 0 1  remove        last       U2L2     U2L2     U2L2     U2N1L2   U2N1L2   U3w5L2     U2w5L2
9 0 1  remove        shared     U1L2     U1L1     U1L1     U1N1L1   U1N1L1   U2w5L1     U2w5L1
9 0 1  remove        tracked    U1L2     U1L1     U1L1     U1N1L1   U1N1L1   U2w4L1     U2w4L1
9 0 1  remove        third      U1L2     U1L1     U1L1     U1N1L1   U1N1L1   U2w2L1     U2w2L1
"""
# Spec 12.4. Its lines {h, 1} count the debug checks of h, which the kernels here do not have: a call that
# sets or reads no bit of the head touches line 1 only. v6.7 finds out in page_remove_rmap that the folio is
# hugetlb (spec 4.3), which takes h.
HUGETLB = """
9 0 512 hugetlb_add_new_anon            N2w3L2  N2w3L2  N2w3L2  N2w4L2  N2w4L2  N2w4L2  N2w4L2
9 0 512 hugetlb_add_anon     exclusive  N2L2    N2L2    N2L2    N3L2    N3L2    N3L2    N3L2
9 0 512 hugetlb_add_anon     shared     N1L1    N1L1    N1L1    N2L1    N2L1    N2L1    N2L1
9 0 512 hugetlb_add_file                N1L1    N1L1    N1L1    N2L1    N2L1    N2L1    N2L1
9 0 512 hugetlb_try_dup_anon exclusive  N2L2    N2L2    N2L2    N3L2    N3L2    N3L2    N3L2
9 0 512 hugetlb_try_dup_anon shared     N1L2    N1L2    N1L2    N2L2    N2L2    N2L2    N2L2
9 0 512 hugetlb_try_share_anon          F1N1L2  F1N1L2  F1N1L2  F1N1L2  F1N1L2  F1N1L2  F1N1L2
9 0 512 hugetlb_remove                  N1L2    N1L1    N1L1    N2L1    N2L1    N2L1    N2L1
"""
# Spec 12.2, lines, by pages inside the folio (4-6), pages 0-2, pages 1-3 and the whole folio. v6.10 looks in
# line 2 whether a partly unmapped folio is queued already (spec 4.2), beside the table's R, h and 1.
LINES = """
4 4   3  add_file      first       5    5    5    5    5    5    2
4 4   3  add_file      shared      4    4    4    5    5    5    2
4 4   3  add_anon      exclusive   5    5    5    5    5    5    5
4 4   3  add_anon      first       5    5    5    5    5    5    2
4 4   3  dup_file      shared      3    3    3    5    5    5    2
4 4   3  try_dup_anon  exclusive   3    3    3    5    5    5    5
4 4   3  try_dup_anon  shared      3    3    3    5    5    5    5
4 4   3  remove        last        5    5    5    5    5    5    2
4 4   3  remove        shared      5    3    3    5    5    5    2
4 4   3  remove        inside      5    5    5    6    5    5    2
4 0   3  add_file      first       3    3    3    3    3    3    2
4 0   3  add_file      shared      3    3    3    3    3    3    2
4 0   3  dup_file      shared      3    3    3    3    3    3    2
4 0   3  remove        shared      3    3    3    3    3    3    2
4 1   3  add_file      first       4    4    4    4    4    4    2
4 1   3  add_file      shared      4    4    4    4    4    4    2
4 1   3  dup_file      shared      3    3    3    4    4    4    2
4 1   3  remove        shared      4    3    3    4    4    4    2
4 5   1  add_file      first       3    3    3    3    3    3    2
4 5   1  add_file      shared      2    2    2    3    3    3    2
4 5   1  add_anon      exclusive   3    3    3    3    3    3    3
4 5   1  dup_file      shared      1    1    1    3    3    3    2
4 5   1  try_dup_anon  exclusive   1    1    1    3    3    3    3
4 5   1  try_share_anon            3    3    3    3    3    3    3
4 5   1  remove        last        3    3    3    3    3    3    2
4 5   1  remove        shared      3    1    1    3    3    3    2
4 0  16  add_file      first      16   16   16   16   16   16    2
4 0  16  add_anon      exclusive  16   16   16   16   16   16   16
4 0  16  add_new_anon              -   16   16   16   16   16   16
4 0  16  dup_file      shared     16   16   16   16   16   16    2
4 0  16  try_dup_anon  exclusive  16   16   16   16   16   16   16
4 0  16  remove        last       16   16   16   16   16   16    2
2 0   4  add_new_anon              -    4    4    4    4    4    4
9 0 512  add_file      first     512  512  512  512  512  512    2
9 0 512  add_file      shared    512  512  512  512  512  512    2
9 0 512  add_anon      exclusive 512  512  512  512  512  512  512
9 0 512  dup_file      shared    512  512  512  512  512  512    2
9 0 512  try_dup_anon  exclusive 512  512  512  512  512  512  512
9 0 512  remove        last      512  512  512  512  512  512    2
9 0 512  remove        shared    512  512  512  512  512  512    2
"""
# Spec 4.1: in v6.7 one a page (but in its file faults), from the RFC on one a call, and none if no page, or
# without page mapcounts no folio, became mapped or unmapped.
STATISTICS = """
4 0  16  add_file      first       1    1    1    1    1    1    1
4 0  16  add_file      shared      0    0    0    0    0    0    0
4 0  16  add_file      part        1    1    1    1    1    1    0
4 0  16  add_anon      exclusive  16    1    1    1    1    1    1
4 0  16  add_new_anon              -    1    1    1    1    1    1
4 0  16  dup_file      shared      0    0    0    0    0    0    0
4 0  16  try_dup_anon  exclusive   0    0    0    0    0    0    0
4 0  16  remove        last       16    1    1    1    1    1    1
4 0  16  remove        shared      0    0    0    0    0    0    0
4 0  16  remove        part       15    1    1    1    1    1    0
4 4   3  remove        inside      3    1    1    1    1    1    0
9 0 512  remove        under       0    0    0    0    0    0    0
0 0   1  add_new_anon              1    1    1    1    1    1    1
"""
WHOLE_STATISTICS = """
9 0 1    add_file      first       2    2    2    2    2    2    2
9 0 1    add_file      shared      0    0    0    0    0    0    0
9 0 1    add_anon      over        2    2    2    2    2    2    1
9 0 512  add_new_anon              2    2    2    2    2    2    2
9 0 1    remove        last        2    2    2    2    2    2    2
9 0 1    remove        shared      0    0    0    0    0    0    0
9 0 512  hugetlb_add_new_anon      0    0    0    0    0    0    0
9 0 512  hugetlb_remove            0    0    0    0    0    0    0
"""


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_mapping_by_a_pmd_costs_what_the_table_says(variant: str) -> None:
    """Spec 12.3: the same for any number of pages."""
    compare(PMD, variant, "UFNwL", "pmd")


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_hugetlb_mapping_costs_what_the_table_says(variant: str) -> None:
    """Spec 12.4: _large_mapcount is the second locked operation from 6.10 on."""
    compare(HUGETLB, variant, "UFNwL", "folio")


def numbers(
    table: str, variant: str, path: str, count: str
) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
    """Expected and found, of one count."""
    expected, found = {}, {}
    for words, cell in rows(table, variant):
        order, first, nr = (int(word) for word in words[:3])
        expected[words] = int(cell)
        found[words] = counted(variant, order, situation(" ".join(words[3:]), path, first, nr))[count]
    return expected, found


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_batch_touches_the_lines_of_its_pages_and_those_of_the_folio(variant: str) -> None:
    """Spec 12.2: two lines whatever the batch without page mapcounts, unless exclusive bits are touched."""
    expected, found = numbers(LINES, variant, "ptes", "lines")
    assert found == expected


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_call_makes_as_few_statistics_calls_as_the_generation_can(variant: str) -> None:
    """Spec 4.1: a batch makes one, a mapping by a PMD makes one of each kind."""
    for table, path in ((STATISTICS, "ptes"), (WHOLE_STATISTICS, "pmd")):
        expected, found = numbers(table, variant, path, "statistics")
        assert found == expected


@pytest.mark.parametrize("variant", GENERATIONS)
def test_a_small_folio_is_one_line(variant: str) -> None:
    """Spec 12.1, last column, for every call there is for a small folio."""
    calls = (
        "add_file first", "add_anon exclusive", "add_new_anon", "dup_file shared", "try_dup_anon exclusive",
        "try_share_anon", "remove last",
    )  # fmt: skip
    lines = {call: cell_of(counted(variant, 0, situation(call, "pte", 0, 1)), "L") for call in calls}
    assert lines == dict.fromkeys(calls, "L1")
