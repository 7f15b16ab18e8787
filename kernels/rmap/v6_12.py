"""v6.12 (G2b, 6.12-6.14): _nr_pages_mapped updated once a batch; small folios have a path of their own.

"mm/rmap: minimize folio->_nr_pages_mapped updates when batching PTE (un)mapping" (6.12).
Kept from 6.10: 46d62de7ad12 "mm/rmap: add fast-path for small folios when adding/removing/duplicating",
05c5323b2a34 "mm: track mapcount of large folios in single value".
"""

from __future__ import annotations

from kernels.abi import *
from kernels.anon import *
from kernels.atomic import *
from kernels.deferred_split import defer_split
from kernels.folio import *
from kernels.hugetlb import *
from kernels.mapcount import *
from kernels.mm_types import *
from kernels.rmap.v6_10 import folio_move_anon_rmap  # noqa: F401 - unchanged, part of this variant
from kernels.vmstat import *

BASE = "v6.10"
LAYOUT = LAYOUT_V6_12
ANON_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
FILE_ORDERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


@helper
def __folio_add_rmap_ptes(folio, page, nr_pages):
    """Spec 6.1, PTE level: pages newly mapped."""
    if not folio_test_large(folio):
        return 1 if atomic_inc_and_test(folio + MAPCOUNT) else 0
    nr = map_pages(page, nr_pages)
    if nr > 0 and atomic_add_return(nr, folio + LAYOUT.nr_pages_mapped) >= ENTIRELY_MAPPED:
        nr = 0
    atomic_add(nr_pages, folio + LAYOUT.large_mapcount)
    return nr


@helper
def __folio_add_rmap_pmd(folio):
    """Spec 6.1, PMD level: (pages newly mapped, pages newly PMD-mapped)."""
    nr = 0
    nr_pmdmapped = 0
    if atomic_inc_and_test(folio + LAYOUT.entire_mapcount):
        mapped = atomic_add_return(ENTIRELY_MAPPED, folio + LAYOUT.nr_pages_mapped)
        if mapped < 2 * ENTIRELY_MAPPED:
            nr_pmdmapped = folio_nr_pages(LAYOUT, folio)
            nr = max(0, nr_pmdmapped - (mapped & FOLIO_PAGES_MAPPED))  # below 0: raced with a remove
    atomic_inc(folio + LAYOUT.large_mapcount)
    return nr, nr_pmdmapped


@kernel(PTES)
def folio_add_file_rmap_ptes(folio, page, nr_pages, vma):
    """Map nr_pages consecutive pages of a file folio by PTEs (spec 6.9)."""
    mod_stat(LAYOUT, folio, __folio_add_rmap_ptes(folio, page, nr_pages), 0, vma)
    mlock_small_folio(folio, vma)


folio_add_file_rmap_pte = pte_of(folio_add_file_rmap_ptes)


@kernel(PMD)
def folio_add_file_rmap_pmd(folio, page, vma):
    """Map a file folio by a PMD (spec 6.9)."""
    nr, nr_pmdmapped = __folio_add_rmap_pmd(folio)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    mlock_small_folio(folio, vma)


@kernel(ANON_PTES)
def folio_add_anon_rmap_ptes(folio, page, nr_pages, vma, address, flags):
    """Map nr_pages consecutive pages of an anonymous folio by PTEs (spec 6.6)."""
    mod_stat(LAYOUT, folio, __folio_add_rmap_ptes(folio, page, nr_pages), 0, vma)
    if flags & RMAP_EXCLUSIVE:
        set_anon_exclusive(LAYOUT, page, nr_pages)
    mlock_small_folio(folio, vma)


folio_add_anon_rmap_pte = pte_of(folio_add_anon_rmap_ptes)


@kernel(ANON_PMD)
def folio_add_anon_rmap_pmd(folio, page, vma, address, flags):
    """Map an anonymous folio by a PMD (spec 6.6)."""
    nr, nr_pmdmapped = __folio_add_rmap_pmd(folio)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    if flags & RMAP_EXCLUSIVE:
        set_bit(LAYOUT.anon_exclusive, page + FLAGS)
    mlock_small_folio(folio, vma)


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
        map_new_anon_pages(LAYOUT, folio, nr, exclusive)
        WRITE32(folio + LAYOUT.large_mapcount, nr - 1)
        WRITE32(folio + LAYOUT.nr_pages_mapped, nr)
    else:
        nr_pmdmapped = nr
        WRITE32(folio + LAYOUT.entire_mapcount, 0)
        WRITE32(folio + LAYOUT.large_mapcount, 0)
        WRITE32(folio + LAYOUT.nr_pages_mapped, ENTIRELY_MAPPED)
        if exclusive:
            set_bit(LAYOUT.anon_exclusive, folio + FLAGS)
    mod_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    if folio_test_large(folio):
        mod_mthp_stat(folio_large_order(folio), 1, vma)


