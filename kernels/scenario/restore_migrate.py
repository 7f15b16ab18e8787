"""restore_migrate: migration entries replaced by PTEs of the new folio (remove_migration_ptes).

Facts: spec 9.8. Every kernel through 7.1 does it page by page; the batched form is a prototype that exists
in none.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *


@helper
def restore_some(scene, ptep, entry, end, batched):
    """One entry, or those of pages in a row: references, rmap, PTEs; how many."""
    memmap = READ64(scene + MEMMAP)
    page = swp_page(memmap, entry)
    folio = page_folio(page)
    nr = 1
    if batched and folio_test_large(folio):
        left = pages_left(folio, page, 1 << folio_large_order(folio))
        nr = entry_batch(ptep, entry, (end - ptep) >> 3, left)
    if batched:
        atomic_add(nr, folio + REFCOUNT)
    else:
        atomic_inc(folio + REFCOUNT)
    kind = entry & SWP_TYPE_MASK
    flags = RMAP_NONE if kind == SWP_MIGRATION_READ else RMAP_EXCLUSIVE
    bits = PAGE_WRITABLE if kind == SWP_MIGRATION_WRITE else PAGE_READONLY
    call = READ64(scene + (ADD_ANON if batched else ADD_ANON_ONE))
    address = READ64(scene + ADDRESS) + ((ptep - READ64(scene + TABLES)) << 9)
    call6(call, folio, page, nr, READ64(scene + VMA), address, flags)
    set_ptes(ptep, mk_pte(memmap, page, bits), nr)
    return nr


@helper
def restore_range(scene, batched):
    """Go through a range of entries, table by table."""
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    while ptep < end:
        lock = lock_of(scene, ptep)
        stop = table_end(ptep, end)
        spin_lock(lock)
        while ptep < stop:
            entry = READ64(ptep)
            if entry == 0:
                unlikely_path()
                ptep += 8
                continue
            ptep += 8 * restore_some(scene, ptep, entry, stop, batched)
        spin_unlock(lock)
    finish(scene, 0)


@kernel(ON_SCENE)
def restore_migrate_pte(scene):
    """Page by page, as every kernel does."""
    restore_range(scene, False)


@kernel(ON_SCENE)
def restore_migrate_ptes(scene):
    """The prototype: in batches."""
    restore_range(scene, True)
