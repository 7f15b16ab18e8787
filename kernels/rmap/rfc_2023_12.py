"""rfc-2023-12 (RFC): the interface overhaul as posted on 4 Dec 2023; try_dup makes up to three walks.

"mm/rmap: interface overhaul", RFC, 39 patches, against what was merged in 6.8 (spec 6.15): its try_dup
tests for pins only once a page is seen to be exclusive, and then clears the bit of every page of the batch;
it queues PMD-mappable folios only for deferred split. It knew no anonymous folios between order 0 and 9.
"""

from __future__ import annotations

from kernels.abi import *
from kernels.anon import *
from kernels.atomic import *
from kernels.folio import *
from kernels.mapcount import *
from kernels.mm_types import *
from kernels.rmap.v6_7 import defer_split_of_thp
from kernels.rmap.v6_8 import (  # noqa: F401 - what the posted series shares with 6.8
    __folio_remove_rmap_ptes,
    folio_add_anon_rmap_pmd,
    folio_add_anon_rmap_pte,
    folio_add_anon_rmap_ptes,
    folio_add_file_rmap_pmd,
    folio_add_file_rmap_pte,
    folio_add_file_rmap_ptes,
    folio_add_new_anon_rmap,
    folio_dup_file_rmap_pmd,
    folio_dup_file_rmap_pte,
    folio_dup_file_rmap_ptes,
    folio_move_anon_rmap,
    folio_try_share_anon_rmap_pmd,
    folio_try_share_anon_rmap_pte,
    hugetlb_add_anon_rmap,
    hugetlb_add_file_rmap,
    hugetlb_add_new_anon_rmap,
    hugetlb_remove_rmap,
    hugetlb_try_dup_anon_rmap,
    hugetlb_try_share_anon_rmap,
)
from kernels.vmstat import *

BASE = "v6.7"
LAYOUT = LAYOUT_V6_8
ANON_ORDERS = (0, 9)
FILE_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)


@helper
def clear_anon_exclusive(page, nr_pages):
    """Clear the bit of each page of the batch, set or not: one locked AND a page."""
    while True:
        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return


@kernel(TRY_DUP_PTES)
def folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Duplicate PTE mappings of an anonymous folio at fork, or -EBUSY and nothing changed (spec 6.15)."""
    if any_anon_exclusive(LAYOUT, page, nr_pages):
        if folio_needs_cow_for_dma(LAYOUT, folio, src_vma):
            return -EBUSY
        clear_anon_exclusive(page, nr_pages)
    dup_pages(page, nr_pages)
    return 0


folio_try_dup_anon_rmap_pte = pte_of(folio_try_dup_anon_rmap_ptes)


@kernel(TRY_DUP_PMD)
def folio_try_dup_anon_rmap_pmd(folio, page, dst_vma, src_vma):
    """Duplicate a PMD mapping of an anonymous folio at fork (spec 6.15)."""
    if page_anon_exclusive(LAYOUT, page):
        if folio_needs_cow_for_dma(LAYOUT, folio, src_vma):
            return -EBUSY
        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
    atomic_inc(folio + LAYOUT.entire_mapcount)
    return 0


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Take down nr_pages PTE mappings of a folio of either kind (spec 6.11)."""
    nr = __folio_remove_rmap_ptes(folio, page, nr_pages)
    if nr != 0:
        mod_mapped_stat(folio, -nr, vma)
        defer_split_of_thp(folio, True, vma)
    munlock_vma_folio(folio, vma)


folio_remove_rmap_pte = pte_of(folio_remove_rmap_ptes)


@kernel(PMD)
def folio_remove_rmap_pmd(folio, page, vma):
    """Take down a PMD mapping of a folio of either kind (spec 6.11)."""
    nr, nr_pmdmapped = unmap_entirely(LAYOUT, folio)
    if nr_pmdmapped != 0:
        mod_pmd_stat_memcg(LAYOUT, folio, -nr_pmdmapped, vma)
    if nr != 0:
        mod_mapped_stat(folio, -nr, vma)
        defer_split_of_thp(folio, nr < nr_pmdmapped, vma)
    munlock_vma_folio(folio, vma)
