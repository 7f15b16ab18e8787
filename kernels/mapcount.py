"""Counting mappings: walks over the per-page _mapcount of a batch, and the mapping of a whole folio."""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.mm_types import *


@helper
def map_pages(page, nr_pages):
    """Count one more mapping of each page; how many were unmapped before."""
    first = 0
    while True:
        if atomic_inc_and_test(page + MAPCOUNT):
            first += 1
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return first


@helper
def dup_pages(page, nr_pages):
    """Count one more mapping of each page."""
    while True:
        atomic_inc(page + MAPCOUNT)
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return


@helper
def unmap_pages(page, nr_pages):
    """Count one mapping less of each page; how many are unmapped now."""
    last = 0
    while True:
        if atomic_dec_and_negative(page + MAPCOUNT):
            last += 1
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return last


@helper
def map_pages_singly(layout, folio, page, nr_pages):
    """6.10 and 6.11: count each page of a large folio, and its first mapping in _nr_pages_mapped at once."""
    nr = 0
    while True:
        if (
            atomic_inc_and_test(page + MAPCOUNT)
            and atomic_add_return(1, folio + layout.nr_pages_mapped) < ENTIRELY_MAPPED
        ):
            nr += 1
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return nr


@helper
def unmap_pages_singly(layout, folio, page, nr_pages):
    """The reverse: pages no longer mapped, each taken out of _nr_pages_mapped with its last mapping."""
    nr = 0
    while True:
        if (
            atomic_dec_and_negative(page + MAPCOUNT)
            and atomic_add_return(-1, folio + layout.nr_pages_mapped) < ENTIRELY_MAPPED
        ):
            nr += 1
        page += PAGE_BYTES
        nr_pages -= 1
        if nr_pages <= 0:
            return nr


@helper
def map_entirely(layout, folio):
    """One entire mapping more (spec 6.1, B1 and B2): (pages newly mapped, pages newly PMD-mapped)."""
    nr = 0
    nr_pmdmapped = 0
    if atomic_inc_and_test(folio + layout.entire_mapcount):
        mapped = atomic_add_return(ENTIRELY_MAPPED, folio + layout.nr_pages_mapped)
        if mapped < 2 * ENTIRELY_MAPPED:
            nr_pmdmapped = READ32(folio + layout.nr_pages)
            nr = max(0, nr_pmdmapped - (mapped & FOLIO_PAGES_MAPPED))  # below 0: raced with a remove
    return nr, nr_pmdmapped


@helper
def unmap_entirely(layout, folio):
    """One entire mapping less (spec 6.3, S2 and S3): (pages no longer mapped, no longer PMD-mapped)."""
    nr = 0
    nr_pmdmapped = 0
    if atomic_dec_and_negative(folio + layout.entire_mapcount):
        mapped = atomic_add_return(-ENTIRELY_MAPPED, folio + layout.nr_pages_mapped)
        if mapped < ENTIRELY_MAPPED:
            nr_pmdmapped = READ32(folio + layout.nr_pages)
            nr = max(0, nr_pmdmapped - (mapped & FOLIO_PAGES_MAPPED))  # below 0: raced with an add
    return nr, nr_pmdmapped
