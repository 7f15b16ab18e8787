"""The queue of partially mapped anonymous folios, as of 6.8 and as of 6.12 (spec section 4.2)."""

from __future__ import annotations

from kernels.abi import helper, side_effect
from kernels.atomic import *
from kernels.folio import folio_large_order, folio_test_anon, test_bit
from kernels.mm_types import *
from kernels.vmstat import MEMCG_SPLIT_QUEUE, PCPU_THP_DEFERRED_SPLIT, this_cpu_add

# struct deferred_split, offsets from the memcg's queue
QUEUE_LOCK = 0x00
QUEUE_LIST = 0x08  # struct list_head
QUEUE_LEN = 0x18


@helper
def spin_lock(lock):
    """Take a spinlock: one locked compare-and-exchange when it is free."""
    while not atomic_try_cmpxchg_0_to_1(lock):
        while READ32(lock) != 0:
            cpu_relax()


@helper
def spin_unlock(lock):
    """Release a spinlock: a plain store."""
    WRITE32(lock, 0)


@helper
def list_empty(head):
    """Is the list empty, or the entry on no list?"""
    return READ64(head) == head


@helper
def list_add_tail(entry, head):
    """Append an entry to a list: four plain stores."""
    last = READ64(head + 8)
    WRITE64(head + 8, entry)
    WRITE64(entry, head)
    WRITE64(entry + 8, last)
    WRITE64(last, entry)


@helper
def split_queue(folio):
    """The queue of the folio's memcg; every folio of the model has one."""
    return READ64(folio + MEMCG_DATA) + MEMCG_SPLIT_QUEUE


@helper
def enqueue(folio, queue):
    """Append the folio if it is on no list; the caller holds the queue's lock."""
    if list_empty(folio + DEFERRED_LIST):
        list_add_tail(folio + DEFERRED_LIST, queue + QUEUE_LIST)
        WRITE64(queue + QUEUE_LEN, READ64(queue + QUEUE_LEN) + 1)


@side_effect
def deferred_split_folio(folio, vma, swapcache, count_from_order):
    """Up to 6.11: nothing if the folio is listed already; the event counts folios of some orders only."""
    if folio_large_order(folio) <= 1 or test_bit(swapcache, folio + FLAGS):
        return
    if not list_empty(folio + DEFERRED_LIST):
        return
    queue = split_queue(folio)
    spin_lock(queue + QUEUE_LOCK)
    if list_empty(folio + DEFERRED_LIST):
        if folio_large_order(folio) >= count_from_order:
            this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_THP_DEFERRED_SPLIT, 1)
        enqueue(folio, queue)
    spin_unlock(queue + QUEUE_LOCK)


@side_effect
def deferred_split_folio_partially_mapped(folio, vma, swapcache, partially_mapped):
    """6.12 and later: marks the folio PG_partially_mapped under the queue's lock, then appends it."""
    order = folio_large_order(folio)
    if order <= 1 or test_bit(swapcache, folio + FLAGS):
        return
    queue = split_queue(folio)
    spin_lock(queue + QUEUE_LOCK)
    if not test_bit(partially_mapped, folio + FOLIO_FLAGS_1):
        set_bit(partially_mapped, folio + FOLIO_FLAGS_1)
        if order >= 9:
            this_cpu_add(READ64(vma + VM_PERCPU) + PCPU_THP_DEFERRED_SPLIT, 1)
    enqueue(folio, queue)
    spin_unlock(queue + QUEUE_LOCK)


@helper
def defer_split(layout, folio, vma):
    """6.12 and later: queue a partially mapped folio if it is anonymous and was not queued before."""
    if folio_test_anon(folio) and not test_bit(layout.partially_mapped, folio + FOLIO_FLAGS_1):
        deferred_split_folio_partially_mapped(folio, vma, layout.swapcache, layout.partially_mapped)
