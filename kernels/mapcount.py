"""Walks over the per-page _mapcount of a batch: one locked operation a page, signed do-while loops."""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *
from kernels.mm_types import MAPCOUNT, PAGE_BYTES


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
