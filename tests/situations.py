"""What is counted: a call on a batch of pages, and who has mapped them before, by the words of the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kernels.checking.operations import Operation, op
from kernels.mm_types import RMAP_EXCLUSIVE


class Situation(NamedTuple):
    """A folio of a kind, what is done to it before, the call that is counted, and what must follow it."""

    kind: str
    setup: tuple[Operation, ...]
    call: Operation
    fresh: bool = False
    afterwards: tuple[Operation, ...] = ()

    @property
    def calls(self) -> tuple[Operation, ...]:
        """The counted calls: one for each page on the path for one page."""
        return tuple(self.call.one_by_one()) if self.call.path == "pte" else (self.call,)


def situation(words: str, path: str, first: int, nr: int) -> Situation:
    """The situation a table's words name, on pages [first, first + nr); `path` of the counted call."""
    return BATCHES[words](Batch(path, first, nr))


class Batch(NamedTuple):
    """Pages, and operations on them."""

    path: str
    first: int
    nr: int

    def by(self, vma: str, call: str, **more: object) -> Operation:
        """What another did before."""
        return op(call, "pmd" if self.path == "pmd" else "ptes", self.first, self.nr, vma, **more)

    def a(self, call: str, **more: object) -> Operation:
        """What A does and is counted for."""
        return op(call, self.path, self.first, self.nr, "A", **more)

    def part(self, vma: str, call: str, **more: object) -> Operation:
        """What another did to the first page only."""
        return op(call, "ptes", self.first, 1, vma, **more)

    def rest(self, vma: str, call: str) -> Operation:
        """What another did to all pages but the first."""
        return op(call, "ptes", self.first + 1, self.nr - 1, vma)


def _add(kind: str, words: dict[str, tuple[str, ...]]) -> dict[str, Callable[[Batch], Situation]]:
    """Adding after the vmas named have mapped the same pages."""
    call = f"add_{kind}"
    return {
        f"{call} {state}": lambda b, vmas=vmas: Situation(  # type: ignore[misc]
            kind, tuple(b.by(vma, call) for vma in vmas), b.a(call)
        )
        for state, vmas in words.items()
    }


