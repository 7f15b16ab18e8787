"""Small questions about folios and pages that every generation asks (spec section 4.3)."""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.mm_types import *


@helper
def test_bit(nr, address):
    """Is bit nr of the 64-bit word set? One plain load."""
    return READ64(address) & (1 << nr) != 0


@helper
def folio_test_large(folio):
    """Has the folio more than one page? One load of its flags."""
    return test_bit(PG_HEAD, folio + FLAGS)


@helper
def folio_test_anon(folio):
    """Is the folio anonymous (KSM included)? One load of its mapping."""
    return READ64(folio + MAPPING) & PAGE_MAPPING_ANON != 0


@helper
def folio_large_order(folio):
    """Order of a large folio."""
    return READ64(folio + FOLIO_FLAGS_1) & 0xFF


@helper
def folio_test_pmd_mappable(folio):
    """Is it at least of PMD order? Loads of lines 0 and, if large, 1."""
    return folio_test_large(folio) and folio_large_order(folio) >= HPAGE_PMD_ORDER


@helper
def folio_nr_pages(layout, folio):
    """Number of pages of any folio."""
    if not folio_test_large(folio):
        return 1
    return READ32(folio + layout.nr_pages)


@helper
def page_folio(page):
    """Head of the folio that the page belongs to: a tail page points at its head, plus 1."""
    head = READ64(page + COMPOUND_HEAD)
    if head & 1:
        return head - 1
    return page


@helper
def linear_page_index(vma, address):
    """Page offset of an address in the vma's mapping."""
    return READ64(vma + VM_PGOFF) + ((address - READ64(vma + VM_START)) >> 12)


@helper
def folio_set_anon(folio, vma, address, flags):
    """Store mapping (the vma's anon_vma, or its root unless exclusive, + 1) and index: two plain stores."""
    anon_vma = READ64(vma + VM_ANON_VMA)
    if flags & RMAP_EXCLUSIVE == 0:
        anon_vma = READ64(anon_vma + ANON_VMA_ROOT)
    WRITE64(folio + MAPPING, anon_vma + PAGE_MAPPING_ANON)
    WRITE64(folio + INDEX, linear_page_index(vma, address))


@helper
def vma_wants_mlock(vma):
    """VM_LOCKED and none of VM_SPECIAL: one load of the vma's flags."""
    return READ64(vma + VM_FLAGS) & (VM_LOCKED | VM_SPECIAL) == VM_LOCKED


@helper
def vma_wants_munlock(vma):
    """VM_LOCKED: one load of the vma's flags."""
    return READ64(vma + VM_FLAGS) & VM_LOCKED != 0
