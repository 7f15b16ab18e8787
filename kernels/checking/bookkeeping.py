"""Who maps what, kept from the operations alone: what page tables would say, and so the references due."""

from __future__ import annotations

from collections.abc import Sequence

from kernels.checking.operations import FolioSpec, Operation

DUPLICATING = ("add_new_anon", "add_anon", "try_dup_anon", "add_file", "dup_file")


class Mappings:
    """Mappings of one folio: the pages each vma maps by PTEs, the vmas that map it whole."""

    def __init__(self, spec: FolioSpec) -> None:
        self.spec = spec
        self.ptes: dict[str, set[int]] = {}
        self.whole: set[str] = set()  # by a PMD, or a hugetlb mapping

    def of(self, vma: str) -> set[int]:
        """Pages that the vma maps by PTEs."""
        return self.ptes.setdefault(vma, set())

    def counts(self) -> list[int]:
        """PTEs that map each page."""
        counts = [0] * self.spec.nr_pages
        for pages in self.ptes.values():
            for page in pages:
                counts[page] += 1
        return counts

    def users(self) -> set[str]:
        """Vmas with any mapping."""
        return self.whole | {vma for vma, pages in self.ptes.items() if pages}

    def mapped(self, page: int) -> bool:
        """Is the page mapped by anybody?"""
        return bool(self.whole) or any(page in pages for pages in self.ptes.values())

    def total(self) -> int:
        """Mappings, each of which holds a reference."""
        return len(self.whole) + sum(len(pages) for pages in self.ptes.values())

    def update(self, op: Operation) -> None:
        """Note a call that succeeded."""
        if op.path == "pmd" or op.call.startswith("hugetlb"):
            by_pmd = True
        else:
            by_pmd = op.call == "add_new_anon" and self.spec.order == 9
        call = op.call.removeprefix("hugetlb_")
        if call == "remove":
            self.whole.discard(op.vma) if by_pmd else self.of(op.vma).difference_update(op.pages)
        elif call in DUPLICATING:
            self.whole.add(op.vma) if by_pmd else self.of(op.vma).update(op.pages)


def references(op: Operation, spec: FolioSpec) -> int:
    """References that the caller takes before the call (spec 9.10); negative: drops after it."""
    call = op.call.removeprefix("hugetlb_")
    whole = op.path == "pmd" or spec.hugetlb or (call == "add_new_anon" and spec.order == 9)
    nr = 1 if whole else op.nr
    return nr if call in DUPLICATING else -nr if call == "remove" else 0


def allocate(specs: Sequence[FolioSpec]) -> list[Mappings]:
    """Nothing is mapped yet."""
    return [Mappings(spec) for spec in specs]
