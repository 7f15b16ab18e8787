"""Which function of a variant makes a call on a path, and what it is given: the 6.8 names or those of 6.7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernels.abi import INTERFACE, Prototype
from kernels.mm_types import RMAP_COMPOUND

if TYPE_CHECKING:
    from kernels.variants import VariantFile


@dataclass(frozen=True)
class Function:
    """A function that makes the call; `whole`: 6.7's compound argument or flag is set."""

    name: str
    whole: bool = False


@dataclass(frozen=True)
class Resolved:
    """What a variant calls for a call and path."""

    call: str
    path: str
    function: str
    prototype: Prototype
    nr_pages_1: bool  # the `_ptes` function called with nr_pages = 1, not code of its own
    whole: bool

    def arguments(self, **values: int) -> tuple[int, ...]:
        """The arguments in order, from folio, page, nr_pages, vma, dst_vma, src_vma, address, flags.

        The one `vma` of a try_dup without destination is the source.
        """
        values |= {"compound": int(self.whole)}
        if self.call.endswith("try_dup_anon"):
            values |= {"vma": values["src_vma"]}
        if self.whole and "flags" in self.prototype.args and self.path == "pmd":
            values |= {"flags": values["flags"] | RMAP_COMPOUND}
        return tuple(values[name] for name in self.prototype.args)


# (call, path) -> the functions that make it, in order of preference.
FUNCTIONS: dict[tuple[str, str], tuple[Function, ...]] = {
    ("add_new_anon", "folio"): (
        Function("folio_add_new_anon_rmap"),
        Function("page_add_new_anon_rmap"),
    ),
    ("add_anon", "pte"): (Function("folio_add_anon_rmap_pte"), Function("page_add_anon_rmap")),
    ("add_anon", "ptes"): (Function("folio_add_anon_rmap_ptes"),),
    ("add_anon", "pmd"): (Function("folio_add_anon_rmap_pmd"), Function("page_add_anon_rmap", whole=True)),
    ("try_dup_anon", "pte"): (Function("folio_try_dup_anon_rmap_pte"), Function("page_try_dup_anon_rmap")),
    ("try_dup_anon", "ptes"): (Function("folio_try_dup_anon_rmap_ptes"),),
    ("try_dup_anon", "pmd"): (
        Function("folio_try_dup_anon_rmap_pmd"),
        Function("page_try_dup_anon_rmap", whole=True),
    ),
    ("try_share_anon", "pte"): (
        Function("folio_try_share_anon_rmap_pte"),
        Function("page_try_share_anon_rmap"),
    ),
    ("try_share_anon", "pmd"): (
        Function("folio_try_share_anon_rmap_pmd"),
        Function("page_try_share_anon_rmap"),
    ),
    ("add_file", "pte"): (Function("folio_add_file_rmap_pte"), Function("page_add_file_rmap")),
    ("add_file", "ptes"): (Function("folio_add_file_rmap_ptes"), Function("folio_add_file_rmap_range")),
    ("add_file", "pmd"): (Function("folio_add_file_rmap_pmd"), Function("page_add_file_rmap", whole=True)),
    ("dup_file", "pte"): (Function("folio_dup_file_rmap_pte"), Function("page_dup_file_rmap")),
    ("dup_file", "ptes"): (Function("folio_dup_file_rmap_ptes"),),
    ("dup_file", "pmd"): (Function("folio_dup_file_rmap_pmd"), Function("page_dup_file_rmap", whole=True)),
    ("remove", "pte"): (Function("folio_remove_rmap_pte"), Function("page_remove_rmap")),
    ("remove", "ptes"): (Function("folio_remove_rmap_ptes"),),
    ("remove", "pmd"): (Function("folio_remove_rmap_pmd"), Function("page_remove_rmap", whole=True)),
    ("move_anon", "folio"): (Function("folio_move_anon_rmap"),),
    ("hugetlb_add_new_anon", "folio"): (
        Function("hugetlb_add_new_anon_rmap"),
        Function("hugepage_add_new_anon_rmap"),
    ),
    ("hugetlb_add_anon", "folio"): (
        Function("hugetlb_add_anon_rmap"),
        Function("hugepage_add_anon_rmap"),
    ),
    ("hugetlb_try_dup_anon", "folio"): (
        Function("hugetlb_try_dup_anon_rmap"),
        Function("page_try_dup_anon_rmap", whole=True),
    ),
    ("hugetlb_try_share_anon", "folio"): (
        Function("hugetlb_try_share_anon_rmap"),
        Function("page_try_share_anon_rmap"),
    ),
    ("hugetlb_add_file", "folio"): (
        Function("hugetlb_add_file_rmap"),
        Function("page_dup_file_rmap", whole=True),
    ),
    ("hugetlb_remove", "folio"): (
        Function("hugetlb_remove_rmap"),
        Function("page_remove_rmap", whole=True),
    ),
}


def resolve(variant: VariantFile, call: str, path: str) -> Resolved | None:
    """What the variant calls, None if it has no function for this call and path."""
    for candidate in FUNCTIONS.get((call, path), ()):
        if candidate.name in variant.functions:
            prototype, single = INTERFACE[candidate.name], variant.functions[candidate.name]
            return Resolved(call, path, candidate.name, prototype, single, candidate.whole)
    return None
