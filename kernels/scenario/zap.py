"""zap: the PTEs of a vma taken down, for munmap and madvise, or for exit, page by page and in batches.

Facts: spec 9.3. munmap and MADV_DONTNEED zap alike; when the whole mm dies, PTEs are cleared by plain
stores. The TLB flush, freeing, and what happens to dirty or used file pages are events, counted and not
done: there is no TLB and no page allocator here.

Batched since 10ebac4f95e7 "mm/memory: optimize unmap/zap with PTE-mapped THP" (6.9).
"""

from __future__ import annotations

from kernels.abi import Prototype, helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_anon, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.mmu_gather import *
from kernels.pgtable import *
from kernels.scene import *

SEVERAL = Prototype(("scene", "folio", "page", "ptep", "pte", "end"), returns=True)


@helper
def zap_batch(scene, folio, page, ptep, pte, most):
    """PTEs that can be taken down together with this one."""
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    nr, _ = folio_pte_batch(ptep, pte, most, left, ZAP_IGNORES, has_rule(scene, LOOKS_BEYOND))
    return nr


@helper
def clear_for_zap(folio, ptep, nr, full, batched):
    """Clear PTEs; of file pages the accessed and dirty bits of all, which nobody asks anonymous ones."""
    if not batched:
        return ptep_get_and_clear(ptep, full)
    if folio_test_anon(folio):
        clear_ptes(ptep, nr, full)
        return 0
    return get_and_clear_ptes(ptep, nr, full)


@helper
def zap_delays_rmap(gather, folio, page, pte):
    """Tell a file folio what its PTEs knew; the page, marked if its rmap is to wait for the TLB flush."""
    if folio_test_anon(folio):
        return page
    if pte & PAGE_ACCESSED:
        folio_mark_accessed(folio, gather)
    if pte & PAGE_DIRTY == 0:
        return page
    folio_mark_dirty(folio, gather)
    WRITE64(gather + DELAYED_RMAP, 1)
    return page | DELAY_RMAP


@helper
def zap_ptes(scene, gather, folio, page, ptep, nr, full, batched):
    """Take down nr PTEs of one folio; True if the gather is full."""
    call = READ64(scene + (REMOVE if batched and nr > 1 else REMOVE_ONE))
    page = zap_delays_rmap(gather, folio, page, clear_for_zap(folio, ptep, nr, full, batched))
    address = READ64(scene + ADDRESS) + ((ptep - READ64(scene + TABLES)) << 9)
    tlb_note_range(gather, address, address + (nr << 12))
    if page & DELAY_RMAP == 0:
        call4(call, folio, page, nr, READ64(scene + VMA))
        READ32(page + MAPCOUNT)  # the kernel looks whether it went below what there can be
    if batched:
        return tlb_remove_pages(gather, page, nr)
    return tlb_remove_page(gather, page)


@helper
def sub_rss(mm, rss):
    """Take a table's counts from the mm's: anonymous pages in the low half, file pages in the high one."""
    anon = rss & 0xFFFF_FFFF
    file = rss >> 32
    if anon != 0:
        WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) - anon)
    if file != 0:
        WRITE64(mm + MM_RSS_FILE, READ64(mm + MM_RSS_FILE) - file)


@helper
def zap_several(scene, folio, page, ptep, pte, end, full):
    """A batch: twice the PTEs taken down, plus 1 if the gather is full."""
    nr = zap_batch(scene, folio, page, ptep, pte, (end - ptep) >> 3)
    filled = zap_ptes(scene, READ64(scene + GATHER), folio, page, ptep, nr, full, True)
    return 2 * nr + (1 if filled else 0)


@kernel(SEVERAL)
def zap_present_folio_ptes(scene, folio, page, ptep, pte, end):
    """The batched form for munmap, out of line."""
    return zap_several(scene, folio, page, ptep, pte, end, False)


@kernel(SEVERAL)
def zap_present_folio_ptes_full(scene, folio, page, ptep, pte, end):
    """The batched form for exit, out of line."""
    return zap_several(scene, folio, page, ptep, pte, end, True)


@helper
def zap_pte_range(scene, gather, ptep, end, full, batched):
    """Take down PTEs until the table ends or the gather is full: where it stopped."""
    memmap = READ64(scene + MEMMAP)
    rss = 0
    filled = False
    while ptep < end and not filled:
        pte = READ64(ptep)
        if pte & PAGE_PRESENT == 0:
            unlikely_path()
            ptep += 8
            continue
        page = pte_page(memmap, pte)
        folio = page_folio(page)
        if batched and folio_test_large(folio):
            unlikely_path()
            if end - ptep != 8:
                several = call6(READ64(scene + HELPER), scene, folio, page, ptep, pte, end)
                nr = several >> 1
                filled = several & 1 != 0
                rss += nr if folio_test_anon(folio) else nr << 32
                ptep += 8 * nr
                continue
        rss += 1 if folio_test_anon(folio) else 1 << 32
        filled = zap_ptes(scene, gather, folio, page, ptep, 1, full, batched)
        ptep += 8
    sub_rss(READ64(scene + MM), rss)
    return ptep, filled


@helper
def zap_table(scene, gather, ptep, end, lock, full, batched):
    """One table under its lock, as often as the gather fills up."""
    while ptep < end:
        spin_lock(lock)
        ptep, filled = zap_pte_range(scene, gather, ptep, end, full, batched)
        forced = filled or READ64(gather + DELAYED_RMAP) != 0
        if forced:
            tlb_flush(gather)
            remove = READ64(scene + (REMOVE if batched else REMOVE_ONE))
            tlb_flush_rmaps(gather, remove, READ64(scene + VMA))
        spin_unlock(lock)
        if forced:
            tlb_free_pages(gather, batched)


@helper
def zap_vma(scene, full, batched):
    """Take down a vma table by table, then flush and free."""
    gather = READ64(scene + GATHER)
    tlb_gather_mmu(gather)
    ptep = READ64(scene + TABLES)
    end = ptep + 8 * READ64(scene + NR_PTES)
    lock = READ64(scene + LOCKS)
    while ptep < end:
        stop = table_end(ptep, end)
        zap_table(scene, gather, ptep, stop, lock, full, batched)
        ptep = stop
        lock += LOCK_BYTES
    tlb_flush(gather)
    tlb_free_pages(gather, batched)
    finish(scene, 0)


@kernel(ON_SCENE)
def munmap_pte(scene):
    """munmap and MADV_DONTNEED page by page, as up to 6.8."""
    zap_vma(scene, False, False)


@kernel(ON_SCENE)
def munmap_ptes(scene):
    """munmap and MADV_DONTNEED in batches where the folio is large, as of 6.9."""
    zap_vma(scene, False, True)


@kernel(ON_SCENE)
def exit_pte(scene):
    """exit page by page: PTEs are cleared by plain stores."""
    zap_vma(scene, True, False)


@kernel(ON_SCENE)
def exit_ptes(scene):
    """exit in batches where the folio is large."""
    zap_vma(scene, True, True)
