"""Interleavings of calls by several mms on one folio, beside a folio that nobody touches.

A step says what to do in words that always mean something: which vma, which of the pages or vmas that are
possible now. What is not legal now is left out, so that any part of a failing interleaving is one, too, and
hypothesis finds the shortest. Replay compares all memory and statistics after each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st

from kernels.checking.legal import runs
from kernels.checking.operations import FolioSpec, Operation, op
from kernels.checking.replay import Mismatch, Replay, Variant
from kernels.mm_types import RMAP_EXCLUSIVE

VMAS = ("A", "B", "C", "locked", "special", "droppable")  # each of its own mm
BYSTANDER = FolioSpec("file", 2)
# The same examples in every run; a failure is found and shrunk again each time.
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    print_blob=False,
)


class Step(NamedTuple):
    """Something to do: by the vma, from a vma or page that is possible, on at most nr pages."""

    what: str
    vma: str
    at: int
    nr: int
    exclusive: bool


def steps(spec: FolioSpec) -> st.SearchStrategy[list[Step]]:
    """Steps for a folio; A2 is a second vma of A's mm, which may map the same page of a file."""
    actions = [what for kinds, names in ACTIONS.items() if spec.kind in kinds.split() for what in names]
    if spec.order == 9 and not spec.hugetlb:
        actions += ["add_pmd", "add_pmd", "remove_pmd"]
        actions += ["dup_pmd", "dup_pmd", "share_pmd", "split"] if spec.anon else []
    vmas = VMAS if spec.anon or spec.hugetlb else (*VMAS, "A2")
    at, nr = st.integers(0, spec.nr_pages - 1), st.integers(1, 4) | st.integers(1, spec.nr_pages)
    step = st.builds(Step, st.sampled_from(actions), st.sampled_from(vmas), at, nr, st.booleans())
    return st.sampled_from((1, 8, 16)).flatmap(lambda least: st.lists(step, min_size=least, max_size=24))


# By kinds of folio: what is done to them; twice what should be done often.
ACTIONS = {
    "anon": ("add_new", "add", "add", "dup", "dup", "share", "remove", "remove", "move", "swapcache"),
    "file shmem": ("add", "add", "dup", "remove", "remove"),
    "hugetlb_anon": ("hugetlb_add", "hugetlb_add", "hugetlb_dup", "hugetlb_share", "hugetlb_remove"),
    "anon hugetlb_anon": ("pin",),
    "hugetlb_file": ("hugetlb_add_file", "hugetlb_add_file", "hugetlb_remove"),
}


