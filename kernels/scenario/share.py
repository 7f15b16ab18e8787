"""share: exclusive pages made shared and their PTEs read-only, one by one, as KSM does before it merges.

Facts: spec 9.9. There is no batched form of folio_try_share_anon_rmap_pte.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import page_folio, test_bit
from kernels.mm_types import *
from kernels.mmu_gather import tlb_flush
from kernels.pgtable import *
from kernels.scene import *


@helper
def write_protect_page(scene, ptep):
    """Clear and flush the PTE, share the page, write the PTE without write permission; 1 if refused."""
    pte = ptep_get_and_clear(ptep, False)
    tlb_flush(READ64(scene + GATHER))
    page = pte_page(READ64(scene + MEMMAP), pte)
    folio = page_folio(page)
    READ32(page + MAPCOUNT)  # KSM compares these two
    READ32(folio + REFCOUNT)
    exclusive = test_bit(READ64(scene + ANON_EXCLUSIVE), page + FLAGS)
    if exclusive and call2(READ64(scene + TRY_SHARE), folio, page) != 0:
        unlikely_path()
        WRITE64(ptep, pte)
        return 1
    WRITE64(ptep, pte & ~(PAGE_RW | PAGE_DIRTY))
    return 0


@kernel(ON_SCENE)
def share_pte(scene):
    """Every page of the range, each under the lock."""
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    failed = 0
    while ptep < end:
        if READ64(ptep) & PAGE_PRESENT == 0:
            unlikely_path()
            ptep += 8
            continue
        lock = lock_of(scene, ptep)
        spin_lock(lock)
        failed |= write_protect_page(scene, ptep)
        spin_unlock(lock)
        ptep += 8
    finish(scene, failed)
