"""Variants that are wrong in one place, and the call and counter by which check must refuse each."""

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    """One change to a copy of a generation's file, and what check must say about it."""

    of: str  # stem of the file that is copied
    old: str  # occurs once
    new: str
    function: str  # a pattern
    counter: str  # a pattern


ADD = r"folio_add_(anon|file)_rmap_ptes?"
DUP_ANON = "    dup_anon_pages(LAYOUT, page, nr_pages)\n"
DUP_FILE = "    dup_pages(page, nr_pages)\n"
OWNER_ADD = "    folio_add_large_mapcount(LAYOUT, folio, nr_pages, "
PTE_OF = "\n\nfolio_{}_rmap_pte ="
MLOCK = "    mlock_small_folio(folio, vma)\n"
SMALL_ATOMIC = "        atomic_inc(folio + MAPCOUNT)\n        return\n"
LARGE = "folio + LAYOUT.large_mapcount"

# What only one thread is needed to see.
WRONG = {
    "the total of mappings is not raised": Wrong(
        "v6_12", "        nr = 0\n    atomic_add(nr_pages, folio + LAYOUT.large_mapcount)\n",
        "        nr = 0\n",
        ADD, "_large_mapcount",
    ),
    "the last page of a batch is forgotten": Wrong(
        "v6_12", "map_pages(page, nr_pages)\n    if nr > 0 and atomic_add_return(nr,",
        "map_pages(page, nr_pages - 1)\n    if nr > 0 and atomic_add_return(nr,", ADD, "_mapcount of page 3",
    ),
    "one page too many is unmapped": Wrong(
        "v6_12", "unmap_pages(page, nr_pages)", "unmap_pages(page, nr_pages + 1)",
        "folio_remove_rmap_ptes?", r"_nr_pages_mapped",
    ),
    "mapped pages are counted twice": Wrong(
        "v6_12", MLOCK + PTE_OF.format("add_file"),
        "    mod_stat(LAYOUT, folio, 1, 0, vma)\n" + MLOCK + PTE_OF.format("add_file"),
        "folio_add_file_rmap_ptes?", "NR_FILE_MAPPED",
    ),
    "unmapped pages are not counted": Wrong(
        "v6_12", "mod_stat(LAYOUT, folio, -nr, 0, vma)", "mod_stat(LAYOUT, folio, 0, 0, vma)",
        "folio_remove_rmap_ptes?", "NR_ANON_MAPPED",
    ),
    "pages that others map still are counted as unmapped": Wrong(
        "v6_12", "mod_stat(LAYOUT, folio, -nr, 0, vma)", "mod_stat(LAYOUT, folio, -nr_pages, 0, vma)",
        "folio_remove_rmap_ptes?", "NR_ANON_MAPPED",
    ),
    "a refused batch is duplicated all the same": Wrong(
        "v6_12", "any_anon_exclusive(LAYOUT, page, nr_pages):\n",
        "any_anon_exclusive(LAYOUT, page, nr_pages):\n        dup_anon_pages(LAYOUT, page, nr_pages)\n",
        "folio_try_dup_anon_rmap_ptes?", "_mapcount of page 0",
    ),
    "a refused batch has lost a bit": Wrong(
        "v6_12", "any_anon_exclusive(LAYOUT, page, nr_pages):\n",
        "any_anon_exclusive(LAYOUT, page, nr_pages):\n        clear_bit(LAYOUT.anon_exclusive, page)\n",
        "folio_try_dup_anon_rmap_ptes?", "PG_anon_exclusive of page 0",
    ),
    "exclusive pages of a pinned folio are shared": Wrong(
        "v6_12", "if maybe_pinned and any_anon_exclusive(", "if nr_pages < 0 and any_anon_exclusive(",
        "folio_try_dup_anon_rmap_ptes?", "the return value",
    ),
    "pins of an mm that never pinned count": Wrong(
        "v6_12",
        "maybe_pinned = folio_needs_cow_for_dma(LAYOUT, folio, src_vma)\n    if maybe_pinned and any",
        "maybe_pinned = folio_maybe_dma_pinned(LAYOUT, folio)\n    if maybe_pinned and any",
        "folio_try_dup_anon_rmap_ptes?", "the return value",
    ),
    "the destination is asked for pins": Wrong(
        "v6_15", "src_vma)\n    if maybe_pinned and any", "dst_vma)\n    if maybe_pinned and any",
        "folio_try_dup_anon_rmap_ptes?", "the return value",
    ),
    "only the first page of a batch is asked whether it is exclusive": Wrong(
        "v6_12", "any_anon_exclusive(LAYOUT, page, nr_pages)", "any_anon_exclusive(LAYOUT, page, 1)",
        "folio_try_dup_anon_rmap_ptes", "the return value",
    ),
    "only the first page of a batch becomes exclusive": Wrong(
        "v6_12", "set_anon_exclusive(LAYOUT, page, nr_pages)", "set_anon_exclusive(LAYOUT, page, 1)",
        "folio_add_anon_rmap_ptes", "PG_anon_exclusive of page 1",
    ),
    "the first pages of the folio become exclusive instead of the batch's": Wrong(
        "v6_12", "set_anon_exclusive(LAYOUT, page, nr_pages)", "set_anon_exclusive(LAYOUT, folio, nr_pages)",
        "folio_add_anon_rmap_ptes?", r"PG_anon_exclusive of page \d+",
    ),
    "pages become exclusive unasked": Wrong(
        "v6_12", "    if flags & RMAP_EXCLUSIVE:\n        set_anon_exclusive",
        "    if True:\n        set_anon_exclusive",
        "folio_add_anon_rmap_ptes?", "PG_anon_exclusive of page 0",
    ),
    "duplicated pages stay exclusive": Wrong(
        "v6_12", "    dup_anon_pages(LAYOUT, page, nr_pages)\n", "    dup_pages(page, nr_pages)\n",
        "folio_try_dup_anon_rmap_ptes?", "PG_anon_exclusive of page 0",
    ),
    "a pinned page is shared": Wrong(
        "v6_12", "return share_anon(LAYOUT, folio, page)",
        "clear_bit(LAYOUT.anon_exclusive, page + FLAGS)\n    return 0",
        "folio_try_share_anon_rmap_pte", "the return value",
    ),
    "a partly mapped folio is not queued": Wrong(
        "v6_12", "nr != 0 and READ32(folio + LAYOUT.nr_pages_mapped) != 0:", "nr < 0:",
        "folio_remove_rmap_ptes?", "PG_partially_mapped",
    ),
    "a folio that is not mapped any more is queued": Wrong(
        "v6_12", "if nr != 0 and READ32(folio + LAYOUT.nr_pages_mapped) != 0:", "if nr != 0:",
        "folio_remove_rmap_ptes?", "PG_partially_mapped",
    ),
    "a folio that is not mapped any more is not queued, before 6.10": Wrong(
        "v6_8", "        mod_mapped_stat(folio, -nr, vma)\n        defer_split_of_large(folio, vma)\n",
        "        mod_mapped_stat(folio, -nr, vma)\n"
        "        if READ32(folio + LAYOUT.nr_pages_mapped) != 0:\n"
        "            defer_split_of_large(folio, vma)\n",
        "folio_remove_rmap_ptes?", "on the deferred-split queue",
    ),
    "every folio that loses its PMD is queued": Wrong(
        "v6_12", "if nr != 0 and nr < nr_pmdmapped:", "if nr != 0:", "folio_remove_rmap_pmd",
        "PG_partially_mapped",
    ),
    "pages under an entire mapping are counted as newly mapped": Wrong(
        "v6_12", "atomic_add_return(nr, folio + LAYOUT.nr_pages_mapped) >= ENTIRELY_MAPPED",
        "atomic_add_return(nr, folio + LAYOUT.nr_pages_mapped) >= 2 * ENTIRELY_MAPPED",
        ADD, "NR_(ANON|FILE)_MAPPED",
    ),
    "a mapping by PMD is counted as one by PTE": Wrong(
        "v6_12", "atomic_add_return(ENTIRELY_MAPPED,", "atomic_add_return(HPAGE_PMD_NR,",
        "folio_add_(anon|file)_rmap_pmd", "_nr_pages_mapped",
    ),
    "a new folio has one mapping too many": Wrong(
        "v6_12", f"WRITE32({LARGE}, nr - 1)", f"WRITE32({LARGE}, nr)", "folio_add_new_anon_rmap",
        "_large_mapcount",
    ),
    "new folios are not counted by order": Wrong(
        "v6_12", "        mod_mthp_stat(folio_large_order(folio), 1, vma)\n", "        nr = 0\n",
        "folio_add_new_anon_rmap", "mthp/2",
    ),
    "a droppable folio is swap-backed": Wrong(
        "v6_12", "set_swapbacked(LAYOUT, folio, vma)", "set_swapbacked_always(LAYOUT, folio)",
        "folio_add_new_anon_rmap", "PG_swapbacked",
    ),
    "a new folio has the wrong index": Wrong(
        "v6_12", "folio_set_anon(folio, vma, address, flags)",
        "folio_set_anon(folio, vma, address + 4096, flags)",
        "folio_add_new_anon_rmap", "index",
    ),
    "a small folio in a locked vma is not mlocked": Wrong(
        "v6_12", MLOCK + PTE_OF.format("add_anon"),
        PTE_OF.format("add_anon"),
        "folio_add_anon_rmap_ptes?", "mlocked",
    ),
    "munlock is forgotten": Wrong(
        "v6_12", "    munlock_vma_folio(folio, vma)\n" + PTE_OF.format("remove"),
        PTE_OF.format("remove"),
        "folio_remove_rmap_ptes?", "munlocked",
    ),
    "hugetlb takes a mapping from one counter only": Wrong(
        "v6_12", "hugetlb_dec(LAYOUT, folio)", "atomic_dec(folio + LAYOUT.entire_mapcount)",
        "hugetlb_remove_rmap", "_large_mapcount",
    ),
    "an exclusive hugetlb folio stays exclusive": Wrong(
        "v6_12", "hugetlb_try_dup_anon(LAYOUT, folio, vma, exclusive)",
        "hugetlb_try_dup_anon(LAYOUT, folio, vma, False)",
        "hugetlb_try_dup_anon_rmap", "PG_anon_exclusive of page 0",
    ),
    "a moved folio goes to the root": Wrong(
        "v6_7", "READ64(vma + VM_ANON_VMA) + PAGE_MAPPING_ANON",
        "READ64(READ64(vma + VM_ANON_VMA) + ANON_VMA_ROOT) + PAGE_MAPPING_ANON", "folio_move_anon_rmap",
        "mapping",
    ),
    "fork's mappings are the parent's": Wrong(
        "v6_15", f"{DUP_ANON}{OWNER_ADD}dst_vma)",
        f"{DUP_ANON}{OWNER_ADD}src_vma)",
        "folio_try_dup_anon_rmap_ptes?", "_mm_id and _mm_id_mapcount",
    ),
    "an owner gives up one mapping for a batch": Wrong(
        "v6_15", "folio_sub_large_mapcount(LAYOUT, folio, nr_pages, vma)",
        "folio_sub_large_mapcount(LAYOUT, folio, 1, vma)",
        "folio_remove_rmap_ptes", "_large_mapcount",
    ),
    "pages of a batch are counted where the folio's should be": Wrong(
        "v6_15_no_page_mapcount", "return READ32(folio + LAYOUT.nr_pages) if mapcount == nr_pages else 0",
        "return nr_pages if mapcount == nr_pages else 0", ADD, "NR_(ANON|FILE)_MAPPED",
    ),
    "a batch of 6.7's file faults is one page": Wrong(
        "v6_7", "__folio_add_file_rmap(folio, page, nr_pages, vma, compound)\n\n\n@kernel(PAGE_RMAP)",
        "__folio_add_file_rmap(folio, page, 1, vma, compound)\n\n\n@kernel(PAGE_RMAP)",
        "folio_add_file_rmap_range", "_mapcount of page 1",
    ),
    "6.7 takes a PMD mapping for one of the head page": Wrong(
        "v6_7", "    nr, nr_pmdmapped = __folio_remove_rmap(folio, page, compound)",
        "    nr, nr_pmdmapped = __folio_remove_rmap(folio, page, 0)", "page_remove_rmap",
        "_mapcount of page 0",
    ),
}  # fmt: skip

