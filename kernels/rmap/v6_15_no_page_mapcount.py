"""v6.15-no-page-mapcount (G4, CONFIG_NO_PAGE_MAPCOUNT=y): large folios have no per-page counts.

"mm: CONFIG_NO_PAGE_MAPCOUNT to prepare for not maintain per-page mapcounts in large folios", "mm: stop
maintaining the per-page mapcount of large folios (CONFIG_NO_PAGE_MAPCOUNT)" (6.15). A large folio counts as
mapped whole from its first mapping to its last. Read in 6.18.2, as v6.15.
"""

from __future__ import annotations

from kernels.abi import *
from kernels.anon import *
from kernels.atomic import *
from kernels.deferred_split import defer_split
from kernels.folio import *
from kernels.mm_id import *
from kernels.mm_types import *
from kernels.rmap.v6_15 import (  # noqa: F401 - unchanged, part of this variant
    folio_move_anon_rmap,
    folio_try_dup_anon_rmap_pmd,
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

BASE = "v6.15"
LAYOUT = LAYOUT_V6_15_NO_PAGE_MAPCOUNT
ANON_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
FILE_ORDERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


@helper
def __folio_add_rmap_ptes(folio, nr_pages, vma):
    """Spec 6.1, PTE level: pages newly mapped, all of them by the first mapping."""
    if not folio_test_large(folio):
        return 1 if atomic_inc_and_test(folio + MAPCOUNT) else 0
    mapcount = folio_add_large_mapcount(LAYOUT, folio, nr_pages, vma)
    return READ32(folio + LAYOUT.nr_pages) if mapcount == nr_pages else 0


@helper
def __folio_add_rmap_pmd(folio, vma):
    """Spec 6.1, PMD level: (pages newly mapped, pages newly PMD-mapped)."""
    nr = 0
    nr_pmdmapped = 0
    if atomic_inc_and_test(folio + LAYOUT.entire_mapcount):
        nr_pmdmapped = READ32(folio + LAYOUT.nr_pages)
    if folio_add_large_mapcount(LAYOUT, folio, 1, vma) == 1:
        nr = READ32(folio + LAYOUT.nr_pages)
    return nr, nr_pmdmapped


@kernel(PTES)
def folio_add_file_rmap_ptes(folio, page, nr_pages, vma):
    """Map nr_pages consecutive pages of a file folio by PTEs (spec 6.9)."""
    mod_stat(LAYOUT, folio, __folio_add_rmap_ptes(folio, nr_pages, vma), 0, vma)
    mlock_whole_folio(LAYOUT, folio, nr_pages, vma)


folio_add_file_rmap_pte = pte_of(folio_add_file_rmap_ptes)


@kernel(PMD)
def folio_add_file_rmap_pmd(folio, page, vma):
    """Map a file folio by a PMD (spec 6.9)."""
    nr, nr_pmdmapped = __folio_add_rmap_pmd(folio, vma)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    mlock_whole_folio(LAYOUT, folio, HPAGE_PMD_NR, vma)


@kernel(ANON_PTES)
def folio_add_anon_rmap_ptes(folio, page, nr_pages, vma, address, flags):
    """Map nr_pages consecutive pages of an anonymous folio by PTEs (spec 6.6)."""
    mod_stat(LAYOUT, folio, __folio_add_rmap_ptes(folio, nr_pages, vma), 0, vma)
    if flags & RMAP_EXCLUSIVE:
        set_anon_exclusive(LAYOUT, page, nr_pages)
    mlock_whole_folio(LAYOUT, folio, nr_pages, vma)


folio_add_anon_rmap_pte = pte_of(folio_add_anon_rmap_ptes)


@kernel(ANON_PMD)
def folio_add_anon_rmap_pmd(folio, page, vma, address, flags):
    """Map an anonymous folio by a PMD (spec 6.6)."""
    nr, nr_pmdmapped = __folio_add_rmap_pmd(folio, vma)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    if flags & RMAP_EXCLUSIVE:
        set_bit(LAYOUT.anon_exclusive, page + FLAGS)
    mlock_whole_folio(LAYOUT, folio, HPAGE_PMD_NR, vma)


@kernel(NEW_ANON)
def folio_add_new_anon_rmap(folio, vma, address, flags):
    """Map a whole new anonymous folio, by one PTE, PTEs or one PMD, without locked counters (spec 6.5)."""
    exclusive = flags & RMAP_EXCLUSIVE != 0
    nr = folio_nr_pages(LAYOUT, folio)
    nr_pmdmapped = 0
    set_swapbacked(LAYOUT, folio, vma)
    folio_set_anon(folio, vma, address, flags)
    if not folio_test_large(folio):
        map_new_anon_page(LAYOUT, folio, exclusive)
    elif folio_large_order(folio) < HPAGE_PMD_ORDER:
        if exclusive:
            set_anon_exclusive(LAYOUT, folio, nr)
        folio_set_large_mapcount(LAYOUT, folio, nr - 1, vma)
    else:
        nr_pmdmapped = nr
        WRITE32(folio + LAYOUT.entire_mapcount, 0)
        folio_set_large_mapcount(LAYOUT, folio, 0, vma)
        if exclusive:
            set_bit(LAYOUT.anon_exclusive, folio + FLAGS)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    if folio_test_large(folio):
        mod_mthp_stat(folio_large_order(folio), 1, vma)


@helper
def __folio_dup_file_rmap(folio, nr_pages, dst_vma):
    """Spec 6.2, PTE level."""
    if not folio_test_large(folio):
        atomic_inc(folio + MAPCOUNT)
        return
    folio_add_large_mapcount(LAYOUT, folio, nr_pages, dst_vma)


@kernel(DUP_PTES)
def folio_dup_file_rmap_ptes(folio, page, nr_pages, dst_vma):
    """Duplicate PTE mappings of a file folio at fork, for the destination's mm (spec 6.10)."""
    __folio_dup_file_rmap(folio, nr_pages, dst_vma)


@kernel(DUP_PTE)
def folio_dup_file_rmap_pte(folio, page, dst_vma):
    """The always inlined instance with nr_pages = 1."""
    __folio_dup_file_rmap(folio, 1, dst_vma)


@kernel(DUP_PMD)
def folio_dup_file_rmap_pmd(folio, page, dst_vma):
    """Passes the PTE level and 512 pages, as the kernel does; nobody calls it (spec 1.2 no. 5)."""
    __folio_dup_file_rmap(folio, HPAGE_PMD_NR, dst_vma)


@helper
def share_anon_pages(page, nr_pages):
    """Make each page of a batch shared: one look at each, and a locked AND of the exclusive ones."""
    while True:
        if page_anon_exclusive(LAYOUT, page):
            clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return


@helper
def __folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Spec 6.7, PTE level."""
    maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)
    if maybe_pinned and any_anon_exclusive(LAYOUT, page, nr_pages):
        return -EBUSY
    if not folio_test_large(folio):
        dup_anon_page(LAYOUT, folio)
        return 0
    share_anon_pages(page, nr_pages)
    folio_add_large_mapcount(LAYOUT, folio, nr_pages, dst_vma)
    return 0


@kernel(TRY_DUP_PTES)
def folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Duplicate PTE mappings of an anonymous folio at fork, or -EBUSY and nothing changed (spec 6.7)."""
    return __folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma)


