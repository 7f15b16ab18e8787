"""What the hugetlb calls do; from 6.10 on _large_mapcount follows _entire_mapcount (spec 6.4)."""

from __future__ import annotations

from kernels.abi import helper
from kernels.anon import folio_needs_cow_for_dma
from kernels.atomic import *
from kernels.folio import folio_set_anon, folio_test_large, test_bit
from kernels.mm_types import *


@helper
def folio_test_hugetlb(layout, folio):
    """Is it a hugetlb folio? Before 6.9 a flag in page 1's word says so: loads of lines 0 and 1."""
    return folio_test_large(folio) and test_bit(layout.hugetlb_flag, folio + FOLIO_FLAGS_1)


@helper
def hugetlb_inc(layout, folio):
    """Count one more mapping of the whole folio."""
    atomic_inc(folio + layout.entire_mapcount)
    if layout.large_mapcount >= 0:
        atomic_inc(folio + layout.large_mapcount)


@helper
def hugetlb_dec(layout, folio):
    """Count one mapping of the whole folio less."""
    atomic_dec(folio + layout.entire_mapcount)
    if layout.large_mapcount >= 0:
        atomic_dec(folio + layout.large_mapcount)


@helper
def hugetlb_add_new(layout, folio, vma, address):
    """First mapping of a folio nobody else can see."""
    WRITE32(folio + layout.entire_mapcount, 0)
    if layout.large_mapcount >= 0:
        WRITE32(folio + layout.large_mapcount, 0)
    clear_bit(HPG_RESTORE_RESERVE, folio + PRIVATE)
    folio_set_anon(folio, vma, address, RMAP_EXCLUSIVE)
    set_bit(layout.anon_exclusive, folio + FLAGS)


@helper
def hugetlb_add_anon(layout, folio, flags):
    """One more mapping of an anonymous folio, exclusive if flags say so."""
    hugetlb_inc(layout, folio)
    if flags & RMAP_EXCLUSIVE:
        set_bit(layout.anon_exclusive, folio + FLAGS)


@helper
def hugetlb_try_dup_anon(layout, folio, vma, exclusive):
    """Duplicate the mapping; an exclusive folio that may be pinned is refused with nothing changed."""
    if exclusive:
        if folio_needs_cow_for_dma(layout, folio, vma):
            return -EBUSY
        clear_bit(layout.anon_exclusive, folio + FLAGS)
    hugetlb_inc(layout, folio)
    return 0
