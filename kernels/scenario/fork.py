"""fork: the present PTEs of a vma copied to the child, page by page, in batches, and as contpte v3 had it.

Facts: spec 9.1. What is left out: the copy of the page's contents where a pinned page must be copied, and
the check whether to reschedule. (In the kernel a page at hand leads back into the same loop.)

Batched since "mm/memory: optimize fork() with PTE-mapped THP" (6.9); small folios keep the per-page path.
"""

from __future__ import annotations

from kernels.abi import Prototype, helper, kernel
from kernels.atomic import *
from kernels.deferred_split import spin_lock, spin_unlock
from kernels.folio import folio_large_order, folio_test_anon, folio_test_large, page_folio
from kernels.mm_types import *
from kernels.pgtable import *
from kernels.scene import *

PER_PAGE, BATCHED, SCAN_FIRST = range(3)
SCAN = Prototype(("ptep", "pte", "page", "folio", "most"), returns=True)


@helper
def vma_is_cow(vma):
    """Is it a private mapping that may become writable?"""
    return READ64(vma + VM_FLAGS) & (VM_SHARED | VM_MAYWRITE) == VM_MAYWRITE


@helper
def fork_ignores(vma):
    """PTE bits that batch detection does not compare, by the flags of the vma."""
    flags = READ64(vma + VM_FLAGS)
    ignored = FORK_IGNORES
    if flags & VM_SHARED:
        ignored |= PAGE_DIRTY
    if flags & VM_SOFTDIRTY == 0:
        ignored |= PAGE_SOFT_DIRTY
    return ignored


@helper
def child_pte(pte, vma):
    """What the child gets of a PTE: clean if the mapping is shared, old, not marked by userfaultfd."""
    if READ64(vma + VM_FLAGS) & VM_SHARED:
        pte &= ~PAGE_DIRTY
    return pte & ~(PAGE_ACCESSED | PAGE_UFFD_WP)


@helper
def copy_to_spare(scene, memmap, spare, address, child):
    """The child gets a copy of a page that may not be shared; the parent's PTE is left as it is."""
    vma = READ64(scene + CHILD_VMA)
    call4(READ64(scene + ADD_NEW), spare, vma, address, RMAP_EXCLUSIVE)
    bits = PAGE_COPY
    if READ64(vma + VM_FLAGS) & VM_WRITE:
        bits |= PAGE_RW
    WRITE64(child, mk_pte(memmap, spare, bits))


@helper
def dup_mapping(scene, folio, page, anon):
    """One mapping more of a page that got its reference; -EBUSY, the reference dropped, if refused."""
    vma = READ64(scene + CHILD_VMA)
    if not anon:
        call4(READ64(scene + DUP_ONE), folio, page, 1, vma)
        return 0
    if call5(READ64(scene + TRY_DUP_ONE), folio, page, 1, vma, READ64(scene + VMA)) != 0:
        unlikely_path()
        atomic_dec_and_test(folio + REFCOUNT)
        return -EBUSY
    return 0


@helper
def dup_mappings(scene, folio, page, nr, anon):
    """nr mappings more in one call; -EBUSY, the references dropped, if refused."""
    vma = READ64(scene + CHILD_VMA)
    if not anon:
        call4(READ64(scene + DUP), folio, page, nr, vma)
        return 0
    if call5(READ64(scene + TRY_DUP), folio, page, nr, vma, READ64(scene + VMA)) != 0:
        unlikely_path()
        atomic_sub(nr, folio + REFCOUNT)
        return -EBUSY
    return 0


@helper
def copy_pte(scene, folio, page, ptep, pte, child, cow, anon):
    """One page, page by page: reference, rmap, both PTEs; -EBUSY if it must be copied instead."""
    atomic_inc(folio + REFCOUNT)
    if dup_mapping(scene, folio, page, anon) != 0:
        return -EBUSY
    if cow and pte & PAGE_RW:
        ptep_set_wrprotect(ptep)
        pte &= ~PAGE_RW
    WRITE64(child, child_pte(pte, READ64(scene + VMA)))
    return 0


