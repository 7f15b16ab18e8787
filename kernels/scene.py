"""What scenarios work on: a block of words that says which calls, pages, page tables and mms, by windows.

An arena is split into windows; an arm owns some of them, works on one at a time, and puts each back into
its first state after the timed part, from an image that is moved to the window's addresses.
"""

from __future__ import annotations

from kernels.abi import Prototype, helper, kernel
from kernels.atomic import *
from kernels.deferred_split import QUEUE_LEN, QUEUE_LIST
from kernels.driver import EXTRA, FAILED, SCRATCH, spend_extra  # noqa: F401 - words of a scene too
from kernels.pgtable import LOCK_BYTES, PAGE_PRESENT

# Addresses of rmap calls, all with the prototypes of the batched forms (kernels.callers); `_ONE` is called
# with nr_pages = 1 where the caller works page by page.
TRY_DUP, TRY_DUP_ONE, DUP, DUP_ONE, REMOVE, REMOVE_ONE, ADD_ANON, ADD_ANON_ONE = range(0x80, 0xC0, 8)
ADD_FILE, ADD_FILE_ONE, ADD_NEW, TRY_SHARE, REMOVE_PMD = range(0xC0, 0xE8, 8)
# Of the current window: descriptors, page tables and their locks (the child's too), pages to copy to.
PAGES, TABLES, LOCKS, CHILD_TABLES, CHILD_LOCKS, SPARE = range(0xE8, 0x118, 8)
# Of all windows: the descriptor of page number 0, PTEs in a window, mms and vmas, the gather, the memcg.
MEMMAP, NR_PTES, MM, CHILD_MM, VMA, CHILD_VMA, ADDRESS, GATHER, MEMCG = range(0x118, 0x160, 8)
# What the generation's callers do: bits below; which flag bit PG_anon_exclusive is; order of new folios.
RULES, ANON_EXCLUSIVE, ORDER, HELPER = range(0x160, 0x180, 8)
# Windows: where window 0 of each kind lies, bytes a window, the image; windows owned and the next one.
FIRST_PAGES, FIRST_TABLES, FIRST_LOCKS, FIRST_CHILD_TABLES, FIRST_CHILD_LOCKS = range(0x180, 0x1A8, 8)
PAGES_BYTES, TABLES_BYTES, SPARE_BYTES, IMAGE, IMAGE_CHILD = range(0x1A8, 0x1D0, 8)
# BEGIN: PTEs before the range, in a scenario that begins in the middle of a block.
WINDOW, WINDOW_STEP, WINDOWS_END, WINDOW_FIRST, THIRD_VMA, BEGIN = range(0x1D0, 0x200, 8)
SCENE_BYTES = 0x200

# Bits of RULES.
LOOKS_BEYOND = 1  # batch detection reads the PTE beyond the folio (up to 6.11)
ADDS_FOR_NEW = 2  # an anonymous fault adds nr - 1 references, also if that is 0 (6.8)
KEEPS_LOOKUP = 4  # fault-around keeps the lookup's reference for a mapping (6.18)
MAPS_WHOLE = 8  # fault-around maps a large folio whole, beyond its window (6.18)

ON_SCENE = Prototype(("scene",))


@helper
def finish(scene, failed):
    """End of every scenario: the control's instructions, and whether a call was refused unexpectedly."""
    spend_extra(scene)
    WRITE64(scene + FAILED, failed)


@helper
def has_rule(scene, rule):
    """Do this generation's callers do that?"""
    return READ64(scene + RULES) & rule != 0


@helper
def lock_of(scene, ptep):
    """Spinlock of the table that holds a PTE of vma A."""
    return READ64(scene + LOCKS) + ((ptep - READ64(scene + TABLES)) >> 12) * LOCK_BYTES


