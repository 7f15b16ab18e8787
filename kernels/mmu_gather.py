"""The gather of zap: pages whose references are dropped after the TLB flush (spec 9.3).

A batch is {next, nr, max} and encoded entries: a page's address and two flag bits; an entry of several
pages takes two slots, the second one the number of pages. Batches after the first are pages of a pool.
"""

from __future__ import annotations

from kernels.abi import helper, side_effect
from kernels.atomic import *
from kernels.folio import page_folio
from kernels.mm_types import *
from kernels.vmstat import this_cpu_add

# struct mmu_gather
ACTIVE, NR_BATCHES, DELAYED_RMAP, RANGE_START, RANGE_END = range(0, 5 * 8, 8)
NR_FREED, FREED = 0x30, 0x40  # the folio batch: folios without references, freed 31 at a time
LOCAL = 0x140  # the first batch, of 8 entries
GATHER_PAGE = 0x1000  # extra batches follow in pages of their own
MOST_BATCHES = 19
GATHER_BYTES = GATHER_PAGE * (MOST_BATCHES + 1)
FOLIO_BATCH = 31
# struct mmu_gather_batch
NEXT, NR, MAX, ENTRIES = 0x0, 0x8, 0xC, 0x10
LOCAL_ENTRIES, PAGE_ENTRIES = 8, 510
DELAY_RMAP, NR_PAGES_NEXT = 1, 2  # flags of an entry
ENTRY_FLAGS = 3
# Events, counted in the gather itself.
FLUSHES, FOLIOS_FREED, DIRTIED, ACCESSED = range(0x1A0, 0x1C0, 8)


@side_effect
def tlb_flush(gather):
    """Flush the TLB for the range: an event, since there is no TLB to flush."""
    this_cpu_add(gather + FLUSHES, 1)


@side_effect
def free_folios(gather, nr):
    """Hand nr folios to the page allocator: an event."""
    this_cpu_add(gather + FOLIOS_FREED, nr)


@side_effect
def folio_mark_dirty(folio, gather):
    """A dirty PTE of a file page went away: an event."""
    this_cpu_add(gather + DIRTIED, 1)


@side_effect
def folio_mark_accessed(folio, gather):
    """A PTE of a file page that was used went away: an event."""
    this_cpu_add(gather + ACCESSED, 1)


@helper
def tlb_gather_mmu(gather):
    """Begin: the batch in the gather itself is the active one."""
    local = gather + LOCAL
    WRITE64(local + NEXT, 0)
    WRITE32(local + NR, 0)
    WRITE32(local + MAX, LOCAL_ENTRIES)
    WRITE64(gather + ACTIVE, local)
    WRITE64(gather + NR_BATCHES, 0)
    WRITE64(gather + DELAYED_RMAP, 0)
    WRITE64(gather + RANGE_START, 0x7FFF_FFFF_FFFF_FFFF)
    WRITE64(gather + RANGE_END, 0)


@helper
def tlb_note_range(gather, start, end):
    """Widen the range to flush."""
    WRITE64(gather + RANGE_START, min(READ64(gather + RANGE_START), start))
    WRITE64(gather + RANGE_END, max(READ64(gather + RANGE_END), end))


@helper
def tlb_next_batch(gather, active):
    """Make the next batch active, the one there is or a new page; False if there can be none."""
    following = READ64(active + NEXT)
    if READ64(gather + DELAYED_RMAP) != 0 and active != gather + LOCAL:
        return False
    if following == 0:
        number = READ64(gather + NR_BATCHES) + 1
        if number > MOST_BATCHES:
            return False
        following = gather + number * GATHER_PAGE
        WRITE64(gather + NR_BATCHES, number)
        WRITE64(following + NEXT, 0)
        WRITE32(following + NR, 0)
        WRITE32(following + MAX, PAGE_ENTRIES)
        WRITE64(active + NEXT, following)
    WRITE64(gather + ACTIVE, following)
    return True