@kernel(Prototype(("scene", "folio", "page", "ptep", "pte", "end"), returns=True))
def copy_present_ptes(scene, folio, page, ptep, pte, end):
    """The batched form, out of line: PTEs copied, or -EBUSY if they must be copied page by page."""
    vma = READ64(scene + VMA)
    cow = vma_is_cow(vma)
    child = ptep + READ64(scene + CHILD_TABLES) - READ64(scene + TABLES)
    left = pages_left(folio, page, 1 << folio_large_order(folio))
    looks_beyond = has_rule(scene, LOOKS_BEYOND)
    most = (end - ptep) >> 3
    nr, any_bits = folio_pte_batch(ptep, pte, most, left, fork_ignores(vma), looks_beyond)
    atomic_add(nr, folio + REFCOUNT)
    if dup_mappings(scene, folio, page, nr, folio_test_anon(folio)) != 0:
        return -EBUSY
    pte |= any_bits & PAGE_RW
    if cow and pte & PAGE_RW:
        wrprotect_ptes(ptep, nr)
        pte &= ~PAGE_RW
    set_ptes(child, child_pte(pte, vma), nr)
    return nr


@kernel(SCAN)
def folio_nr_pages_cont_mapped(ptep, pte, page, folio, most):
    """contpte v3: pages of the folio, small or large, mapped in a row from here on; called out of line."""
    nr_pages = 1
    if folio_test_large(folio):
        nr_pages = 1 << folio_large_order(folio)
    most = min(most, pages_left(folio, page, nr_pages))
    expected = (pte & PTE_PFN_MASK) + PFN_STEP
    nr = 1
    while nr < most:
        ptep += 8
        found = READ64(ptep)
        if found & PAGE_PRESENT == 0 or found & PTE_PFN_MASK != expected:
            break
        expected += PFN_STEP
        nr += 1
    return nr


@helper
def copy_scanned(scene, folio, page, ptep, pte, child, most, cow):
    """contpte v3: scan first whatever the folio, then loops around everything; rmap page by page."""
    nr = call5(READ64(scene + HELPER), ptep, pte, page, folio, most)
    anon = folio_test_anon(folio)
    done = 0
    while done < nr:
        atomic_inc(folio + REFCOUNT)
        if dup_mapping(scene, folio, page + done * PAGE_BYTES, anon) != 0:
            break
        done += 1
    if done == 0:
        return -EBUSY
    if cow and pte & PAGE_RW:
        wrprotect_ptes(ptep, done)
        pte &= ~PAGE_RW
    set_ptes(child, child_pte(pte, READ64(scene + VMA)), done)
    return done


@helper
def copy_several(scene, form, folio, page, ptep, pte, end, child, cow):
    """A batch, or what a scan found: PTEs copied, or -EBUSY."""
    if form == SCAN_FIRST:
        return copy_scanned(scene, folio, page, ptep, pte, child, (end - ptep) >> 3, cow)
    return call6(READ64(scene + HELPER), scene, folio, page, ptep, pte, end)


@helper
def add_rss(mm, rss):
    """Add a table's counts to the child's: anonymous pages in the low half, file pages in the high one."""
    anon = rss & 0xFFFF_FFFF
    file = rss >> 32
    if anon != 0:
        WRITE64(mm + MM_RSS_ANON, READ64(mm + MM_RSS_ANON) + anon)
    if file != 0:
        WRITE64(mm + MM_RSS_FILE, READ64(mm + MM_RSS_FILE) + file)


@helper
def rss_of(folio, nr):
    """nr pages in the half of the folio's kind."""
    return nr if folio_test_anon(folio) else nr << 32


