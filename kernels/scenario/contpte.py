"""contpte: arm64's blocks of 16 PTEs with the contiguous bit, around fork and munmap, 4 KiB pages.

Facts: spec 10. Page by page, without the batched hooks, the first PTE that is changed unfolds its block, and
the last one that is set folds the child's; with them a block stays whole. What counts is loads, atomic
clears and invalidations of the TLB: exact on any machine. Times are this machine's, not arm64's.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_anon, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.mmu_gather import *
from kernels.pgtable import *
from kernels.scenario.fork import add_rss, child_pte, dup_mapping, dup_mappings
from kernels.scene import *

CONT_PTES = 16
CONT_BYTES = 8 * CONT_PTES
CONT_SHIFTED = CONT_PTES * PFN_STEP - PFN_STEP  # page number bits within a block
FOLD_IGNORES = PAGE_ACCESSED | PAGE_DIRTY


@helper
def block_of(ptep):
    """First PTE of the block."""
    return ptep & ~(CONT_BYTES - 1)


@helper
def contpte_ptep_get(ptep):
    """The PTE with accessed and dirty bits of its block: one load, 16 more if the block is contiguous."""
    pte = READ64(ptep)
    if pte & PAGE_CONT == 0:
        return pte
    at = block_of(ptep)
    end = at + CONT_BYTES
    while at < end:
        pte |= READ64(at) & FOLD_IGNORES
        at += 8
    return pte


@helper
def contpte_convert(gather, ptep, pte):
    """Write a block anew: 16 atomic clears, one invalidation, 16 stores; `pte` is for its first page."""
    at = block_of(ptep)
    end = at + CONT_BYTES
    while at < end:
        pte |= xchg64(at, 0) & FOLD_IGNORES
        at += 8
    tlb_flush(gather)
    set_ptes(block_of(ptep), pte, CONT_PTES)


@helper
def first_of_block(pte):
    """The PTE of the block's first page."""
    return pte & ~CONT_SHIFTED


@helper
def contpte_try_unfold(gather, ptep):
    """Before one PTE is changed: one load, and the block is unfolded if it is contiguous."""
    pte = READ64(ptep)
    if pte & PAGE_CONT:
        contpte_convert(gather, ptep, first_of_block(pte) & ~PAGE_CONT)


@helper
def block_is_uniform(ptep, pte):
    """Do the 16 PTEs map consecutive pages with the same bits? Loads up to the first that does not."""
    at = block_of(ptep)
    end = at + CONT_BYTES
    expected = first_of_block(pte) & ~FOLD_IGNORES
    while at < end:
        if READ64(at) & ~FOLD_IGNORES != expected:
            return False
        expected += PFN_STEP
        at += 8
    return True


@helper
def contpte_try_fold(gather, folio, page, ptep, pte):
    """After one PTE was set: fold if it is the last of a block, the folio covers it, and all are alike."""
    last = CONT_BYTES - 8
    if ptep & last != last or pte & CONT_SHIFTED != CONT_SHIFTED or not folio_test_large(folio):
        return
    before = CONT_PTES - 1
    if (page - folio) >> 6 < before or not block_is_uniform(ptep, pte):
        return
    contpte_convert(gather, ptep, first_of_block(pte) | PAGE_CONT)


@helper
def contpte_set_pte(gather, folio, page, ptep, pte):
    """set_ptes with nr = 1: unfold, store, try to fold."""
    contpte_try_unfold(gather, ptep)
    WRITE64(ptep, pte)
    contpte_try_fold(gather, folio, page, ptep, pte)


@helper
def contpte_set_ptes(ptep, pte, nr):
    """set_ptes of several: pieces that are whole blocks get the contiguous bit as they are stored."""
    while nr > 0:
        piece = min(nr, (block_of(ptep) + CONT_BYTES - ptep) >> 3)
        bits = 0
        if piece == CONT_PTES and pte & CONT_SHIFTED == 0:
            bits = PAGE_CONT
        set_ptes(ptep, pte | bits, piece)
        ptep += 8 * piece
        pte += piece * PFN_STEP
        nr -= piece


@helper
def contpte_unfold_edges(gather, ptep, nr):
    """Unfold the first and the last block of a range where it covers them in part only."""
    if ptep != block_of(ptep) or nr < CONT_PTES:
        contpte_try_unfold(gather, ptep)
    end = ptep + 8 * nr
    if end != block_of(end) and block_of(end) >= ptep:
        contpte_try_unfold(gather, end - 8)


@helper
def contpte_batch(folio, page, ptep, pte, most):
    """Batch detection: a contiguous block is passed in one step, by the hint of its first PTE."""
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    most = min(most, left)
    ignored = FORK_IGNORES | PAGE_SOFT_DIRTY
    expected = pte & ~ignored
    nr = 1
    while True:
        if expected & PAGE_CONT:
            nr += ((block_of(ptep) + CONT_BYTES - ptep) >> 3) - 1
        if nr >= most:
            return most
        following = ptep + 8 * nr
        if contpte_ptep_get(following) & ~ignored != expected + nr * PFN_STEP:
            return nr
        nr += 1
        if expected & PAGE_CONT:
            nr += CONT_PTES - 1


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
    nr = contpte_batch(folio, page, ptep, pte, most)
    atomic_add(nr, folio + REFCOUNT)
    if dup_mappings(scene, folio, page, nr, folio_test_anon(folio)) != 0:
        return 0
    if pte & PAGE_RW:
        contpte_unfold_edges(gather, ptep, nr)
        wrprotect_ptes(ptep, nr)
    contpte_set_ptes(child, child_pte(pte & ~(PAGE_CONT | PAGE_RW), READ64(scene + VMA)), nr)
    return nr


@helper
def fork_block_table(scene, gather, ptep, end, to_child, batched):
    """Copy a table; where it stopped."""
    memmap = READ64(scene + MEMMAP)
    begin = ptep
    while ptep < end:
        pte = contpte_ptep_get(ptep)
        page = pte_page(memmap, pte)
        folio = page_folio(page)
        if batched and folio_test_large(folio):
            most = (end - ptep) >> 3
            nr = fork_batch(scene, gather, folio, page, ptep, pte, ptep + to_child, most)
        else:
            nr = fork_one(scene, gather, folio, page, ptep, pte, ptep + to_child)
        if nr == 0:
            break
        ptep += 8 * nr
    add_rss(READ64(scene + CHILD_MM), (ptep - begin) >> 3)
    return ptep


@helper
def fork_blocks(scene, batched):
    """fork of a range, table by table under both locks."""
    gather = READ64(scene + GATHER)
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    to_child = READ64(scene + CHILD_TABLES) - ptep
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
        nr = contpte_batch(folio, page, ptep, pte, most)
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
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    begin = ptep
    while ptep < end:
        lock = lock_of(scene, ptep)
        stop = table_end(ptep, end)
        spin_lock(lock)
        while ptep < stop:
            pte = contpte_ptep_get(ptep)
            page = pte_page(memmap, pte)
            folio = page_folio(page)
            most = (stop - ptep) >> 3
            ptep += 8 * unmap_blocks_of(scene, gather, folio, page, ptep, pte, most, batched)
        spin_unlock(lock)
    mm = READ64(scene + MM)
    WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) - ((end - begin) >> 3))
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
