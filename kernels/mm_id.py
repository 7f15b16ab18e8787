"""Which mms map a large folio: the two owner slots and the bit lock that guards them (spec 6.12).

6af8cb80d3a9 "mm/rmap: basic MM owner tracking for large folios (!hugetlb)" (6.15).
"""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.folio import test_bit
from kernels.mm_types import *
from kernels.vmstat import PCPU_PREEMPT_COUNT, this_cpu_add

MM_ID_DUMMY = 0


@helper
def preempt_count_add(vma, value):
    """Change the preemption count of the CPU that runs the caller."""
    this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_PREEMPT_COUNT, value)


@helper
def folio_lock_large_mapcount(layout, folio, vma):
    """Take the bit lock, preemption off; a waiter spins on plain loads with preemption on (spec 14.8)."""
    preempt_count_add(vma, 1)
    while test_and_set_bit31_lock(folio + layout.mm_ids):
        preempt_count_add(vma, -1)
        cpu_relax()
        while test_bit(MM_IDS_LOCK_BIT, folio + layout.mm_ids):
            cpu_relax()
        preempt_count_add(vma, 1)


@helper
def folio_unlock_large_mapcount(layout, folio, vma):
    """Release the bit lock by an unlocked read-modify-write, preemption on."""
    clear_bit31_unlock(folio + layout.mm_ids)
    preempt_count_add(vma, -1)


@helper
def folio_mm_id(layout, folio, slot):
    """The mm id in a slot, without the bit above it (the lock in slot 0, SHARED in slot 1)."""
    return READ32(folio + layout.mm_ids + 4 * slot) & MM_ID_MASK


@helper
def folio_set_mm_id(layout, folio, slot, mm_id):
    """Put an id into a slot by a plain read-modify-write that keeps the bit above it."""
    word = folio + layout.mm_ids + 4 * slot
    WRITE32(word, (READ32(word) & MM_ID_LOCK_HALF) | mm_id)


@helper
def folio_set_maybe_shared(layout, folio):
    """Set SHARED: a plain 64-bit read-modify-write."""
    WRITE64(folio + layout.mm_ids, READ64(folio + layout.mm_ids) | MM_IDS_SHARED)


@helper
def folio_clear_maybe_shared(layout, folio):
    """Clear SHARED: a plain 64-bit read-modify-write, made even if it was clear already."""
    WRITE64(folio + layout.mm_ids, READ64(folio + layout.mm_ids) & MM_IDS_NOT_SHARED)


@helper
def vma_mm_id(vma):
    """Id of the mm that the vma belongs to."""
    return READ32(READ64(vma + VM_MM) + MM_ID)


@helper
def add_to_owner(layout, folio, nr_pages, mapcount, mm_id):
    """Count nr_pages mappings for the mm, under the lock; `mapcount` is the new _large_mapcount."""
    counts = folio + layout.mm_id_mapcount
    first = folio_mm_id(layout, folio, 0)
    if first == mm_id:
        WRITE32(counts, READ32(counts) + nr_pages)
        return
    second = folio_mm_id(layout, folio, 1)
    if second == mm_id:
        WRITE32(counts + 4, READ32(counts + 4) + nr_pages)
    elif first == MM_ID_DUMMY:
        folio_set_mm_id(layout, folio, 0, mm_id)
        WRITE32(counts, nr_pages - 1)
        if mapcount != nr_pages - 1:
            folio_set_maybe_shared(layout, folio)
    elif second == MM_ID_DUMMY:
        folio_set_mm_id(layout, folio, 1, mm_id)
        WRITE32(counts + 4, nr_pages - 1)
        folio_set_maybe_shared(layout, folio)


@helper
def sub_from_slot(layout, folio, slot, nr_pages):
    """Take nr_pages mappings from a slot, freeing it with the last; does the mm keep some?"""
    count = folio + layout.mm_id_mapcount + 4 * slot
    left = READ32(count) - nr_pages
    if left >= 0:
        WRITE32(count, left)
        return True
    WRITE32(count, -1)
    folio_set_mm_id(layout, folio, slot, MM_ID_DUMMY)
    return False


@helper
def sub_from_owner(layout, folio, nr_pages, mapcount, mm_id):
    """Count nr_pages mappings of the mm less, under the lock; SHARED goes when one slot owns the rest."""
    counts = folio + layout.mm_id_mapcount
    if folio_mm_id(layout, folio, 0) == mm_id:
        if sub_from_slot(layout, folio, 0, nr_pages):
            return
    elif folio_mm_id(layout, folio, 1) == mm_id and sub_from_slot(layout, folio, 1, nr_pages):
        return
    if READ32(counts) == mapcount or READ32(counts + 4) == mapcount:
        folio_clear_maybe_shared(layout, folio)


@helper
def folio_add_large_mapcount(layout, folio, nr_pages, vma):
    """OWNER-ADD: nr_pages mappings more by the vma's mm; the number of mappings there are now."""
    mm_id = vma_mm_id(vma)
    folio_lock_large_mapcount(layout, folio, vma)
    mapcount = READ32(folio + layout.large_mapcount) + nr_pages
    WRITE32(folio + layout.large_mapcount, mapcount)
    add_to_owner(layout, folio, nr_pages, mapcount, mm_id)
    folio_unlock_large_mapcount(layout, folio, vma)
    return mapcount + 1


@helper
def folio_sub_large_mapcount(layout, folio, nr_pages, vma):
    """OWNER-SUB: nr_pages mappings of the vma's mm less; the number of mappings that are left."""
    mm_id = vma_mm_id(vma)
    folio_lock_large_mapcount(layout, folio, vma)
    mapcount = READ32(folio + layout.large_mapcount) - nr_pages
    WRITE32(folio + layout.large_mapcount, mapcount)
    sub_from_owner(layout, folio, nr_pages, mapcount, mm_id)
    folio_unlock_large_mapcount(layout, folio, vma)
    return mapcount + 1


@helper
def folio_set_large_mapcount(layout, folio, mapcount, vma):
    """A new folio's _large_mapcount and slot 0: plain stores, the lock not taken (spec 6.5)."""
    WRITE32(folio + layout.large_mapcount, mapcount)
    WRITE32(folio + layout.mm_id_mapcount, mapcount)
    folio_set_mm_id(layout, folio, 0, vma_mm_id(vma))