X = RMAP_EXCLUSIVE
# A2 is another vma of A's mm.
BATCHES: dict[str, Callable[[Batch], Situation]] = {
    **_add("file", {"first": (), "shared": ("B",), "third": ("B", "C"), "again": ("A2",)}),
    **_add("anon", {"first": (), "shared": ("B",), "third": ("B", "C")}),
    "add_file part": lambda b: Situation("file", (b.part("B", "add_file"),), b.a("add_file")),
    "add_file second": lambda b: Situation(  # slot 0 is free, another mm has the other
        "file", (b.by("B", "add_file"), b.by("C", "add_file"), b.by("B", "remove")), b.a("add_file")
    ),
    "add_file beside": lambda b: Situation(  # the same mm maps other pages already
        "file", (op("add_file", "pte", 0, 1, "A2"),), b.a("add_file")
    ),
    "add_anon exclusive": lambda b: Situation("anon", (), b.a("add_anon", flags=X)),
    "add_anon over": lambda b: Situation(  # a PMD over PTEs of another mm
        "anon", (op("add_anon", "ptes", 4, 3, "B"),), b.a("add_anon")
    ),
    "add_anon split": lambda b: Situation(  # a PMD mapping is remapped by PTEs
        "anon",
        (op("add_anon", "pmd", flags=X),),
        b.a("add_anon", flags=X),
        afterwards=(op("remove", "pmd"),),
    ),
    "add_new_anon": lambda b: Situation(
        "anon", (), op("add_new_anon", "folio", 0, b.nr, flags=X), fresh=True
    ),
    "dup_file shared": lambda b: Situation("file", (b.by("B", "add_file"),), b.a("dup_file", src="B")),
    "try_dup_anon exclusive": lambda b: Situation(
        "anon", (b.by("B", "add_anon", flags=X),), b.a("try_dup_anon", src="B")
    ),
    "try_dup_anon part": lambda b: Situation(  # one page of several is exclusive
        "anon", (b.part("B", "add_anon", flags=X), b.rest("B", "add_anon")), b.a("try_dup_anon", src="B")
    ),
    "try_dup_anon shared": lambda b: Situation(
        "anon", (b.by("B", "add_anon"),), b.a("try_dup_anon", src="B")
    ),
    "try_dup_anon third": lambda b: Situation(
        "anon", (b.by("B", "add_anon"), b.by("C", "add_anon")), b.a("try_dup_anon", src="B")
    ),
    "try_dup_anon again": lambda b: Situation(  # the destination maps another page already
        "anon", (op("add_anon", "pte"), b.by("B", "add_anon")), b.a("try_dup_anon", src="B")
    ),
    "try_share_anon": lambda b: Situation("anon", (b.by("A", "add_anon", flags=X),), b.a("try_share_anon")),
    "remove last": lambda b: Situation("anon", (b.by("A", "add_anon"),), b.a("remove")),
    "remove shared": lambda b: Situation(
        "anon", (b.by("A", "add_anon"), b.by("B", "add_anon")), b.a("remove")
    ),
    "remove third": lambda b: Situation(
        "anon", tuple(b.by(vma, "add_anon") for vma in ("B", "C", "A")), b.a("remove")
    ),
    "remove tracked": lambda b: Situation(  # one of two owners, while an untracked mm maps too
        "anon", tuple(b.by(vma, "add_anon") for vma in "ABC"), b.a("remove")
    ),
    "remove stranger": lambda b: Situation(  # an untracked mm leaves a tracked one alone
        "anon", (*(b.by(vma, "add_anon") for vma in "BCA"), b.by("C", "remove")), b.a("remove")
    ),
    "remove part": lambda b: Situation(
        "anon", (b.by("A", "add_anon"), b.part("B", "add_anon")), b.a("remove")
    ),
    "remove inside": lambda b: Situation(  # the mm keeps other pages, nobody else has any
        "anon", (op("add_anon", "ptes", 0, 16),), b.a("remove")
    ),
    "remove under": lambda b: Situation(  # another mm maps the folio by a PMD
        "anon", (op("add_anon", "pmd", vma="B"), b.by("A", "add_anon")), b.a("remove")
    ),
    "hugetlb_add_new_anon": lambda b: Situation(
        "hugetlb_anon", (), op("hugetlb_add_new_anon", "folio"), fresh=True
    ),
    "hugetlb_add_anon exclusive": lambda b: Situation(
        "hugetlb_anon", (), op("hugetlb_add_anon", "folio", flags=X)
    ),
    "hugetlb_add_anon shared": lambda b: Situation("hugetlb_anon", (), op("hugetlb_add_anon", "folio")),
    "hugetlb_add_file": lambda b: Situation("hugetlb_file", (), op("hugetlb_add_file", "folio")),
    "hugetlb_try_dup_anon exclusive": lambda b: Situation(
        "hugetlb_anon",
        (op("hugetlb_add_anon", "folio", vma="B", flags=X),),
        op("hugetlb_try_dup_anon", "folio", src="B"),
    ),
    "hugetlb_try_dup_anon shared": lambda b: Situation(
        "hugetlb_anon",
        (op("hugetlb_add_anon", "folio", vma="B"),),
        op("hugetlb_try_dup_anon", "folio", src="B"),
    ),
    "hugetlb_try_share_anon": lambda b: Situation(
        "hugetlb_anon",
        (op("hugetlb_add_anon", "folio", flags=X),),
        op("hugetlb_try_share_anon", "folio"),
    ),
    "hugetlb_remove": lambda b: Situation(
        "hugetlb_file", (op("hugetlb_add_file", "folio"),), op("hugetlb_remove", "folio")
    ),
}
