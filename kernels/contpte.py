"""arm64's blocks of 16 PTEs with the contiguous bit, 4 KiB pages: read, set, folded and unfolded.

Facts: spec 10. A block is contiguous in all of its PTEs or in none. To change one PTE the block is unfolded
first; setting the last one of a block that is uniform folds it. An unfold and a fold cost 16 atomic clears,
an invalidation of the TLB and 16 stores each.
"""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.folio import folio_large_order, folio_test_large
from kernels.mmu_gather import tlb_flush
from kernels.pgtable import *

CONT_PTES = 16
CONT_BYTES = 8 * CONT_PTES
CONT_SHIFTED = CONT_PTES * PFN_STEP - PFN_STEP  # page number bits within a block
FOLD_IGNORES = PAGE_ACCESSED | PAGE_DIRTY


@helper
def block_of(ptep):
    """First PTE of the block."""
    return ptep & ~(CONT_BYTES - 1)


@helper
def ptes_to_block_end(ptep):
    """PTEs from this one to the last of its block."""
    return (block_of(ptep) + CONT_BYTES - ptep) >> 3


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
def contpte_set_ptes(gather, folio, page, ptep, pte, nr):
    """set_ptes: of several, pieces that are whole blocks get the contiguous bit as they are stored."""
    if nr == 1:
        contpte_set_pte(gather, folio, page, ptep, pte)
        return
    while nr > 0:
        piece = min(nr, ptes_to_block_end(ptep))
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
def pte_batch_hint(ptep, pte):
    """PTEs from this one on that are alike without a look: those left in its block if it is contiguous."""
    if pte & PAGE_CONT == 0:
        return 1
    return ptes_to_block_end(ptep)


@helper
def contpte_batch(folio, page, ptep, pte, most, ignored):
    """PTEs alike from here on, a contiguous block in one step, and the bits of all of them ORed."""
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    most = min(most, left)
    expected = pte & ~ignored
    any_bits = pte
    nr = pte_batch_hint(ptep, pte)
    while nr < most:
        following = ptep + 8 * nr
        found = contpte_ptep_get(following)
        if found & ~ignored != expected + nr * PFN_STEP:
            return nr, any_bits
        any_bits |= found
        nr += pte_batch_hint(following, found)
    return most, any_bits
