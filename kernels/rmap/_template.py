"""_template: v6.12 with its remove written out; copy me.

1. Copy this file anywhere, under any name that ends in .py; nothing else has to be edited.
2. Say in the first line of the docstring what your idea is: lists and reports show it.
3. BASE is the variant it is compared with; LAYOUT says where the counters lie (kernels/mm_types.py).
4. Write the functions that you change, with the kernel's name and the prototype in @kernel(...)
   (kernels/abi.py, INTERFACE); import the rest from the file of a variant with the same offsets.
5. Values are signed 64-bit. Memory is touched through kernels/atomic.py only; no division, no floats.
6. `rmapbench check mine --variant mine=mine.py` compares it with the oracle.
7. `rmapbench count variant=mine --variant mine=mine.py` counts its operations.
8. `rmapbench run remove order=0,4 variant=mine --variant mine=mine.py` measures it.
9. A call that your idea does not have: `folio_dup_file_rmap_pmd = None`.
10. Ideas that change fewer mappings at a time start in __folio_remove_rmap_large below.
"""

from __future__ import annotations

from kernels.abi import *
from kernels.atomic import *
from kernels.deferred_split import defer_split
from kernels.folio import *
from kernels.mapcount import *
from kernels.mm_types import *
from kernels.rmap.v6_12 import (  # noqa: F401 - what this variant leaves as it is
    folio_add_anon_rmap_pmd,
    folio_add_anon_rmap_pte,
    folio_add_anon_rmap_ptes,
    folio_add_file_rmap_pmd,
    folio_add_file_rmap_pte,
    folio_add_file_rmap_ptes,
    folio_add_new_anon_rmap,
    folio_dup_file_rmap_pmd,
    folio_dup_file_rmap_pte,
    folio_dup_file_rmap_ptes,
    folio_move_anon_rmap,
    folio_remove_rmap_pmd,
    folio_try_dup_anon_rmap_pmd,
    folio_try_dup_anon_rmap_pte,
    folio_try_dup_anon_rmap_ptes,
    folio_try_share_anon_rmap_pmd,
    folio_try_share_anon_rmap_pte,
    hugetlb_add_anon_rmap,
    hugetlb_add_file_rmap,
    hugetlb_add_new_anon_rmap,
    hugetlb_remove_rmap,
    hugetlb_try_dup_anon_rmap,
    hugetlb_try_share_anon_rmap,
)
from kernels.vmstat import *

BASE = "v6.12"
LAYOUT = LAYOUT_V6_12


@helper
def __folio_remove_rmap_large(folio, page, nr_pages, vma):
    """Take down PTE mappings of a large folio: pages no longer mapped by anybody."""
    atomic_sub(nr_pages, folio + LAYOUT.large_mapcount)
    nr = unmap_pages(page, nr_pages)
    if nr > 0 and atomic_add_return(-nr, folio + LAYOUT.nr_pages_mapped) >= ENTIRELY_MAPPED:
        nr = 0  # an entire mapping accounts for them still
    if nr != 0 and READ32(folio + LAYOUT.nr_pages_mapped) != 0:
        defer_split(LAYOUT, folio, vma)
    return nr


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Take down nr_pages PTE mappings of a folio of either kind."""
    if not folio_test_large(folio):
        nr = 1 if atomic_dec_and_negative(folio + MAPCOUNT) else 0
    else:
        nr = __folio_remove_rmap_large(folio, page, nr_pages, vma)
    mod_stat(LAYOUT, folio, -nr, 0, vma)
    munlock_vma_folio(folio, vma)


folio_remove_rmap_pte = pte_of(folio_remove_rmap_ptes)
