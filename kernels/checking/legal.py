"""Random legal operations: what a correct kernel could do next to folios in the state they are in."""

from __future__ import annotations

import random
from collections.abc import Callable

from kernels.checking.operations import FolioSpec, Operation
from kernels.checking.replay import Replay
from kernels.mm_types import HPAGE_PMD_ORDER, RMAP_EXCLUSIVE

VMAS = ("A", "B", "C", "locked", "special", "droppable")
FILE_VMAS = (*VMAS, "A2")  # two vmas of one mm may map the same page of a file
Proposal = list[Operation]  # made together; empty: not legal now


class Legal:
    """Proposes operations for one replay."""

    def __init__(self, replay: Replay, rng: random.Random) -> None:
        self.replay, self.rng = replay, rng
        self._of_kind: dict[str, tuple[Callable[[int], Proposal], ...]] = {
            "anon": (
                self._add_new, self._add_anon, self._add_anon, self._try_dup, self._try_dup, self._try_share,
                self._remove, self._remove, self._split, self._move, self._pin,
            ),
            "file": (self._add_file, self._add_file, self._dup_file, self._remove, self._remove),
            "hugetlb_anon": (
                self._hugetlb_add_new, self._hugetlb_add_anon, self._hugetlb_try_dup,
                self._hugetlb_try_share, self._hugetlb_remove, self._pin,
            ),
            "hugetlb_file": (self._hugetlb_add_file, self._hugetlb_add_file, self._hugetlb_remove),
        }  # fmt: skip
        self._of_kind["shmem"] = self._of_kind["file"]

    def next(self) -> Proposal:
        """Some legal operation on some folio; empty if none was found in a few tries."""
        for _ in range(12):
            number = self.rng.randrange(len(self.replay.specs))
            propose = self.rng.choice(self._of_kind[self._spec(number).kind])
            if proposal := propose(number):
                return proposal
        return []

    def unmap_all(self) -> Proposal:
        """Everything that is still mapped is removed, in random order."""
        left: Proposal = []
        for number, spec in enumerate(self.replay.specs):
            mappings = self.replay.mappings[number]
            call, path = ("hugetlb_remove", "folio") if spec.hugetlb else ("remove", "pmd")
            left += [Operation(call, path, number, vma=vma) for vma in sorted(mappings.whole)]
            for vma, pages in sorted(mappings.ptes.items()):
                left += [Operation("remove", "ptes", number, a, n, vma) for a, n in runs(pages)]
        self.rng.shuffle(left)
        return left

    # What the folios are like

    def _spec(self, number: int) -> FolioSpec:
        return self.replay.specs[number]

    def _exclusive(self, number: int) -> list[bool]:
        return self.replay.folios[number].anon_exclusive

    def _live_exclusive(self, number: int) -> bool:
        """Has a mapped page, or the whole folio, its exclusive bit set?"""
        mappings, bits = self.replay.mappings[number], self._exclusive(number)
        counts = mappings.counts()
        return any(bit and (counts[p] or (p == 0 and mappings.whole)) for p, bit in enumerate(bits))

    def _by_pmd(self, number: int) -> bool:
        return self._spec(number).order == HPAGE_PMD_ORDER and self.rng.random() < 0.4

    def _some(self, pages: set[int]) -> tuple[int, int]:
        """First page and length of a random range within consecutive pages; mostly the longest."""
        first, nr = self.rng.choice(runs(pages))
        if self.rng.random() < 0.4:
            return first, nr
        skip = self.rng.randrange(nr)
        return first + skip, self.rng.randint(1, nr - skip)

    def _path(self, nr: int) -> str:
        return "pte" if nr == 1 and self.rng.random() < 0.6 else "ptes"

    def _unmapped_by(self, number: int, vma: str) -> set[int]:
        """Pages that the vma could map by PTEs."""
        mappings = self.replay.mappings[number]
        if vma in mappings.whole:
            return set()
        return set(range(self._spec(number).nr_pages)) - mappings.of(vma)

    # Anonymous folios

    def _add_new(self, number: int) -> Proposal:
        spec, folio = self._spec(number), self.replay.folios[number]
        variant = self.replay.variant
        legal = spec.order in variant.file.anon_orders and not self.replay.mappings[number].total()
        if not legal or any(folio.anon_exclusive) or folio.pincount:
            return []
        return [self._new(number, self.rng.choice(VMAS))]

    def _new(self, number: int, vma: str) -> Operation:
        always = not self.replay.oracle.rules.new_flags
        flags = RMAP_EXCLUSIVE if always or self.rng.random() < 0.8 else 0
        return Operation(
            "add_new_anon", "folio", number, nr=self._spec(number).nr_pages, vma=vma, flags=flags
        )

    def _add_anon(self, number: int) -> Proposal:
        mappings, vma = self.replay.mappings[number], self.rng.choice(VMAS)
        if self.replay.folios[number].mapping == 0:
            return []  # belongs to no anon_vma yet
        if self._by_pmd(number):
            return self._add_anon_pmd(number, vma)
        free = self._unmapped_by(number, vma)
        if not free:
            return []
        first, nr = self._some(free)
        mapped = [page for page in range(first, first + nr) if mappings.mapped(page)]
        if any(self._exclusive(number)[page] for page in mapped) or (
            mappings.whole and self._live_exclusive(number)
        ):
            return []
        flags = RMAP_EXCLUSIVE if not mapped and self.rng.random() < 0.6 else 0
        return [Operation("add_anon", self._path(nr), number, first, nr, vma, flags=flags)]

    def _add_anon_pmd(self, number: int, vma: str) -> Proposal:
        mappings = self.replay.mappings[number]
        if vma in mappings.users() or self._live_exclusive(number):
            return []
        if any(self._exclusive(number)[0 if mappings.total() else 1 :]):
            return []  # a stale bit would come to mean something
        flags = RMAP_EXCLUSIVE if not mappings.total() and self.rng.random() < 0.6 else 0
        return [Operation("add_anon", "pmd", number, vma=vma, flags=flags)]

    def _pair(self, number: int) -> tuple[str, str]:
        """A vma that maps something, and one of another mm."""
        users = sorted(self.replay.mappings[number].users())
        src = self.rng.choice(users) if users else ""
        return src, self.rng.choice([vma for vma in VMAS if vma != src])

    def _try_dup(self, number: int) -> Proposal:
        mappings, (src, dst) = self.replay.mappings[number], self._pair(number)
        if src in mappings.whole:
            legal = dst not in mappings.users()
            return [Operation("try_dup_anon", "pmd", number, vma=dst, src=src)] if legal else []
        common = mappings.ptes.get(src, set()) & self._unmapped_by(number, dst)
        if not common:
            return []
        first, nr = self._some(common)
        return [Operation("try_dup_anon", self._path(nr), number, first, nr, dst, src)]

    def _try_share(self, number: int) -> Proposal:
        mappings, exclusive = self.replay.mappings[number], self._exclusive(number)
        if mappings.whole:
            legal = exclusive[0] and len(mappings.users()) == 1
            return [Operation("try_share_anon", "pmd", number)] if legal else []
        counts = mappings.counts()
        candidates = [page for page, bit in enumerate(exclusive) if bit and counts[page] == 1]
        if not candidates:
            return []
        return [Operation("try_share_anon", "pte", number, self.rng.choice(candidates))]

    def _remove(self, number: int) -> Proposal:
        mappings = self.replay.mappings[number]
        users = sorted(mappings.users())
        if not users:
            return []
        vma = self.rng.choice(users)
        if vma in mappings.whole:
            return [Operation("remove", "pmd", number, vma=vma)]
        first, nr = self._some(mappings.of(vma))
        return [Operation("remove", self._path(nr), number, first, nr, vma)]

    def _split(self, number: int) -> Proposal:
        """A PMD mapping is replaced by PTEs, which copy its exclusive bit (spec 9.6)."""
        whole = sorted(self.replay.mappings[number].whole)
        if not whole:
            return []
        vma, npages = self.rng.choice(whole), self._spec(number).nr_pages
        flags = RMAP_EXCLUSIVE if self._exclusive(number)[0] and self._live_exclusive(number) else 0
        return [
            Operation("add_anon", "ptes", number, 0, npages, vma, flags=flags),
            Operation("remove", "pmd", number, vma=vma),
        ]

    def _move(self, number: int) -> Proposal:
        users = self.replay.mappings[number].users()
        return [Operation("move_anon", "folio", number, vma=vma) for vma in users] if len(users) == 1 else []

    def _pin(self, number: int) -> Proposal:
        call = self.rng.choice(["unpin"] if self.replay.pins[number] else ["pin"])
        return [Operation(call, "", number)] if self.replay.mappings[number].total() else []

    # File folios

    def _add_file(self, number: int) -> Proposal:
        vma = self.rng.choice(FILE_VMAS)
        if self._by_pmd(number):
            free = vma not in self.replay.mappings[number].users()
            return [Operation("add_file", "pmd", number, vma=vma)] if free else []
        pages = self._unmapped_by(number, vma)
        if not pages:
            return []
        first, nr = self._some(pages)
        return [Operation("add_file", self._path(nr), number, first, nr, vma)]

    def _dup_file(self, number: int) -> Proposal:
        src, dst = self._pair(number)
        common = self.replay.mappings[number].ptes.get(src, set()) & self._unmapped_by(number, dst)
        if not common:
            return []
        first, nr = self._some(common)
        return [Operation("dup_file", self._path(nr), number, first, nr, dst, src)]

    # hugetlb folios

    def _hugetlb_add_new(self, number: int) -> Proposal:
        if self.replay.mappings[number].total() or self.replay.folios[number].pincount:
            return []
        return [Operation("hugetlb_add_new_anon", "folio", number, vma=self.rng.choice(VMAS))]

    def _hugetlb_free_vma(self, number: int) -> str:
        used = self.replay.mappings[number].users()
        return self.rng.choice([vma for vma in VMAS if vma not in used] or [""])

    def _hugetlb_add_anon(self, number: int) -> Proposal:
        vma, mapped = self._hugetlb_free_vma(number), self.replay.mappings[number].total()
        if not vma or (mapped and self._exclusive(number)[0]):
            return []
        flags = RMAP_EXCLUSIVE if not mapped and self.rng.random() < 0.6 else 0
        return [Operation("hugetlb_add_anon", "folio", number, vma=vma, flags=flags)]

    def _hugetlb_try_dup(self, number: int) -> Proposal:
        (src, _), dst = self._pair(number), self._hugetlb_free_vma(number)
        return [Operation("hugetlb_try_dup_anon", "folio", number, vma=dst, src=src)] if src and dst else []

    def _hugetlb_try_share(self, number: int) -> Proposal:
        legal = self._exclusive(number)[0] and self.replay.mappings[number].total() == 1
        return [Operation("hugetlb_try_share_anon", "folio", number)] if legal else []

    def _hugetlb_add_file(self, number: int) -> Proposal:
        vma = self._hugetlb_free_vma(number)
        return [Operation("hugetlb_add_file", "folio", number, vma=vma)] if vma else []

    def _hugetlb_remove(self, number: int) -> Proposal:
        users = sorted(self.replay.mappings[number].users())
        return [Operation("hugetlb_remove", "folio", number, vma=self.rng.choice(users))] if users else []


def runs(pages: set[int]) -> list[tuple[int, int]]:
    """First page and length of each run of consecutive pages."""
    found: list[tuple[int, int]] = []
    for page in sorted(pages):
        if found and sum(found[-1]) == page:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((page, 1))
    return found


def random_folios(
    rng: random.Random, anon_orders: tuple[int, ...], file_orders: tuple[int, ...]
) -> list[FolioSpec]:
    """One or two folios of kinds and orders that exist; few of PMD order, which take longest."""
    specs = []
    for _ in range(rng.choice((1, 1, 2))):
        kind = rng.choice(("anon", "anon", "anon", "file", "file", "shmem", "hugetlb_anon", "hugetlb_file"))
        if kind.startswith("hugetlb"):
            specs.append(FolioSpec(kind, 4))
        else:
            orders = anon_orders if kind == "anon" else file_orders
            quick = [order for order in orders if order < HPAGE_PMD_ORDER]
            order = rng.choice(quick if quick and rng.random() < 0.9 else orders)
            specs.append(FolioSpec(kind, order, fresh=kind == "anon" and rng.random() < 0.3))
    return specs
