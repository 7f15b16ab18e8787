"""PG_anon_exclusive and pinning: who may write an anonymous page without further checks (spec 5)."""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.folio import folio_test_large, page_folio, test_bit
from kernels.mm_types import *

# 6.10 and 6.11 read a page type from these bits of its word, of which hugetlb's own is then clear.
PAGE_TYPE_BITS = 0xF0000800
PAGE_TYPE_HUGETLB_BITS = 0xF0000000


@helper
def is_hugetlb_type(layout, head):
    """Does the head's page type say hugetlb? The 32-bit word in 6.10 and 6.11, its top byte later."""
    if layout.page_type_bytes == 1:
        return READ8(head + PAGE_TYPE_BYTE) == PAGE_TYPE_HUGETLB
    return READ32(head + MAPCOUNT) & PAGE_TYPE_BITS == PAGE_TYPE_HUGETLB_BITS


@helper
def page_anon_exclusive(layout, page):
    """PageAnonExclusive: one load of flags; from 6.10 on also of head and page type (spec 5.1)."""
    if layout.page_type_bytes != 0:
        head = page_folio(page)
        if is_hugetlb_type(layout, head):
            page = head
    return test_bit(layout.anon_exclusive, page + FLAGS)


@helper
def set_anon_exclusive(layout, page, nr_pages):
    """Set the bit of each page of the batch: one locked OR a page."""
    end = page + nr_pages * PAGE_BYTES
    while True:
        set_bit(layout.anon_exclusive, page + FLAGS)
        page += PAGE_BYTES
        if page == end:
            return


@helper
def any_anon_exclusive(layout, page, nr_pages):
    """Is a page of the batch exclusive? Looks no further than the first one that is."""
    while True:
        if page_anon_exclusive(layout, page):
            return True
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return False


@helper
def dup_anon_page(layout, page):
    """Make the page shared and count one more mapping of it."""
    if page_anon_exclusive(layout, page):
        clear_bit(layout.anon_exclusive, page + FLAGS)
    atomic_inc(page + MAPCOUNT)


@helper
def dup_anon_pages(layout, page, nr_pages):
    """The same for each page of a batch, in one walk."""
    while True:
        dup_anon_page(layout, page)
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return


@helper
def map_new_anon_page(layout, page, exclusive):
    """First mapping of a page nobody else can see: a plain store, and the exclusive bit."""
    WRITE32(page + MAPCOUNT, 0)
    if exclusive:
        set_bit(layout.anon_exclusive, page + FLAGS)


@helper
def map_new_anon_pages(layout, page, nr_pages, exclusive):
    """The same for each page of a new large folio."""
    end = page + nr_pages * PAGE_BYTES
    while True:
        map_new_anon_page(layout, page, exclusive)
        page += PAGE_BYTES
        if page == end:
            return


@helper
def set_swapbacked_always(layout, folio):
    """Up to 6.10: mark a folio swap-backed by a plain read-modify-write of its flags."""
    WRITE64(folio + FLAGS, READ64(folio + FLAGS) | (1 << layout.swapbacked))


@helper
def set_swapbacked(layout, folio, vma):
    """As of 6.11: mark a folio swap-backed by a plain read-modify-write unless the vma is droppable."""
    flags = READ64(folio + FLAGS)
    if flags & (1 << layout.swapbacked) == 0 and READ64(vma + VM_FLAGS) & VM_DROPPABLE == 0:
        WRITE64(folio + FLAGS, flags | (1 << layout.swapbacked))


@helper
def folio_maybe_dma_pinned(layout, folio):
    """May somebody hold a pin? Exact for large folios, by the reference count for small ones (spec 5.2)."""
    if folio_test_large(folio):
        return READ32(folio + layout.pincount) > 0
    return READ32(folio + REFCOUNT) & 0xFFFFFFFF >= GUP_PIN_COUNTING_BIAS


@helper
def mm_has_pinned(vma):
    """Has the vma's mm ever pinned a page? One load of its flags."""
    return test_bit(MMF_HAS_PINNED, READ64(vma + VM_MM) + MM_FLAGS)


@helper
def folio_needs_cow_for_dma(layout, folio, vma):
    """Must fork copy the folio's exclusive pages? One load of the mm's flags unless it ever pinned."""
    if not mm_has_pinned(vma):
        return False
    return folio_maybe_dma_pinned(layout, folio)


@helper
def share_anon(layout, folio, page):
    """Make an exclusive page shared or answer -EBUSY; the fence pairs with the pinner's (spec 6.8)."""
    smp_mb()
    if folio_maybe_dma_pinned(layout, folio):
        return -EBUSY
    clear_bit(layout.anon_exclusive, page + FLAGS)
    return 0
