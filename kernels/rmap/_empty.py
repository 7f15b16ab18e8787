"""_empty: calls that do nothing; what calling costs.

Measured in every group and shown beside the figures, never subtracted: cheap work overlaps a lock.
"""

from __future__ import annotations

from kernels.abi import *
from kernels.mm_types import LAYOUT_V6_15

BASE = None
LAYOUT = LAYOUT_V6_15
ANON_ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
FILE_ORDERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


@kernel(NEW_ANON)
def folio_add_new_anon_rmap(folio, vma, address, flags):
    """Nothing."""


@kernel(ANON_PTE)
def folio_add_anon_rmap_pte(folio, page, vma, address, flags):
    """Nothing."""


@kernel(ANON_PTES)
def folio_add_anon_rmap_ptes(folio, page, nr_pages, vma, address, flags):
    """Nothing."""


@kernel(ANON_PMD)
def folio_add_anon_rmap_pmd(folio, page, vma, address, flags):
    """Nothing."""


@kernel(TRY_DUP_PTE)
def folio_try_dup_anon_rmap_pte(folio, page, dst_vma, src_vma):
    """Nothing."""
    return 0


@kernel(TRY_DUP_PTES)
def folio_try_dup_anon_rmap_ptes(folio, page, nr_pages, dst_vma, src_vma):
    """Nothing."""
    return 0


@kernel(TRY_DUP_PMD)
def folio_try_dup_anon_rmap_pmd(folio, page, dst_vma, src_vma):
    """Nothing."""
    return 0


@kernel(TRY_SHARE)
def folio_try_share_anon_rmap_pte(folio, page):
    """Nothing."""
    return 0


@kernel(TRY_SHARE)
def folio_try_share_anon_rmap_pmd(folio, page):
    """Nothing."""
    return 0


@kernel(PTE)
def folio_add_file_rmap_pte(folio, page, vma):
    """Nothing."""


@kernel(PTES)
def folio_add_file_rmap_ptes(folio, page, nr_pages, vma):
    """Nothing."""


@kernel(PMD)
def folio_add_file_rmap_pmd(folio, page, vma):
    """Nothing."""


@kernel(DUP_PTE)
def folio_dup_file_rmap_pte(folio, page, dst_vma):
    """Nothing."""


@kernel(DUP_PTES)
def folio_dup_file_rmap_ptes(folio, page, nr_pages, dst_vma):
    """Nothing."""


@kernel(DUP_PMD)
def folio_dup_file_rmap_pmd(folio, page, dst_vma):
    """Nothing."""


@kernel(PTE)
def folio_remove_rmap_pte(folio, page, vma):
    """Nothing."""


@kernel(PTES)
def folio_remove_rmap_ptes(folio, page, nr_pages, vma):
    """Nothing."""


@kernel(PMD)
def folio_remove_rmap_pmd(folio, page, vma):
    """Nothing."""


@kernel(MOVE)
def folio_move_anon_rmap(folio, vma):
    """Nothing."""


@kernel(HUGETLB_ADD_NEW)
def hugetlb_add_new_anon_rmap(folio, vma, address):
    """Nothing."""


@kernel(HUGETLB_ADD_ANON)
def hugetlb_add_anon_rmap(folio, vma, address, flags):
    """Nothing."""


@kernel(HUGETLB_TRY_DUP)
def hugetlb_try_dup_anon_rmap(folio, vma):
    """Nothing."""
    return 0


@kernel(HUGETLB_TRY_SHARE)
def hugetlb_try_share_anon_rmap(folio):
    """Nothing."""
    return 0


@kernel(HUGETLB)
def hugetlb_add_file_rmap(folio):
    """Nothing."""


@kernel(HUGETLB)
def hugetlb_remove_rmap(folio):
    """Nothing."""


@kernel(PAGE_ADD_ANON)
def page_add_anon_rmap(page, vma, address, flags):
    """Nothing."""


@kernel(PAGE_ADD_NEW_ANON)
def page_add_new_anon_rmap(page, vma, address):
    """Nothing."""


@kernel(PAGE_RMAP)
def page_add_file_rmap(page, vma, compound):
    """Nothing."""


@kernel(FILE_RANGE)
def folio_add_file_rmap_range(folio, page, nr_pages, vma, compound):
    """Nothing."""


@kernel(PAGE_DUP)
def page_dup_file_rmap(page, compound):
    """Nothing."""


@kernel(PAGE_TRY_DUP)
def page_try_dup_anon_rmap(page, compound, vma):
    """Nothing."""
    return 0


@kernel(PAGE_TRY_SHARE)
def page_try_share_anon_rmap(page):
    """Nothing."""
    return 0


@kernel(PAGE_RMAP)
def page_remove_rmap(page, vma, compound):
    """Nothing."""


@kernel(HUGETLB_ADD_ANON)
def hugepage_add_anon_rmap(folio, vma, address, flags):
    """Nothing."""


@kernel(HUGETLB_ADD_NEW)
def hugepage_add_new_anon_rmap(folio, vma, address):
    """Nothing."""
