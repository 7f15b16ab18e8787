"""contpte: fork and munmap over arm64's contiguous blocks, without and with the batched hooks.

Facts: spec 10. Page by page, without the batched hooks, the first PTE that is changed unfolds its block, and
the last one that is set folds the child's; with them a block stays whole. What counts is loads, atomic
clears and invalidations of the TLB: exact on any machine. Times are this machine's, not arm64's.

The range need not begin or end with a block: of those that it covers in part the rest stays mapped.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.contpte import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_test_anon, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.mmu_gather import *
from kernels.pgtable import *
from kernels.scenario.fork import add_rss, child_pte, dup_mapping, dup_mappings, fork_ignores
from kernels.scene import *


@helper
def fork_one(scene, gather, folio, page, ptep, pte, child):
    """One page, PTE by PTE."""
    anon = folio_test_anon(folio)
    atomic_inc(folio + REFCOUNT)
    if dup_mapping(scene, folio, page, anon) != 0:
        return 0
    if pte & PAGE_RW:
        contpte_try_unfold(gather, ptep)
        ptep_set_wrprotect(ptep)
    copy = child_pte(pte & ~(PAGE_CONT | PAGE_RW), READ64(scene + VMA))
    contpte_set_pte(gather, folio, page, child, copy)
    return 1


@helper
def fork_batch(scene, gather, folio, page, ptep, pte, child, most):
    """One batch, with the batched hooks."""
    vma = READ64(scene + VMA)
    nr, any_bits = contpte_batch(folio, page, ptep, pte, most, fork_ignores(vma))
    atomic_add(nr, folio + REFCOUNT)
    if dup_mappings(scene, folio, page, nr, folio_test_anon(folio)) != 0:
        return 0
    if any_bits & PAGE_RW:
        contpte_unfold_edges(gather, ptep, nr)
        wrprotect_ptes(ptep, nr)
    copy = child_pte(pte & ~(PAGE_CONT | PAGE_RW), vma)
    contpte_set_ptes(gather, folio, page, child, copy, nr)
    return nr


@helper
def fork_block_table(scene, gather, ptep, end, to_child, batched):
    """Copy a table; where it stopped."""
    memmap = READ64(scene + MEMMAP)
    copied = 0
    while ptep < end:
        pte = contpte_ptep_get(ptep)
        if pte & PAGE_PRESENT == 0:
            unlikely_path()
            ptep += 8
            continue
        page = pte_page(memmap, pte)
        folio = page_folio(page)
        if batched and folio_test_large(folio):
            most = (end - ptep) >> 3
            nr = fork_batch(scene, gather, folio, page, ptep, pte, ptep + to_child, most)
        else:
            nr = fork_one(scene, gather, folio, page, ptep, pte, ptep + to_child)
        if nr == 0:
            break
        copied += nr
        ptep += 8 * nr
    add_rss(READ64(scene + CHILD_MM), copied)
    return ptep


@helper
def fork_blocks(scene, batched):
    """fork of a range, table by table under both locks."""
    gather = READ64(scene + GATHER)
    tables = READ64(scene + TABLES)
    ptep = tables + 8 * READ64(scene + BEGIN)
    end = tables + 8 * READ64(scene + NR_PTES)
    to_child = READ64(scene + CHILD_TABLES) - tables
    lock = READ64(scene + LOCKS)
    child_lock = READ64(scene + CHILD_LOCKS)
    failed = 0
    while ptep < end and failed == 0:
        stop = table_end(ptep, end)
        spin_lock(child_lock)
        spin_lock(lock)
        failed = stop - fork_block_table(scene, gather, ptep, stop, to_child, batched)
        spin_unlock(lock)
        spin_unlock(child_lock)
        ptep = stop
        lock += LOCK_BYTES
        child_lock += LOCK_BYTES
    finish(scene, failed)


@kernel(ON_SCENE)
def contpte_fork_pte(scene):
    """fork without the batched hooks."""
    fork_blocks(scene, False)


@kernel(ON_SCENE)
def contpte_fork_ptes(scene):
    """fork with them."""
    fork_blocks(scene, True)


@helper
def unmap_blocks_of(scene, gather, folio, page, ptep, pte, most, batched):
    """One PTE or one batch taken down: how many."""
    nr = 1
    if batched and folio_test_large(folio):
        nr, _ = contpte_batch(folio, page, ptep, pte, most, ZAP_IGNORES)
        contpte_unfold_edges(gather, ptep, nr)
        clear_ptes(ptep, nr, False)
    else:
        contpte_try_unfold(gather, ptep)
        ptep_get_and_clear(ptep, False)
    call4(READ64(scene + (REMOVE if batched else REMOVE_ONE)), folio, page, nr, READ64(scene + VMA))
    if batched:
        tlb_remove_pages(gather, page, nr)
    else:
        tlb_remove_page(gather, page)
    return nr


@helper
def unmap_blocks(scene, batched):
    """munmap of a range."""
    gather = READ64(scene + GATHER)
    tlb_gather_mmu(gather)
    memmap = READ64(scene + MEMMAP)
    tables = READ64(scene + TABLES)
    ptep = tables + 8 * READ64(scene + BEGIN)
    end = tables + 8 * READ64(scene + NR_PTES)
    unmapped = 0
    while ptep < end:
        lock = lock_of(scene, ptep)
        stop = table_end(ptep, end)
        spin_lock(lock)
        while ptep < stop:
            pte = contpte_ptep_get(ptep)
            if pte & PAGE_PRESENT == 0:
                unlikely_path()
                ptep += 8
                continue
            page = pte_page(memmap, pte)
            folio = page_folio(page)
            most = (stop - ptep) >> 3
            nr = unmap_blocks_of(scene, gather, folio, page, ptep, pte, most, batched)
            unmapped += nr
            ptep += 8 * nr
        spin_unlock(lock)
    mm = READ64(scene + MM)
    WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) - unmapped)
    tlb_flush(gather)
    tlb_free_pages(gather, batched)
    finish(scene, 0)


@kernel(ON_SCENE)
def contpte_munmap_pte(scene):
    """munmap without the batched hooks."""
    unmap_blocks(scene, False)


@kernel(ON_SCENE)
def contpte_munmap_ptes(scene):
    """munmap with them."""
    unmap_blocks(scene, True)