@helper
def tlb_remove_page(gather, page):
    """Add one page, which may be marked DELAY_RMAP; True if the gather is full and must be flushed."""
    batch = READ64(gather + ACTIVE)
    nr = READ32(batch + NR)
    WRITE64(batch + ENTRIES + 8 * nr, page)
    WRITE32(batch + NR, nr + 1)
    return nr + 1 == READ32(batch + MAX) and not tlb_next_batch(gather, batch)


@helper
def tlb_remove_pages(gather, page, nr_pages):
    """As of 6.9: add nr_pages pages, marked or not, as one entry; two slots always stay free."""
    batch = READ64(gather + ACTIVE)
    nr = READ32(batch + NR)
    slot = batch + ENTRIES + 8 * nr
    if nr_pages == 1:
        WRITE64(slot, page)
        nr += 1
    else:
        WRITE64(slot, page | NR_PAGES_NEXT)
        WRITE64(slot + 8, nr_pages << 2)
        nr += 2
    WRITE32(batch + NR, nr)
    return nr >= READ32(batch + MAX) - 1 and not tlb_next_batch(gather, batch)


@helper
def remove_rmaps_of(batch, remove, vma):
    """Make the delayed rmap removals of one batch."""
    slot = batch + ENTRIES
    end = slot + 8 * READ32(batch + NR)
    while slot < end:
        entry = READ64(slot)
        nr_pages = 1
        if entry & NR_PAGES_NEXT:
            slot += 8
            nr_pages = READ64(slot) >> 2
        if entry & DELAY_RMAP:
            page = entry & ~ENTRY_FLAGS
            call4(remove, page_folio(page), page, nr_pages, vma)
        slot += 8


@helper
def tlb_flush_rmaps(gather, remove, vma):
    """Make the delayed rmap removals: only the first batch and the active one can hold any."""
    if READ64(gather + DELAYED_RMAP) == 0:
        return
    remove_rmaps_of(gather + LOCAL, remove, vma)
    active = READ64(gather + ACTIVE)
    if active != gather + LOCAL:
        remove_rmaps_of(active, remove, vma)
    WRITE64(gather + DELAYED_RMAP, 0)


@helper
def free_later(gather, folio):
    """Collect a folio without references; a full batch of them is freed."""
    nr = READ64(gather + NR_FREED)
    WRITE64(gather + FREED + 8 * nr, folio)
    if nr + 1 == FOLIO_BATCH:
        free_folios(gather, nr + 1)
        nr = -1
    WRITE64(gather + NR_FREED, nr + 1)


@helper
def put_pages_of(gather, batch):
    """Drop the references of one batch: one subtraction an entry."""
    slot = batch + ENTRIES
    end = slot + 8 * READ32(batch + NR)
    while slot < end:
        entry = READ64(slot)
        folio = page_folio(entry & ~ENTRY_FLAGS)
        nr_pages = 1
        if entry & NR_PAGES_NEXT:
            slot += 8
            nr_pages = READ64(slot) >> 2
        if atomic_sub_and_test(nr_pages, folio + REFCOUNT):
            free_later(gather, folio)
        slot += 8
    WRITE32(batch + NR, 0)


@helper
def put_single_pages_of(gather, batch):
    """Up to 6.8: entries are single pages, each dropped by itself."""
    slot = batch + ENTRIES
    end = slot + 8 * READ32(batch + NR)
    while slot < end:
        folio = page_folio(READ64(slot) & ~ENTRY_FLAGS)
        if atomic_dec_and_test(folio + REFCOUNT):
            free_later(gather, folio)
        slot += 8
    WRITE32(batch + NR, 0)


@helper
def tlb_free_pages(gather, batched):
    """Drop the references of all gathered pages, free what has none; the first batch is active again."""
    batch = gather + LOCAL
    while batch != 0:
        if batched:
            put_pages_of(gather, batch)
        else:
            put_single_pages_of(gather, batch)
        batch = READ64(batch + NEXT)
    nr = READ64(gather + NR_FREED)
    if nr != 0:
        free_folios(gather, nr)
        WRITE64(gather + NR_FREED, 0)
    WRITE64(gather + ACTIVE, gather + LOCAL)
