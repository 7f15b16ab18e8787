"""unmap_migrate: PTEs of a folio replaced by migration entries (compaction).

Facts: spec 9.8. Every kernel through 7.1 does it page by page. The batched form is a prototype that exists
in none: pages alike are cleared, shared one by one, and then unmapped by one call and one subtraction.
Left out: marking the folio dirty.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_large, page_folio, test_bit
from kernels.mm_types import *
from kernels.mmu_gather import tlb_flush
from kernels.pgtable import *
from kernels.scene import *

MIGRATION_IGNORES = PAGE_ACCESSED | PAGE_DIRTY | PAGE_SOFT_DIRTY  # what an entry does not tell apart


@helper
def migration_entry(memmap, page, pte, exclusive):
    """The entry for a page: writable, readable and exclusive, or readable."""
    kind = SWP_MIGRATION_READ
    if pte & PAGE_RW:
        kind = SWP_MIGRATION_WRITE
    elif exclusive:
        kind = SWP_MIGRATION_READ_EXCLUSIVE
    return swp_entry(memmap, page, kind)


@helper
def share_page(scene, folio, page, exclusive):
    """Make the page shared if it is exclusive; -EBUSY if it may be pinned."""
    if not exclusive:
        return 0
    return call2(READ64(scene + TRY_SHARE), folio, page)


@helper
def unmap_page(scene, memmap, folio, page, ptep):
    """One page: clear, share, entry, rmap, reference; 1, or 0 if it is refused and mapped as before."""
    pte = ptep_get_and_clear(ptep, False)
    tlb_flush(READ64(scene + GATHER))
    exclusive = test_bit(READ64(scene + ANON_EXCLUSIVE), page + FLAGS)
    if share_page(scene, folio, page, exclusive) != 0:
        unlikely_path()
        WRITE64(ptep, pte)
        return 0
    WRITE64(ptep, migration_entry(memmap, page, pte, exclusive))
    call4(READ64(scene + REMOVE_ONE), folio, page, 1, READ64(scene + VMA))
    atomic_dec_and_test(folio + REFCOUNT)
    return 1


@helper
def unmap_alike(scene, memmap, folio, page, ptep, pte, nr, exclusive):
    """Clear nr PTEs and put entries for those whose page is as exclusive as the first; how many."""
    clear_ptes(ptep, nr, False)
    tlb_flush(READ64(scene + GATHER))
    done = 0
    while done < nr:
        at = page + done * PAGE_BYTES
        same = test_bit(READ64(scene + ANON_EXCLUSIVE), at + FLAGS) == exclusive
        if not same or share_page(scene, folio, at, exclusive) != 0:
            break
        WRITE64(ptep + 8 * done, migration_entry(memmap, at, pte, exclusive))
        done += 1
    left = nr - done
    if left > 0:
        set_ptes(ptep + 8 * done, pte + done * PFN_STEP, left)
    return done


@helper
def unmap_batch(scene, memmap, folio, page, ptep, pte, most):
    """The prototype's batch; pages unmapped, 0 if the first one is refused."""
    left = 1
    if folio_test_large(folio):
        left = pages_left(folio, page, 1 << folio_large_order(folio))
    nr, _ = folio_pte_batch(ptep, pte, most, left, MIGRATION_IGNORES, False)
    exclusive = test_bit(READ64(scene + ANON_EXCLUSIVE), page + FLAGS)
    nr = unmap_alike(scene, memmap, folio, page, ptep, pte, nr, exclusive)
    if nr > 0:
        call4(READ64(scene + REMOVE), folio, page, nr, READ64(scene + VMA))
        atomic_sub_and_test(nr, folio + REFCOUNT)
    return nr


@helper
def walk(scene, batched):
    """Unmap whatever the range maps; the table's lock is held from the first page of a folio to its last."""
    memmap = READ64(scene + MEMMAP)
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    locked = 0
    of = 0
    failed = 0
    while ptep < end:
        pte = READ64(ptep)
        if pte & PAGE_PRESENT == 0:
            ptep += 8
            continue
        page = pte_page(memmap, pte)
        folio = page_folio(page)
        lock = lock_of(scene, ptep)
        if folio != of or lock != locked:
            if locked != 0:
                spin_unlock(locked)
            spin_lock(lock)
            locked = lock
            of = folio
        if batched:
            most = (table_end(ptep, end) - ptep) >> 3
            nr = unmap_batch(scene, memmap, folio, page, ptep, pte, most)
        else:
            nr = unmap_page(scene, memmap, folio, page, ptep)
        if nr == 0:
            failed += 1
            nr = 1
        ptep += 8 * nr
    if locked != 0:
        spin_unlock(locked)
    finish(scene, failed)


@kernel(ON_SCENE)
def unmap_migrate_pte(scene):
    """Page by page, as every kernel does."""
    walk(scene, False)


@kernel(ON_SCENE)
def unmap_migrate_ptes(scene):
    """The prototype: in batches."""
    walk(scene, True)
