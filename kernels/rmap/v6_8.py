"""v6.8 (G1, 6.8 and 6.9): _pte, _ptes and _pmd functions; counting is that of 6.7, page by page.

"mm/rmap: interface overhaul" v2, 40 patches (6.8), among them "mm/rmap: introduce folio_add_anon_rmap_
[pte|ptes|pmd]()" and "mm/rmap: introduce folio_remove_rmap_[pte|ptes|pmd]()". A batch saves calls, folio
lookups and statistics, no locked operation. 6.9 adds callers only: batched fork and zap.
"""

from __future__ import annotations

from kernels.abi import *
from kernels.anon import *
from kernels.atomic import *
from kernels.deferred_split import deferred_split_folio
from kernels.folio import *
from kernels.hugetlb import *
from kernels.mapcount import *
from kernels.mm_types import *
from kernels.rmap.v6_7 import (  # noqa: F401 - what did not change is part of this variant
    __folio_add_rmap_ptes,
    account_last,
    folio_move_anon_rmap,
)
from kernels.vmstat import *

BASE = "v6.7"
LAYOUT = LAYOUT_V6_8
ANON_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
FILE_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)


@kernel(PTES)
def folio_add_file_rmap_ptes(folio, page, nr_pages, vma):
    """Map nr_pages consecutive pages of a file folio by PTEs (spec 6.9)."""
    mod_file_stat(LAYOUT, folio, __folio_add_rmap_ptes(folio, page, nr_pages), 0, vma)
    mlock_small_folio(folio, vma)


folio_add_file_rmap_pte = pte_of(folio_add_file_rmap_ptes)


@kernel(PMD)
def folio_add_file_rmap_pmd(folio, page, vma):
    """Map a file folio by a PMD (spec 6.9)."""
    nr, nr_pmdmapped = map_entirely(LAYOUT, folio)
    mod_file_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    mlock_small_folio(folio, vma)


@kernel(ANON_PTES)
def folio_add_anon_rmap_ptes(folio, page, nr_pages, vma, address, flags):
    """Map nr_pages consecutive pages of an anonymous folio by PTEs (spec 6.6)."""
    mod_anon_stat(folio, __folio_add_rmap_ptes(folio, page, nr_pages), 0, vma)
    if not folio_test_anon(folio):
        folio_set_anon(folio, vma, address, flags)
    if flags & RMAP_EXCLUSIVE:
        set_anon_exclusive(LAYOUT, page, nr_pages)
    mlock_small_folio(folio, vma)


folio_add_anon_rmap_pte = pte_of(folio_add_anon_rmap_ptes)


@kernel(ANON_PMD)
def folio_add_anon_rmap_pmd(folio, page, vma, address, flags):
    """Map an anonymous folio by a PMD (spec 6.6)."""
    nr, nr_pmdmapped = map_entirely(LAYOUT, folio)
    mod_anon_stat(folio, nr, nr_pmdmapped, vma)
    if not folio_test_anon(folio):
        folio_set_anon(folio, vma, address, flags)
    if flags & RMAP_EXCLUSIVE:
        set_bit(LAYOUT.anon_exclusive, page + FLAGS)
    mlock_small_folio(folio, vma)


@kernel(NEW_ANON)
def folio_add_new_anon_rmap(folio, vma, address, flags):
    """Map a whole new anonymous folio, by one PTE, PTEs or one PMD; always exclusive (spec 6.5)."""
    nr = folio_nr_pages(LAYOUT, folio)
    nr_pmdmapped = 0
    set_swapbacked_always(LAYOUT, folio)
    folio_set_anon(folio, vma, address, RMAP_EXCLUSIVE)
    if not folio_test_large(folio):
        map_new_anon_page(LAYOUT, folio, True)
    elif folio_large_order(folio) < HPAGE_PMD_ORDER:
        map_new_anon_pages(LAYOUT, folio, nr, True)
        WRITE32(folio + LAYOUT.nr_pages_mapped, nr)
    else:
        nr_pmdmapped = nr
        WRITE32(folio + LAYOUT.entire_mapcount, 0)
        WRITE32(folio + LAYOUT.nr_pages_mapped, ENTIRELY_MAPPED)
        set_bit(LAYOUT.anon_exclusive, folio + FLAGS)
    mod_anon_stat(folio, nr, nr_pmdmapped, vma)


@kernel(DUP_PTES)
def folio_dup_file_rmap_ptes(folio, page, nr_pages, dst_vma):
    """Duplicate PTE mappings of a file folio at fork (spec 6.10)."""
    dup_pages(page, nr_pages)


