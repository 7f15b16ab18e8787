"""fault_around: pages of a file around a fault mapped in one go, up to 64 KiB, or a folio whole (6.18).

Facts: spec 9.5. Per page as up to 6.6; a run of pages of one folio in one call since
folio_add_file_rmap_range (6.7), renamed folio_add_file_rmap_ptes.
"""

from __future__ import annotations

from kernels.abi import helper, kernel, side_effect
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *

AROUND = 16  # PTEs: 64 KiB
PG_LOCKED = 0


@side_effect
def next_uptodate_folio(folio, flags):
    """Find a folio in the page cache: a reference on trial, and the folio lock."""
    atomic_add_return(1, folio + REFCOUNT)
    set_bit(PG_LOCKED, folio + flags)


@side_effect
def unlock_and_put(folio, flags, references):
    """Unlock a folio; drop the lookup's reference unless a mapping keeps it."""
    clear_bit(PG_LOCKED, folio + flags)
    if references != 0:
        atomic_dec_and_test(folio + REFCOUNT)


@helper
def map_single_pages(scene, folio, page, ptep, nr):
    """Page by page: rmap, PTE, reference."""
    memmap = READ64(scene + MEMMAP)
    while nr > 0:
        call4(READ64(scene + ADD_FILE_ONE), folio, page, 1, READ64(scene + VMA))
        WRITE64(ptep, mk_pte(memmap, page, PAGE_READONLY))
        atomic_inc(folio + REFCOUNT)
        page += PAGE_BYTES
        ptep += 8
        nr -= 1
    return 1


@helper
def map_run(scene, folio, page, ptep, nr):
    """A run of pages in one call, then its references; references of the lookup that are left to drop."""
    call4(READ64(scene + ADD_FILE), folio, page, nr, READ64(scene + VMA))
    set_ptes(ptep, mk_pte(READ64(scene + MEMMAP), page, PAGE_READONLY), nr)
    if not has_rule(scene, KEEPS_LOOKUP):
        atomic_add(nr, folio + REFCOUNT)
        return 1
    if nr > 1:
        atomic_add(nr - 1, folio + REFCOUNT)
    return 0


@helper
def run_length(scene, folio, page, ptep, stop, batched):
    """PTEs from here on to map of this folio: to its end or the window's, beyond that if mapped whole."""
    if not folio_test_large(folio):
        return 1
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    if batched and has_rule(scene, MAPS_WHOLE):
        return left
    return min(left, (stop - ptep) >> 3)


@helper
def map_around(scene, ptep, stop, batched):
    """Map the folios from a faulting PTE to the end of its window: where that ended."""
    first = READ64(scene + TABLES)
    begin = ptep
    while ptep < stop:
        page = READ64(scene + PAGES) + ((ptep - first) << 3)
        folio = page_folio(page)
        next_uptodate_folio(folio, FLAGS)
        nr = run_length(scene, folio, page, ptep, stop, batched)
        if batched:
            references = map_run(scene, folio, page, ptep, nr)
        else:
            references = map_single_pages(scene, folio, page, ptep, nr)
        unlock_and_put(folio, FLAGS, references)
        ptep += 8 * nr
    mm = READ64(scene + MM)
    WRITE64(mm + MM_RSS_FILE, READ64(mm + MM_RSS_FILE) + ((ptep - begin) >> 3))
    return ptep


@helper
def fault_range(scene, batched):
    """Fault wherever a PTE is empty, until the range is mapped."""
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    while ptep < end:
        lock = lock_of(scene, ptep)
        spin_lock(lock)
        stop = min((ptep | (8 * AROUND - 1)) + 1, end)
        ptep = map_around(scene, ptep, stop, batched)
        spin_unlock(lock)
    finish(scene, 0)


@kernel(ON_SCENE)
def fault_around_pte(scene):
    """One call a page."""
    fault_range(scene, False)


@kernel(ON_SCENE)
def fault_around_ptes(scene):
    """One call a run of pages of one folio."""
    fault_range(scene, True)
