"""swap_in: swap entries replaced by PTEs of folios in the swap cache, a page or a whole folio a fault.

Facts: spec 9.7; whole folios since 6.11. Left out: reading the page, freeing the swap slot.
"""

from __future__ import annotations

from kernels.abi import helper, kernel, side_effect
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *


@side_effect
def swap_cache_get_folio(folio):
    """Find the folio in the swap cache: one reference, which a mapping keeps."""
    atomic_add_return(1, folio + REFCOUNT)


@helper
def swap_batch(folio, page, ptep, entry, end):
    """Entries from here on that stand for pages of the folio in a row."""
    if not folio_test_large(folio):
        return 1
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    return entry_batch(ptep, entry, (end - ptep) >> 3, left)


@helper
def swap_in_some(scene, ptep, entry, end, batched):
    """One fault, under the lock: rss, references, rmap, PTEs; how many."""
    page = swp_page(READ64(scene + MEMMAP), entry)
    folio = page_folio(page)
    swap_cache_get_folio(folio)
    nr = 1
    if batched:
        nr = swap_batch(folio, page, ptep, entry, end)
    mm = READ64(scene + MM)
    WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) + nr)
    WRITE64(mm + MM_RSS_SWAP, READ64(mm + MM_RSS_SWAP) - nr)
    if batched:
        atomic_add(nr - 1, folio + REFCOUNT)  # also if that is 0
    call = READ64(scene + (ADD_ANON if batched else ADD_ANON_ONE))
    address = READ64(scene + ADDRESS) + ((ptep - READ64(scene + TABLES)) << 9)
    flags = RMAP_EXCLUSIVE if entry & SWP_EXCLUSIVE else RMAP_NONE
    call6(call, folio, page, nr, READ64(scene + VMA), address, flags)
    set_ptes(ptep, mk_pte(READ64(scene + MEMMAP), page, PAGE_WRITABLE), nr)
    return nr


@helper
def swap_in_range(scene, batched):
    """Fault on every swap entry of the range."""
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    while ptep < end:
        entry = READ64(ptep)
        if entry == 0:
            unlikely_path()
            ptep += 8
            continue
        lock = lock_of(scene, ptep)
        spin_lock(lock)
        nr = swap_in_some(scene, ptep, entry, table_end(ptep, end), batched)
        spin_unlock(lock)
        ptep += 8 * nr
    finish(scene, 0)


@kernel(ON_SCENE)
def swap_in_pte(scene):
    """A page a fault."""
    swap_in_range(scene, False)


@kernel(ON_SCENE)
def swap_in_ptes(scene):
    """A folio a fault, as far as it is in the table."""
    swap_in_range(scene, True)
