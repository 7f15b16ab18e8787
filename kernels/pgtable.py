"""Page tables of x86-64 as callers of rmap see them: PTE bits, one operation a helper, batch detection.

A table is a page of 512 words in real memory with one spinlock. PTEs have the kernel's bits, and entries
of migration and swap its encoding, with the page number inverted. Sources: spec 3 and 9.1.
"""

from __future__ import annotations

from kernels.abi import helper
from kernels.atomic import *

TABLE_BYTES = 4096
LOCK_BYTES = 64  # a table's spinlock lies on a line of its own

PAGE_PRESENT = 0x001
PAGE_RW = 0x002
PAGE_USER = 0x004
PAGE_ACCESSED = 0x020
PAGE_DIRTY = 0x040
PAGE_HUGE = 0x080  # of a PMD entry
PAGE_UFFD_WP = 0x400
PAGE_SOFT_DIRTY = 0x800
PAGE_CONT = 1 << 52  # arm64: one of 16 contiguous PTEs of a block (kernels.scenario.contpte)
PAGE_NX = -0x8000_0000_0000_0000  # bit 63, as a signed word
PTE_PFN_MASK = 0x000F_FFFF_FFFF_F000
PFN_STEP = 0x1000  # from a PTE to that of the next page
# What a private, written, recently used anonymous page is mapped with.
PAGE_COPY = PAGE_NX | PAGE_PRESENT | PAGE_USER | PAGE_ACCESSED | PAGE_DIRTY | PAGE_SOFT_DIRTY
PAGE_WRITABLE = PAGE_COPY | PAGE_RW
PAGE_READONLY = PAGE_NX | PAGE_PRESENT | PAGE_USER | PAGE_ACCESSED

# What batch detection does not compare (spec 9.1).
FORK_IGNORES = PAGE_ACCESSED | PAGE_RW
ZAP_IGNORES = PAGE_ACCESSED | PAGE_RW | PAGE_DIRTY | PAGE_SOFT_DIRTY

# Entries that are not present: the type in bits 59-63, the inverted page number in bits 9-58.
SWP_TYPE_MASK = -0x0800_0000_0000_0000
SWP_SWAP = 0x0800_0000_0000_0000  # type 1: a swap device
SWP_MIGRATION_READ = -0x2000_0000_0000_0000  # type 28
SWP_MIGRATION_READ_EXCLUSIVE = -0x1800_0000_0000_0000  # type 29
SWP_MIGRATION_WRITE = -0x1000_0000_0000_0000  # type 30
SWP_EXCLUSIVE = 0x08  # of a swap entry
SWP_OFFSET_MASK = 0x0003_FFFF_FFFF_FFFF
SWP_STEP = 0x200  # from an entry to that of the next page, downwards


@helper
def pte_page(memmap, pte):
    """Descriptor of the page that a present PTE maps; `memmap` is that of page number 0."""
    return memmap + ((pte & PTE_PFN_MASK) >> 6)


@helper
def mk_pte(memmap, page, bits):
    """The PTE that maps a page."""
    return ((page - memmap) << 6) | bits


@helper
def swp_entry(memmap, page, kind):
    """The migration or swap entry that stands for a page."""
    return kind | ((~((page - memmap) >> 6) & SWP_OFFSET_MASK) << 9)


@helper
def swp_page(memmap, entry):
    """Descriptor of the page that a migration or swap entry stands for."""
    return memmap + ((~(entry >> 9) & SWP_OFFSET_MASK) << 6)


@helper
def ptep_set_wrprotect(ptep):
    """Take the write permission away: a load and a locked compare-and-exchange, again if it lost a race."""
    pte = READ64(ptep)
    while not atomic64_try_cmpxchg(ptep, pte, pte & ~PAGE_RW):
        pte = READ64(ptep)


@helper
def wrprotect_ptes(ptep, nr):
    """The same for nr consecutive PTEs, one by one as on x86."""
    while True:
        ptep_set_wrprotect(ptep)
        ptep += 8
        nr -= 1
        if nr <= 0:
            return


@helper
def ptep_get_and_clear(ptep, full):
    """Clear a PTE: an exchange, or a plain load and store when the whole mm dies; what it was."""
    if not full:
        return xchg64(ptep, 0)
    pte = READ64(ptep)
    WRITE64(ptep, 0)
    return pte


@helper
def get_and_clear_ptes(ptep, nr, full):
    """Clear nr consecutive PTEs; the first one with accessed and dirty bits of all."""
    pte = ptep_get_and_clear(ptep, full)
    while nr > 1:
        ptep += 8
        nr -= 1
        pte |= ptep_get_and_clear(ptep, full) & (PAGE_ACCESSED | PAGE_DIRTY)
    return pte


@helper
def clear_ptes(ptep, nr, full):
    """Clear nr consecutive PTEs whose bits nobody asks for."""
    while True:
        ptep_get_and_clear(ptep, full)
        ptep += 8
        nr -= 1
        if nr <= 0:
            return


@helper
def set_ptes(ptep, pte, nr):
    """Map nr consecutive pages: plain stores of consecutive page numbers with the same bits."""
    while True:
        WRITE64(ptep, pte)
        ptep += 8
        pte += PFN_STEP
        nr -= 1
        if nr <= 0:
            return


@helper
def ptes_none(ptep, nr):
    """Are nr consecutive PTEs all empty? One load each up to the first that is not."""
    while nr > 0:
        if READ64(ptep) != 0:
            return False
        ptep += 8
        nr -= 1
    return True


@helper
def pages_left(folio, page, nr_pages):
    """Pages of the folio from `page` on."""
    return nr_pages - ((page - folio) >> 6)


@helper
def folio_pte_batch(ptep, pte, most, left, ignored, looks_beyond):
    """PTEs from this one on that map consecutive pages of the folio alike, and the later ones' bits ORed.

    `most` PTEs are left in the range and `left` pages in the folio; bits in `ignored` may differ. Up to
    6.11 the folio's end is seen only after the PTE beyond it was read and compared (`looks_beyond`).
    """
    if not looks_beyond and most > left:
        most = left
    expected = pte & ~ignored
    any_bits = 0
    nr = 1
    while nr < most:
        ptep += 8
        found = READ64(ptep)
        expected += PFN_STEP
        if found & ~ignored != expected or nr == left:
            break
        any_bits |= found
        nr += 1
    return nr, any_bits


@helper
def entry_batch(ptep, entry, most, left):
    """Migration or swap entries from this one on that stand for consecutive pages in the same way."""
    if most > left:
        most = left
    nr = 1
    while nr < most and READ64(ptep + 8 * nr) == entry - nr * SWP_STEP:
        nr += 1
    return nr


@helper
def table_end(ptep, end):
    """Where the table of a PTE ends, or the range if that is sooner."""
    boundary = (ptep | (TABLE_BYTES - 1)) + 1
    return min(boundary, end)