class Interleaving:
    """Steps on one folio; `pinned`: A maps and has pinned it to begin with."""

    def __init__(self, variant: Variant, spec: FolioSpec, pinned: bool = False) -> None:
        self.variant, self.spec = variant, spec
        self.replay = Replay(variant, [spec, BYSTANDER])
        self.mappings, self.done = self.replay.mappings[0], list[Operation]()
        if pinned:
            self._do(op("add_anon", "ptes", 0, spec.nr_pages, flags=RMAP_EXCLUSIVE), op("pin", ""))

    def run(self, steps: Sequence[Step]) -> None:
        """Do all that is legal, then unmap everything."""
        for step in steps:
            getattr(self, f"_{step.what}")(step)
        for vma in sorted(self.mappings.whole):
            self._do(op("remove", "pmd", vma=vma) if not self.spec.hugetlb else self._hugetlb("remove", vma))
        for vma, pages in sorted(self.mappings.ptes.items()):
            for first, nr in runs(pages):
                self._do(op("remove", "ptes", first, nr, vma))

    def _do(self, *operations: Operation) -> None:
        """Calls that leave the folio at rest."""
        for operation in operations:
            note(self.replay.describe(operation) if operation.path else operation.call)
        self.done += operations
        try:
            self.replay.do(operations)
        except Mismatch as mismatch:
            mismatch.add_note("\n".join(map(repr, self.done)))
            raise

    def _call(self, call: str, pages: set[int], step: Step, vma: str, **more: Any) -> None:
        """On at most step.nr consecutive pages of those possible; one page goes by the path for one, too."""
        if pages:
            first = sorted(pages)[step.at % len(pages)]
            end = next(page + n for page, n in runs(pages) if page <= first < page + n)
            nr = min(step.nr, end - first)
            self._do(op(call, "pte" if nr == 1 and step.at % 2 else "ptes", first, nr, vma, **more))

    # What the folio is like

    @property
    def _ae(self) -> list[bool]:
        """PG_anon_exclusive of each page."""
        return self.replay.folios[0].anon_exclusive

    def _live_exclusive(self) -> bool:
        """Is the bit of a mapped page set, or that of a folio mapped whole?"""
        counts, whole = self.mappings.counts(), bool(self.mappings.whole)
        return any(bit and (counts[p] or (p == 0 and whole)) for p, bit in enumerate(self._ae))

    def _free(self, vma: str) -> set[int]:
        """Pages that the vma could map by PTEs."""
        if vma in self.mappings.whole:
            return set()
        return set(range(self.spec.nr_pages)) - self.mappings.of(vma)

    def _mapper(self, step: Step, but: str = "") -> str:
        """A vma that maps pages by PTEs."""
        return self._one(self.mappings.users() - self.mappings.whole - {but}, step)

    def _one(self, vmas: set[str], step: Step) -> str:
        """One of them, "" of none."""
        return sorted(vmas)[step.at % len(vmas)] if vmas else ""

    def _flags(self, step: Step) -> int:
        return RMAP_EXCLUSIVE if step.exclusive else 0

    # Mapping by PTEs

    def _add_new(self, step: Step) -> None:
        fresh = not (self.mappings.total() or any(self._ae) or self.replay.pins[0])
        if fresh and self.spec.order in self.variant.file.anon_orders:
            flags = self._flags(step) if self.replay.oracle.rules.new_flags else RMAP_EXCLUSIVE
            self._do(op("add_new_anon", "folio", 0, self.spec.nr_pages, step.vma, flags=flags))

    def _add(self, step: Step) -> None:
        if not self.spec.anon:
            self._call("add_file", self._free(step.vma), step, step.vma)
        elif self.replay.folios[0].mapping and not (self.mappings.whole and self._live_exclusive()):
            mapped = {page for page in range(self.spec.nr_pages) if self.mappings.mapped(page)}
            taken = mapped if step.exclusive else {page for page in mapped if self._ae[page]}
            free = self._free(step.vma) - taken
            self._call("add_anon", free, step, step.vma, flags=self._flags(step))

    def _dup(self, step: Step) -> None:
        if parent := self._mapper(step, step.vma):
            pages = self.mappings.of(parent) & self._free(step.vma)
            self._call("try_dup_anon" if self.spec.anon else "dup_file", pages, step, step.vma, src=parent)

    def _share(self, step: Step) -> None:
        counts = self.mappings.counts()
        pages = [page for page, bit in enumerate(self._ae) if bit and counts[page] == 1]
        if pages and not self.mappings.whole:
            self._do(op("try_share_anon", "pte", pages[step.at % len(pages)]))

    def _remove(self, step: Step) -> None:
        if vma := self._mapper(step):
            self._call("remove", self.mappings.of(vma), step, vma)

    # Mapping by a PMD

    def _add_pmd(self, step: Step) -> None:
        if step.vma in self.mappings.users():
            return
        if not self.spec.anon:
            self._do(op("add_file", "pmd", vma=step.vma))
            return
        mapped, stale = self.mappings.total(), any(self._ae[1:])
        owned = self.replay.folios[0].mapping != 0 and not stale and not self._live_exclusive()
        if owned and not (mapped and (step.exclusive or self._ae[0])):
            self._do(op("add_anon", "pmd", vma=step.vma, flags=self._flags(step)))

    def _dup_pmd(self, step: Step) -> None:
        parent = self._one(self.mappings.whole, step)
        if parent and step.vma not in self.mappings.users():
            self._do(op("try_dup_anon", "pmd", vma=step.vma, src=parent))

    def _share_pmd(self, step: Step) -> None:
        if len(self.mappings.users()) == len(self.mappings.whole) == 1 and self._ae[0]:
            self._do(op("try_share_anon", "pmd"))

    def _split(self, step: Step) -> None:
        if vma := self._one(self.mappings.whole, step):
            flags = RMAP_EXCLUSIVE if self._ae[0] and self._live_exclusive() else 0
            self._do(op("add_anon", "ptes", 0, 512, vma, flags=flags), op("remove", "pmd", vma=vma))

    def _remove_pmd(self, step: Step) -> None:
        if vma := self._one(self.mappings.whole, step):
            self._do(op("remove", "pmd", vma=vma))

    # What else happens to a folio

    def _pin(self, step: Step) -> None:
        if self.mappings.total():
            self._do(op("unpin" if self.replay.pins[0] else "pin", ""))

    def _move(self, step: Step) -> None:
        if len(self.mappings.users()) == 1:
            self._do(op("move_anon", "folio", vma=self._one(self.mappings.users(), step)))

    def _swapcache(self, step: Step) -> None:
        if self.spec.order and not self.replay.folios[0].swapcache:
            self._do(op("swapcache", ""))

    # hugetlb

    def _hugetlb(self, call: str, vma: str, **more: Any) -> Operation:
        return op(f"hugetlb_{call}", "folio", vma=vma, **more)

    def _hugetlb_add(self, step: Step) -> None:
        mapped = self.mappings.total()
        if not self.replay.folios[0].mapping:
            self._do(self._hugetlb("add_new_anon", step.vma))
        elif step.vma not in self.mappings.whole and not (mapped and (step.exclusive or self._ae[0])):
            self._do(self._hugetlb("add_anon", step.vma, flags=self._flags(step)))

    def _hugetlb_dup(self, step: Step) -> None:
        if self.mappings.whole and step.vma not in self.mappings.whole:
            self._do(self._hugetlb("try_dup_anon", step.vma, src=self._one(self.mappings.whole, step)))

    def _hugetlb_share(self, step: Step) -> None:
        if self._ae[0] and self.mappings.total() == 1:
            self._do(self._hugetlb("try_share_anon", "A"))

    def _hugetlb_add_file(self, step: Step) -> None:
        if step.vma not in self.mappings.whole:
            self._do(self._hugetlb("add_file", step.vma))

    def _hugetlb_remove(self, step: Step) -> None:
        if vma := self._one(self.mappings.whole, step):
            self._do(self._hugetlb("remove", vma))


def interleavings(specs: Sequence[FolioSpec]) -> st.SearchStrategy[tuple[FolioSpec, list[Step]]]:
    """One of the folios, and steps for it."""
    return st.sampled_from(specs).flatmap(lambda spec: st.tuples(st.just(spec), steps(spec)))
