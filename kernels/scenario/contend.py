"""contend: file folios mapped and unmapped again, by as many threads at once as are asked for.

On folios of its own a thread meets nobody; on the same folios, as with a shared library, all threads meet at
their counters; with three mms a thread there are more owners than the two slots of 6.15 have room for.
It leaves everything as it was, so that nothing has to be put back while others are at it.
"""

from __future__ import annotations

from kernels.abi import helper, kernel
from kernels.atomic import *
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *


@helper
def map_file_folio(scene, folio, nr, vma, batched):
    """References, then rmap: in one go, or page by page."""
    if batched:
        atomic_add(nr, folio + REFCOUNT)
        call4(READ64(scene + ADD_FILE), folio, folio, nr, vma)
        return
    page = folio
    while nr > 0:
        atomic_inc(folio + REFCOUNT)
        call4(READ64(scene + ADD_FILE_ONE), folio, page, 1, vma)
        page += PAGE_BYTES
        nr -= 1


@helper
def unmap_file_folio(scene, folio, nr, vma, batched):
    """rmap, then references."""
    if batched:
        call4(READ64(scene + REMOVE), folio, folio, nr, vma)
        atomic_sub_and_test(nr, folio + REFCOUNT)
        return
    page = folio
    while nr > 0:
        call4(READ64(scene + REMOVE_ONE), folio, page, 1, vma)
        atomic_dec_and_test(folio + REFCOUNT)
        page += PAGE_BYTES
        nr -= 1


@helper
def map_all(scene, vma, batched):
    """Every folio of the window mapped in one vma, then unmapped."""
    nr = 1 << READ64(scene + ORDER)
    first = READ64(scene + PAGES)
    end = first + READ64(scene + NR_PTES) * PAGE_BYTES
    folio = first
    while folio < end:
        map_file_folio(scene, folio, nr, vma, batched)
        folio += nr * PAGE_BYTES
    folio = first
    while folio < end:
        unmap_file_folio(scene, folio, nr, vma, batched)
        folio += nr * PAGE_BYTES


@kernel(ON_SCENE)
def contend_pte(scene):
    """Page by page, by one mm a thread."""
    map_all(scene, READ64(scene + VMA), False)
    finish(scene, 0)


@kernel(ON_SCENE)
def contend_ptes(scene):
    """In batches, by one mm a thread."""
    map_all(scene, READ64(scene + VMA), True)
    finish(scene, 0)


@helper
def map_by_three(scene, batched):
    """Each folio mapped by three mms in turn before the first of them unmaps it."""
    nr = 1 << READ64(scene + ORDER)
    folio = READ64(scene + PAGES)
    end = folio + READ64(scene + NR_PTES) * PAGE_BYTES
    a = READ64(scene + VMA)
    b = READ64(scene + CHILD_VMA)
    c = READ64(scene + THIRD_VMA)
    while folio < end:
        map_file_folio(scene, folio, nr, a, batched)
        map_file_folio(scene, folio, nr, b, batched)
        map_file_folio(scene, folio, nr, c, batched)
        unmap_file_folio(scene, folio, nr, a, batched)
        unmap_file_folio(scene, folio, nr, b, batched)
        unmap_file_folio(scene, folio, nr, c, batched)
        folio += nr * PAGE_BYTES
    finish(scene, 0)


@kernel(ON_SCENE)
def contend_owners_pte(scene):
    """Page by page, by three mms a thread."""
    map_by_three(scene, False)


@kernel(ON_SCENE)
def contend_owners_ptes(scene):
    """In batches, by three mms a thread."""
    map_by_three(scene, True)
