"""fault: new anonymous folios mapped into empty PTEs, one fault a folio; order 9 by a PMD.

Facts: spec 9.4. Left out: allocation, zeroing and charging of the folio, the LRU batch, and the
deferred-split queue that takes new PMD-mapped folios as of 6.12.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *


@helper
def map_new_folio(scene, folio, nr, ptep, address):
    """References, rss, rmap and PTEs of one folio; 1 if somebody else mapped something there."""
    by_pmd = nr == HPAGE_PMD_NR
    if not ptes_none(ptep, 1 if by_pmd else nr):
        unlikely_path()
        return 1
    if not by_pmd and (nr > 1 or has_rule(scene, ADDS_FOR_NEW)):
        atomic_add(nr - 1, folio + REFCOUNT)
    mm = READ64(scene + MM)
    WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) + nr)
    call4(READ64(scene + ADD_NEW), folio, READ64(scene + VMA), address, RMAP_EXCLUSIVE)
    pte = mk_pte(READ64(scene + MEMMAP), folio, PAGE_WRITABLE)
    if by_pmd:
        WRITE64(ptep, pte | PAGE_HUGE)  # the first word of a table stands for its PMD entry
    else:
        set_ptes(ptep, pte, nr)
    return 0


@kernel(ON_SCENE)
def fault_folio(scene):
    """Faults of a whole range, each under its table's lock."""
    nr = 1 << READ64(scene + ORDER)
    folio = READ64(scene + PAGES)
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    address = READ64(scene + ADDRESS)
    failed = 0
    while ptep < end:
        lock = lock_of(scene, ptep)
        spin_lock(lock)
        failed |= map_new_folio(scene, folio, nr, ptep, address)
        spin_unlock(lock)
        folio += nr * PAGE_BYTES
        ptep += 8 * nr
        address += nr << 12
    finish(scene, failed)