@kernel(ON_SCENE)
def enter_window(scene):
    """Set the words of the current window from its number."""
    window = READ64(scene + WINDOW)
    pages = READ64(scene + FIRST_PAGES) + window * READ64(scene + PAGES_BYTES)
    tables = window * READ64(scene + TABLES_BYTES)
    locks = (tables >> 12) * LOCK_BYTES
    WRITE64(scene + PAGES, pages)
    WRITE64(scene + SPARE, pages + READ64(scene + SPARE_BYTES))
    WRITE64(scene + TABLES, READ64(scene + FIRST_TABLES) + tables)
    WRITE64(scene + LOCKS, READ64(scene + FIRST_LOCKS) + locks)
    WRITE64(scene + CHILD_TABLES, READ64(scene + FIRST_CHILD_TABLES) + tables)
    WRITE64(scene + CHILD_LOCKS, READ64(scene + FIRST_CHILD_LOCKS) + locks)


@helper
def restore_pages(image, pages, nbytes, first):
    """Copy descriptors; words that point into window 0 (heads, lists) point into this one afterwards."""
    offset = 0
    moved = pages - first
    last = first + nbytes
    while offset < nbytes:
        word = READ64(image + offset)
        if word >= first and word < last:
            word += moved
        WRITE64(pages + offset, word)
        offset += 8


@helper
def restore_ptes(image, ptes, nbytes, moved):
    """Copy page tables; page numbers, inverted in entries that are not present, move by as many pages."""
    offset = 0
    up = moved << 6
    down = (moved >> 6) << 9
    while offset < nbytes:
        word = READ64(image + offset)
        if word & PAGE_PRESENT:
            word += up
        elif word != 0:
            word -= down
        WRITE64(ptes + offset, word)
        offset += 8


@helper
def empty_split_queue(memcg_queue):
    """No folio is on the queue once all are as they were."""
    head = memcg_queue + QUEUE_LIST
    WRITE64(head, head)
    WRITE64(head + 8, head)
    WRITE64(memcg_queue + QUEUE_LEN, 0)


@kernel(ON_SCENE)
def restore(scene):
    """Put the current window back into its first state: descriptors, both mms' tables, the split queue."""
    first = READ64(scene + FIRST_PAGES)
    moved = READ64(scene + PAGES) - first
    image = READ64(scene + IMAGE)
    nbytes = READ64(scene + PAGES_BYTES)
    tables = READ64(scene + TABLES_BYTES)
    restore_pages(image, READ64(scene + PAGES), nbytes, first)
    restore_ptes(image + nbytes, READ64(scene + TABLES), tables, moved)
    child = READ64(scene + IMAGE_CHILD)
    if child != 0:
        restore_ptes(child, READ64(scene + CHILD_TABLES), tables, moved)
    empty_split_queue(READ64(scene + MEMCG))


@kernel(ON_SCENE)
def next_window(scene):
    """Go on to the next of the arm's windows, after the last one to the first."""
    window = READ64(scene + WINDOW) + READ64(scene + WINDOW_STEP)
    if window >= READ64(scene + WINDOWS_END):
        window = READ64(scene + WINDOW_FIRST)
    WRITE64(scene + WINDOW, window)


# A plan of scenarios: the scenario, its scene, the three kernels above, passes, and the time they took.
# START is the address of a word that threads meet at: each adds one and waits until there are THREADS.
SCENARIO, SCENE, ENTER, RESTORE, NEXT, PASSES, NANOSECONDS, START, THREADS = range(0, 9 * 8, 8)
SCENE_PLAN_BYTES = 0x80


@kernel(ON_SCENE)
def leave(scene):
    """What stands for `restore` where the scenario itself leaves everything as it was."""


@helper
def wait_for_all(plan):
    """Where threads begin together."""
    start = READ64(plan + START)
    if start != 0:
        atomic_inc(start)
        while READ32(start) < READ64(plan + THREADS):
            cpu_relax()


@kernel(Prototype(("plan",)))
def batch_windows(plan):
    """Run PASSES passes, each on the next window; only the scenario itself is timed."""
    passes = READ64(plan + PASSES)
    scene = READ64(plan + SCENE)
    scenario = READ64(plan + SCENARIO)
    spent = 0
    wait_for_all(plan)
    while passes > 0:
        call1(READ64(plan + ENTER), scene)
        start = clock_ns()
        call1(scenario, scene)
        spent += clock_ns() - start
        call1(READ64(plan + RESTORE), scene)
        call1(READ64(plan + NEXT), scene)
        passes -= 1
    WRITE64(plan + NANOSECONDS, spent)