folio_dup_file_rmap_pte = pte_of(folio_dup_file_rmap_ptes)


@kernel(DUP_PMD)
def folio_dup_file_rmap_pmd(folio, page, dst_vma):
    """Passes the PTE level and 512 pages, as the kernel does; nobody calls it (spec 1.2 no. 5)."""
    dup_pages(page, HPAGE_PMD_NR)


@kernel(TRY_DUP_PTES)
def folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Duplicate PTE mappings of an anonymous folio at fork, or -EBUSY and nothing changed (spec 6.7)."""
    maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)
    if maybe_pinned and any_anon_exclusive(LAYOUT, page, nr_pages):
        return -EBUSY
    dup_anon_pages(LAYOUT, page, nr_pages)
    return 0


folio_try_dup_anon_rmap_pte = pte_of(folio_try_dup_anon_rmap_ptes)


@kernel(TRY_DUP_PMD)
def folio_try_dup_anon_rmap_pmd(folio, page, dst_vma, src_vma):
    """Duplicate a PMD mapping of an anonymous folio at fork (spec 6.7)."""
    maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)
    if page_anon_exclusive(LAYOUT, page):
        if maybe_pinned:
            return -EBUSY
        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
    atomic_inc(folio + LAYOUT.entire_mapcount)
    return 0


@kernel(TRY_SHARE)
def folio_try_share_anon_rmap_pte(folio, page):
    """Make one exclusive page shared, or -EBUSY (spec 6.8)."""
    return share_anon(LAYOUT, folio, page)


folio_try_share_anon_rmap_pmd = folio_try_share_anon_rmap_pte  # of a head page, which stands for all


@helper
def __folio_remove_rmap_ptes(folio, page, nr_pages):
    """Spec 6.3, PTE level: pages no longer mapped."""
    nr = 0
    while True:
        if atomic_dec_and_negative(page + MAPCOUNT) and (
            not folio_test_large(folio)
            or atomic_add_return(-1, folio + LAYOUT.nr_pages_mapped) < ENTIRELY_MAPPED
        ):
            nr += 1
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return nr


@helper
def defer_split_of_large(folio, vma):
    """Queue an anonymous folio that may be mapped in part only; fully unmapped ones too (spec 4.2)."""
    if folio_test_large(folio) and folio_test_anon(folio):
        deferred_split_folio(folio, vma, LAYOUT.swapcache, 0)


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Take down nr_pages PTE mappings of a folio of either kind (spec 6.11)."""
    nr = __folio_remove_rmap_ptes(folio, page, nr_pages)
    if nr != 0:
        mod_mapped_stat(folio, -nr, vma)
        defer_split_of_large(folio, vma)
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
        if nr < nr_pmdmapped:
            defer_split_of_large(folio, vma)
    munlock_vma_folio(folio, vma)


@kernel(HUGETLB_ADD_NEW)
def hugetlb_add_new_anon_rmap(folio, vma, address):
    """Map a new hugetlb folio (spec 6.4)."""
    hugetlb_add_new(LAYOUT, folio, vma, address)


@kernel(HUGETLB_ADD_ANON)
def hugetlb_add_anon_rmap(folio, vma, address, flags):
    """Map an anonymous hugetlb folio (spec 6.4)."""
    hugetlb_add_anon(LAYOUT, folio, flags)


@kernel(HUGETLB_TRY_DUP)
def hugetlb_try_dup_anon_rmap(folio, vma):
    """Duplicate the mapping of an anonymous hugetlb folio at fork, or -EBUSY (spec 6.4)."""
    exclusive = page_anon_exclusive(LAYOUT, folio)
    return hugetlb_try_dup_anon(LAYOUT, folio, vma, exclusive)


@kernel(HUGETLB_TRY_SHARE)
def hugetlb_try_share_anon_rmap(folio):
    """Make an exclusive hugetlb folio shared, or -EBUSY (spec 6.4)."""
    return share_anon(LAYOUT, folio, folio)


@kernel(HUGETLB)
def hugetlb_add_file_rmap(folio):
    """Map a file hugetlb folio (spec 6.4)."""
    hugetlb_inc(LAYOUT, folio)


@kernel(HUGETLB)
def hugetlb_remove_rmap(folio):
    """Take down the mapping of a hugetlb folio (spec 6.4)."""
    hugetlb_dec(LAYOUT, folio)
