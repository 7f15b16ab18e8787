"""v6.7 (G0, legacy): one page a call and a `compound` argument; only file faults map a range.

The interface that "mm/rmap: interface overhaul" (6.8) replaced: every page_* function looks up the folio
of its page, and each first mapping of a page goes into _nr_pages_mapped at once. Read in 6.7.3.
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
from kernels.vmstat import *

BASE = None
LAYOUT = LAYOUT_V6_8
ANON_ORDERS = (0, 9)
FILE_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)


@helper
def account_first(folio):
    """A page got its first mapping: 1 unless an entire mapping accounts for it already (spec 6.1, A2)."""
    if not folio_test_large(folio):
        return 1
    return 1 if atomic_add_return(1, folio + LAYOUT.nr_pages_mapped) < ENTIRELY_MAPPED else 0


@helper
def account_last(folio):
    """A page lost its last mapping: 1 unless an entire mapping accounts for it still (spec 6.3, R2)."""
    if not folio_test_large(folio):
        return 1
    return 1 if atomic_add_return(-1, folio + LAYOUT.nr_pages_mapped) < ENTIRELY_MAPPED else 0


@helper
def __folio_add_rmap_ptes(folio, page, nr_pages):
    """Spec 6.1, PTE level: pages newly mapped."""
    nr = 0
    while True:
        if atomic_inc_and_test(page + MAPCOUNT):
            nr += account_first(folio)
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return nr


@helper
def __folio_add_rmap(folio, page, nr_pages, compound):
    """Spec 6.1: (pages newly mapped, pages newly PMD-mapped)."""
    if compound == 0:
        return __folio_add_rmap_ptes(folio, page, nr_pages), 0
    if folio_test_pmd_mappable(folio):
        return map_entirely(LAYOUT, folio)
    return 0, 0


@kernel(PAGE_ADD_ANON)
def page_add_anon_rmap(page, vma, address, flags):
    """Map one page of an anonymous folio by a PTE, or the whole folio if RMAP_COMPOUND (spec 6.14)."""
    folio = page_folio(page)
    nr, nr_pmdmapped = __folio_add_rmap(folio, page, 1, flags & RMAP_COMPOUND)
    mod_anon_stat(folio, nr, nr_pmdmapped, vma)
    if not folio_test_anon(folio):
        folio_set_anon(folio, vma, address, flags)
    if flags & RMAP_EXCLUSIVE:
        set_bit(LAYOUT.anon_exclusive, page + FLAGS)
    mlock_small_folio(folio, vma)


@helper
def __folio_add_new_anon_rmap(folio, vma, address):
    """Spec 6.5, G0: orders below PMD order count as one page; anonymous only after the statistics."""
    set_swapbacked_always(LAYOUT, folio)
    if not folio_test_pmd_mappable(folio):
        WRITE32(folio + MAPCOUNT, 0)
        mod_anon_stat(folio, 1, 0, vma)
    else:
        WRITE32(folio + LAYOUT.entire_mapcount, 0)
        WRITE32(folio + LAYOUT.nr_pages_mapped, ENTIRELY_MAPPED)
        nr = READ32(folio + LAYOUT.nr_pages)
        mod_anon_stat(folio, nr, nr, vma)
    folio_set_anon(folio, vma, address, RMAP_EXCLUSIVE)
    set_bit(LAYOUT.anon_exclusive, folio + FLAGS)


@kernel(NEW_ANON)
def folio_add_new_anon_rmap(folio, vma, address, flags):
    """Map a whole new anonymous folio, by one PTE or one PMD; always exclusive (spec 6.5)."""
    __folio_add_new_anon_rmap(folio, vma, address)


@kernel(PAGE_ADD_NEW_ANON)
def page_add_new_anon_rmap(page, vma, address):
    """The same for a folio given by its head page: a cast (spec 6.14)."""
    __folio_add_new_anon_rmap(page, vma, address)


@helper
def __folio_add_file_rmap(folio, page, nr_pages, vma, compound):
    """The ADD core, statistics once and the mlock check (spec 6.14)."""
    nr, nr_pmdmapped = __folio_add_rmap(folio, page, nr_pages, compound)
    mod_file_stat(LAYOUT, folio, nr, nr_pmdmapped, vma)
    mlock_small_folio(folio, vma)


@kernel(FILE_RANGE)
def folio_add_file_rmap_range(folio, page, nr_pages, vma, compound):
    """Map nr_pages consecutive pages of a file folio by PTEs, or all of it by a PMD (spec 6.14)."""
    __folio_add_file_rmap(folio, page, nr_pages, vma, compound)


@kernel(PAGE_RMAP)
def page_add_file_rmap(page, vma, compound):
    """Map one page of a file folio by a PTE, or all of the folio by a PMD (spec 6.14)."""
    __folio_add_file_rmap(page_folio(page), page, 1, vma, compound)


@kernel(PAGE_DUP)
def page_dup_file_rmap(page, compound):
    """Duplicate the mapping of one page, or of the folio of a head page, at fork (spec 6.14)."""
    if compound == 0:
        atomic_inc(page + MAPCOUNT)
    else:
        hugetlb_inc(LAYOUT, page)


@helper
def page_needs_cow_for_dma(page, vma):
    """Must fork copy this exclusive page? Looks up the folio only if the mm ever pinned."""
    if not mm_has_pinned(vma):
        return False
    return folio_maybe_dma_pinned(LAYOUT, page_folio(page))


@kernel(PAGE_TRY_DUP)
def page_try_dup_anon_rmap(page, compound, vma):
    """Duplicate the mapping of an anonymous page or folio at fork, or -EBUSY and nothing changed (6.14)."""
    if page_anon_exclusive(LAYOUT, page):
        if page_needs_cow_for_dma(page, vma):
            return -EBUSY
        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
    if compound == 0:
        atomic_inc(page + MAPCOUNT)
    else:
        hugetlb_inc(LAYOUT, page)
    return 0


@kernel(PAGE_TRY_SHARE)
def page_try_share_anon_rmap(page):
    """Make an exclusive page shared, or -EBUSY; the folio is looked up after the fence (spec 6.8)."""
    smp_mb()
    if folio_maybe_dma_pinned(LAYOUT, page_folio(page)):
        return -EBUSY
    clear_bit(LAYOUT.anon_exclusive, page + FLAGS)
    return 0


@helper
def __folio_remove_rmap(folio, page, compound):
    """Spec 6.3: (pages no longer mapped, pages no longer PMD-mapped)."""
    if compound == 0:
        return account_last(folio) if atomic_dec_and_negative(page + MAPCOUNT) else 0, 0
    if folio_test_pmd_mappable(folio):
        return unmap_entirely(LAYOUT, folio)
    return 0, 0


@helper
def defer_split_of_thp(folio, partial, vma):
    """Queue a PMD-mappable anonymous folio that may be mapped in part only; fully unmapped ones too."""
    if folio_test_pmd_mappable(folio) and folio_test_anon(folio) and partial:
        deferred_split_folio(folio, vma, LAYOUT.swapcache, 0)


@kernel(PAGE_RMAP)
def page_remove_rmap(page, vma, compound):
    """Take down the mapping of a page, a PMD-mapped folio or a hugetlb folio (spec 6.14)."""
    folio = page_folio(page)
    if folio_test_hugetlb(LAYOUT, folio):
        hugetlb_dec(LAYOUT, folio)
        return
    nr, nr_pmdmapped = __folio_remove_rmap(folio, page, compound)
    if nr_pmdmapped != 0:
        mod_pmd_stat_memcg(LAYOUT, folio, -nr_pmdmapped, vma)
    if nr != 0:
        mod_mapped_stat(folio, -nr, vma)
        defer_split_of_thp(folio, compound == 0 or nr < nr_pmdmapped, vma)
    munlock_vma_folio(folio, vma)


@kernel(MOVE)
def folio_move_anon_rmap(folio, vma):
    """Make the folio the vma's own: one plain store of mapping (spec 6.13)."""
    WRITE64(folio + MAPPING, READ64(vma + VM_ANON_VMA) + PAGE_MAPPING_ANON)


@kernel(HUGETLB_ADD_NEW)
def hugepage_add_new_anon_rmap(folio, vma, address):
    """Map a new hugetlb folio (spec 6.4)."""
    hugetlb_add_new(LAYOUT, folio, vma, address)


@kernel(HUGETLB_ADD_ANON)
def hugepage_add_anon_rmap(folio, vma, address, flags):
    """Map an anonymous hugetlb folio (spec 6.4)."""
    hugetlb_add_anon(LAYOUT, folio, flags)
