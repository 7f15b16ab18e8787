"""split_pmd: a PMD-mapped anonymous folio mapped by 512 PTEs instead.

Facts: spec 9.6. Batched since "mm/huge_memory: batch rmap operations in __split_huge_pmd_locked()" (6.8).
The child's tables, which nobody else uses here, hold the PMD entries.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import test_bit
from kernels.mm_types import *
from kernels.mmu_gather import tlb_flush
from kernels.pgtable import *
from kernels.scene import *


@helper
def map_by_ptes(scene, folio, table, address, flags, batched):
    """All 512 pages by PTEs: in one call, or each with its own call and store."""
    vma = READ64(scene + VMA)
    pte = mk_pte(READ64(scene + MEMMAP), folio, PAGE_WRITABLE)
    if batched:
        call6(READ64(scene + ADD_ANON), folio, folio, HPAGE_PMD_NR, vma, address, flags)
        set_ptes(table, pte, HPAGE_PMD_NR)
        return
    page = folio
    end = table + TABLE_BYTES
    while table < end:
        call6(READ64(scene + ADD_ANON_ONE), folio, page, 1, vma, address, flags)
        WRITE64(table, pte)
        page += PAGE_BYTES
        pte += PFN_STEP
        address += 0x1000
        table += 8


@helper
def split_pmd(scene, pmdp, folio, table, address, batched):
    """Split one PMD under its lock: invalidate, map by PTEs, unmap by PMD, publish the table."""
    xchg64(pmdp, 0)
    tlb_flush(READ64(scene + GATHER))
    exclusive = test_bit(READ64(scene + ANON_EXCLUSIVE), folio + FLAGS)
    atomic_add(HPAGE_PMD_NR - 1, folio + REFCOUNT)
    flags = RMAP_EXCLUSIVE if exclusive else RMAP_NONE
    map_by_ptes(scene, folio, table, address, flags, batched)
    call3(READ64(scene + REMOVE_PMD), folio, folio, READ64(scene + VMA))
    WRITE64(pmdp, table | PAGE_USER | PAGE_RW | PAGE_PRESENT)


@helper
def split_range(scene, batched):
    """Split every PMD of the range."""
    folio = READ64(scene + PAGES)
    table = READ64(scene + TABLES)
    pmdp = READ64(scene + CHILD_TABLES)
    end = table + 8 * READ64(scene + NR_PTES)
    address = READ64(scene + ADDRESS)
    lock = READ64(scene + CHILD_LOCKS)
    while table < end:
        spin_lock(lock)
        split_pmd(scene, pmdp, folio, table, address, batched)
        spin_unlock(lock)
        folio += HPAGE_PMD_NR * PAGE_BYTES
        table += TABLE_BYTES
        address += HPAGE_PMD_NR << 12
        pmdp += 8
    finish(scene, 0)


@kernel(ON_SCENE)
def split_pmd_pte(scene):
    """One call a page, as up to 6.7."""
    split_range(scene, False)


@kernel(ON_SCENE)
def split_pmd_ptes(scene):
    """One call for all pages."""
    split_range(scene, True)
