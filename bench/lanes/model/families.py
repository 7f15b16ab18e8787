"""Families: pairs of a call and its inverse that one sweep over an arena times together, and their cases."""

from __future__ import annotations

from dataclasses import dataclass

from bench.case import Case
from kernels.mm_types import HPAGE_PMD_ORDER

PTE_PATHS = ("pte", "ptes", "pmd")
FOLIO_PATH = ("folio",)
EMPTY = "_empty"  # the variant whose calls do nothing: what calling costs


@dataclass(frozen=True)
class Family:
    """A call in one state, what undoes it, and what must be true before each pass."""

    call: str
    kind: str
    state: str | None
    inverse: str | None  # the call that undoes it, timed too
    inverse_state: str | None = None  # None: the inverse is a case of another family
    paths: tuple[str, ...] = PTE_PATHS
    mapped: bool = False  # another mm maps every page already
    exclusive: bool = False  # PG_anon_exclusive is set before each pass
    rmap_exclusive: bool = False  # called with RMAP_EXCLUSIVE

    @property
    def name(self) -> str:
        """Call, kind and state."""
        return "/".join(part for part in (self.call, self.kind, self.state) if part)

    @property
    def repeatable(self) -> bool:
        """Can it be called again and again without anything to undo in between?"""
        return self.inverse is None and not self.exclusive

    def case(self, variant: str, path: str, order: int) -> Case:
        """The case of the call."""
        keys = {"kind": self.kind, "state": self.state, "variant": variant, "path": path, "order": order}
        return Case.of("call", self.call, **keys)

    def inverse_case(self, variant: str, path: str, order: int) -> Case | None:
        """The case of the inverse, if it is one of this family."""
        if self.inverse is None or self.inverse_state is None:
            return None
        keys = {"kind": self.kind, "state": self.inverse_state, "variant": variant, "path": path}
        return Case.of("call", self.inverse, order=order, **keys)

    def has_path(self, path: str, order: int) -> bool:
        """Is the path one of this call's at this order? PMD mappings exist at PMD order only."""
        return path in self.paths and (path != "pmd" or order == HPAGE_PMD_ORDER)


def _anon(call: str, state: str | None, inverse: str | None = "remove", **more: object) -> Family:
    return Family(call, "anon", state, inverse, **more)  # type: ignore[arg-type]


def _hugetlb(call: str, state: str, inverse: str | None, **more: object) -> Family:
    return Family(f"hugetlb_{call}", "hugetlb", state, inverse, paths=FOLIO_PATH, **more)  # type: ignore[arg-type]


FAMILIES = (
    _anon("add_new_anon", "first", paths=FOLIO_PATH, rmap_exclusive=True),
    _anon("add_anon", "first", inverse_state="last", rmap_exclusive=True),
    _anon("add_anon", "shared", inverse_state="shared", mapped=True),
    _anon("try_dup_anon", "exclusive", mapped=True, exclusive=True),
    _anon("try_dup_anon", "shared", mapped=True),
    _anon("try_share_anon", "exclusive", inverse=None, paths=("pte", "pmd"), mapped=True, exclusive=True),
    Family("add_file", "file", "first", "remove", "last"),
    Family("add_file", "file", "shared", "remove", "shared", mapped=True),
    Family("dup_file", "file", "shared", "remove", paths=("pte", "ptes"), mapped=True),
    _anon("move_anon", None, inverse=None, paths=FOLIO_PATH, mapped=True),
    _hugetlb("add_new_anon", "first", "hugetlb_remove"),
    _hugetlb("add_anon", "first", "hugetlb_remove", rmap_exclusive=True),
    _hugetlb("add_anon", "shared", "hugetlb_remove", mapped=True),
    _hugetlb("try_dup_anon", "exclusive", "hugetlb_remove", mapped=True, exclusive=True),
    _hugetlb("try_dup_anon", "shared", "hugetlb_remove", mapped=True),
    _hugetlb("try_share_anon", "exclusive", None, mapped=True, exclusive=True),
    _hugetlb("add_file", "first", "hugetlb_remove", inverse_state="last"),
    _hugetlb("add_file", "shared", "hugetlb_remove", inverse_state="shared", mapped=True),
)
BY_NAME = {family.name: family for family in FAMILIES}
# What `rmapbench` without arguments measures.
MAIN_CALLS = ("add_new_anon", "add_anon", "add_file", "try_dup_anon", "dup_file", "remove")
MAIN_VARIANTS = ("v6.12", "v6.15")