# What only another thread can see.
NOT_ATOMIC = {
    "a mapping is counted by load and store": Wrong(
        "v6_12", SMALL_ATOMIC,
        "        WRITE32(folio + MAPCOUNT, READ32(folio + MAPCOUNT) + 1)\n        return\n",
        r"folio_dup_file_rmap_ptes?\(", "_mapcount|NR_FILE_MAPPED",  # a lost -1 <-> 0 is counted by neither
    ),
    "the total of mappings is changed by load and store": Wrong(
        "v6_12", f"    atomic_sub(nr_pages, {LARGE})\n",
        f"    WRITE32({LARGE}, READ32({LARGE}) - nr_pages)\n",
        r".* and folio_remove_rmap_ptes?\(", "_large_mapcount",
    ),
    "a bit is cleared by load and store": Wrong(
        "v6_12", "            return -EBUSY\n        clear_bit(LAYOUT.anon_exclusive, page + FLAGS)\n",
        "            return -EBUSY\n"
        "        WRITE64(page + FLAGS, READ64(page + FLAGS) & ~(1 << LAYOUT.anon_exclusive))\n",
        r"folio_try_dup_anon_rmap_pmd\(", "updates lost beside it",
    ),
    "the total is written once more when the lock is released": Wrong(
        "v6_15", f"{DUP_FILE}{OWNER_ADD}dst_vma)\n",
        f"{DUP_FILE}{OWNER_ADD}dst_vma)\n    WRITE32({LARGE}, READ32({LARGE}))\n",
        r"folio_dup_file_rmap_ptes?\(", "_large_mapcount",
    ),
}  # fmt: skip