@kernel(TRY_DUP_PTE)
def folio_try_dup_anon_rmap_pte(folio, page, dst_vma, src_vma):
    """The always inlined instance with nr_pages = 1."""
    return __folio_try_dup_anon_rmap_ptes(folio, page, 1, dst_vma, src_vma)


@helper
def __folio_remove_rmap_large(folio, nr_pages, vma):
    """Spec 6.3, PTE level of a large folio: pages no longer mapped, all of them with the last mapping."""
    mapcount = folio_sub_large_mapcount(LAYOUT, folio, nr_pages, vma)
    if mapcount == 0:
        return READ32(folio + LAYOUT.nr_pages)
    if mapcount < READ32(folio + LAYOUT.nr_pages) and READ32(folio + LAYOUT.entire_mapcount) == -1:
        defer_split(LAYOUT, folio, vma)
    return 0


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Take down nr_pages PTE mappings of a folio of either kind (spec 6.11)."""
    if not folio_test_large(folio):
        nr = 1 if atomic_dec_and_negative(folio + MAPCOUNT) else 0
    else:
        nr = __folio_remove_rmap_large(folio, nr_pages, vma)
    mod_stat(LAYOUT, folio, -nr, 0, vma)
    munlock_vma_folio(folio, vma)


folio_remove_rmap_pte = pte_of(folio_remove_rmap_ptes)


@kernel(PMD)
def folio_remove_rmap_pmd(folio, page, vma):
    """Take down a PMD mapping of a folio of either kind; the entire mapping goes first (spec 6.11)."""
    nr = 0
    nr_pmdmapped = 0
    if atomic_dec_and_negative(folio + LAYOUT.entire_mapcount):
        nr_pmdmapped = READ32(folio + LAYOUT.nr_pages)
    mapcount = folio_sub_large_mapcount(LAYOUT, folio, 1, vma)
    if mapcount == 0:
        nr = READ32(folio + LAYOUT.nr_pages)
    elif nr_pmdmapped != 0 and mapcount < READ32(folio + LAYOUT.nr_pages):
        defer_split(LAYOUT, folio, vma)
    mod_stat(LAYOUT, folio, -nr, -nr_pmdmapped, vma)
    munlock_vma_folio(folio, vma)