@helper
def __folio_dup_file_rmap(folio, page, nr_pages):
    """Spec 6.2, PTE level."""
    if not folio_test_large(folio):
        atomic_inc(folio + MAPCOUNT)
        return
    dup_pages(page, nr_pages)
    atomic_add(nr_pages, folio + LAYOUT.large_mapcount)


@kernel(DUP_PTES)
def folio_dup_file_rmap_ptes(folio, page, nr_pages, dst_vma):
    """Duplicate PTE mappings of a file folio at fork (spec 6.10)."""
    __folio_dup_file_rmap(folio, page, nr_pages)


@kernel(DUP_PTE)
def folio_dup_file_rmap_pte(folio, page, dst_vma):
    """The always inlined instance with nr_pages = 1."""
    __folio_dup_file_rmap(folio, page, 1)


@kernel(DUP_PMD)
def folio_dup_file_rmap_pmd(folio, page, dst_vma):
    """Passes the PTE level and 512 pages, as the kernel does; nobody calls it (spec 1.2 no. 5)."""
    __folio_dup_file_rmap(folio, page, HPAGE_PMD_NR)


@helper
def __folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, src_vma):
    """Spec 6.7, PTE level."""
    maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)
    if maybe_pinned and any_anon_exclusive(LAYOUT, page, nr_pages):
        return -EBUSY
    if not folio_test_large(folio):
        dup_anon_page(LAYOUT, folio)
        return 0
    dup_anon_pages(LAYOUT, page, nr_pages)
    atomic_add(nr_pages, folio + LAYOUT.large_mapcount)
    return 0


@kernel(TRY_DUP_PTES)
def folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Duplicate PTE mappings of an anonymous folio at fork, or -EBUSY and nothing changed (spec 6.7)."""
    return __folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, src_vma)


@kernel(TRY_DUP_PTE)
def folio_try_dup_anon_rmap_pte(folio, page, dst_vma, src_vma):
    """The always inlined instance with nr_pages = 1."""
    return __folio_try_dup_anon_rmap_ptes(folio, page, 1, src_vma)


@kernel(TRY_DUP_PMD)
def folio_try_dup_anon_rmap_pmd(folio, page, dst_vma, src_vma):
    """Duplicate a PMD mapping of an anonymous folio at fork (spec 6.7)."""
    maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)
    if page_anon_exclusive(LAYOUT, page):
        if maybe_pinned:
            return -EBUSY
        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
    atomic_inc(folio + LAYOUT.entire_mapcount)
    atomic_inc(folio + LAYOUT.large_mapcount)
    return 0


@kernel(TRY_SHARE)
def folio_try_share_anon_rmap_pte(folio, page):
    """Make one exclusive page shared, or -EBUSY (spec 6.8)."""
    return share_anon(LAYOUT, folio, page)


folio_try_share_anon_rmap_pmd = folio_try_share_anon_rmap_pte  # of a head page, which stands for all


@helper
def __folio_remove_rmap_large(folio, page, nr_pages, vma):
    """Spec 6.3, PTE level of a large folio: pages no longer mapped."""
    atomic_sub(nr_pages, folio + LAYOUT.large_mapcount)
    nr = unmap_pages(page, nr_pages)
    if nr > 0 and atomic_add_return(-nr, folio + LAYOUT.nr_pages_mapped) >= ENTIRELY_MAPPED:
        nr = 0
    if nr != 0 and READ32(folio + LAYOUT.nr_pages_mapped) != 0:
        defer_split(LAYOUT, folio, vma)
    return nr


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Take down nr_pages PTE mappings of a folio of either kind (spec 6.11)."""
    if not folio_test_large(folio):
        nr = 1 if atomic_dec_and_negative(folio + MAPCOUNT) else 0
    else:
        nr = __folio_remove_rmap_large(folio, page, nr_pages, vma)
    mod_stat(LAYOUT, folio, -nr, 0, vma)
    munlock_vma_folio(folio, vma)


folio_remove_rmap_pte = pte_of(folio_remove_rmap_ptes)


@kernel(PMD)
def folio_remove_rmap_pmd(folio, page, vma):
    """Take down a PMD mapping of a folio of either kind (spec 6.11)."""
    atomic_dec(folio + LAYOUT.large_mapcount)
    nr, nr_pmdmapped = unmap_entirely(LAYOUT, folio)
    if nr != 0 and nr < nr_pmdmapped:
        defer_split(LAYOUT, folio, vma)
    mod_stat(LAYOUT, folio, -nr, -nr_pmdmapped, vma)
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