@helper
def copy_pte_range(scene, form, ptep, end, to_child, cow):
    """Copy until the table ends or a page is needed: the PTE it came to."""
    memmap = READ64(scene + MEMMAP)
    rss = 0
    while ptep < end:
        pte = READ64(ptep)
        if pte & PAGE_PRESENT == 0:
            unlikely_path()
            ptep += 8
            continue
        page = pte_page(memmap, pte)
        folio = page_folio(page)
        if form == SCAN_FIRST or (form == BATCHED and folio_test_large(folio)):
            if form == BATCHED:
                unlikely_path()
            if form == SCAN_FIRST or end - ptep != 8:
                nr = copy_several(scene, form, folio, page, ptep, pte, end, ptep + to_child, cow)
                if nr < 0:
                    break
                rss += rss_of(folio, nr)
                ptep += 8 * nr
                continue
        anon = folio_test_anon(folio)
        rss += 1 if anon else 1 << 32  # before the calls: a value kept across them would be spilled
        if copy_pte(scene, folio, page, ptep, pte, ptep + to_child, cow, anon) != 0:
            unlikely_path()
            rss -= 1 if folio_test_anon(folio) else 1 << 32
            break
        ptep += 8
    add_rss(READ64(scene + CHILD_MM), rss)
    return ptep


@helper
def copy_with_spare(scene, ptep, to_child, cow):
    """The PTE that needed a page, which is at hand now: page by page, copied if it is refused still."""
    memmap = READ64(scene + MEMMAP)
    pte = READ64(ptep)
    page = pte_page(memmap, pte)
    folio = page_folio(page)
    anon = folio_test_anon(folio)
    if copy_pte(scene, folio, page, ptep, pte, ptep + to_child, cow, anon) != 0:
        spare = READ64(scene + SPARE)
        WRITE64(scene + SPARE, spare + PAGE_BYTES)
        address = READ64(scene + ADDRESS) + ((ptep - READ64(scene + TABLES)) << 9)
        copy_to_spare(scene, memmap, spare, address, ptep + to_child)
    add_rss(READ64(scene + CHILD_MM), 1 if anon else 1 << 32)


@helper
def copy_table(scene, form, ptep, end, to_child, lock, child_lock, cow):
    """One table under both locks, taken again with a page at hand wherever one is needed."""
    while True:
        spin_lock(child_lock)
        spin_lock(lock)
        ptep = copy_pte_range(scene, form, ptep, end, to_child, cow)
        spin_unlock(lock)
        spin_unlock(child_lock)
        if ptep >= end:
            return
        unlikely_path()
        spin_lock(child_lock)
        spin_lock(lock)
        copy_with_spare(scene, ptep, to_child, cow)
        spin_unlock(lock)
        spin_unlock(child_lock)
        ptep += 8


@helper
def change_write_protect_seq(scene):
    """Odd while a private mapping is copied: the lockless pin path looks at it."""
    sequence = READ64(scene + MM) + MM_WRITE_PROTECT_SEQ
    WRITE64(sequence, READ64(sequence) + 1)


@helper
def copy_vma(scene, form):
    """Copy a vma table by table."""
    cow = vma_is_cow(READ64(scene + VMA))
    if cow:
        change_write_protect_seq(scene)
    ptep = READ64(scene + TABLES)
    to_child = READ64(scene + CHILD_TABLES) - ptep
    end = ptep + 8 * READ64(scene + NR_PTES)
    lock = READ64(scene + LOCKS)
    child_lock = READ64(scene + CHILD_LOCKS)
    while ptep < end:
        stop = table_end(ptep, end)
        copy_table(scene, form, ptep, stop, to_child, lock, child_lock, cow)
        ptep = stop
        lock += LOCK_BYTES
        child_lock += LOCK_BYTES
    if cow:
        change_write_protect_seq(scene)
    finish(scene, 0)


@kernel(ON_SCENE)
def fork_pte(scene):
    """Page by page, as up to 6.8."""
    copy_vma(scene, PER_PAGE)


@kernel(ON_SCENE)
def fork_ptes(scene):
    """In batches where the folio is large, as of 6.9; small folios page by page."""
    copy_vma(scene, BATCHED)


@kernel(ON_SCENE)
def fork_scan_first(scene):
    """The shape of contpte v3, December 2023: the scan on every folio's path (spec 10.5)."""
    copy_vma(scene, SCAN_FIRST)
