"""The oracle of callers: what each scenario must leave, PTE by PTE, in slow plain Python (spec 9 and 10).

It makes the calls on the rmap oracle, keeps page tables as dictionaries, and finds batches by comparing
each PTE with its neighbour; it knows nothing of the kernels' loops.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from kernels.checking.operations import Operation
from kernels.mm_types import RMAP_EXCLUSIVE, RMAP_NONE
from kernels.reference import Oracle

PRESENT, RW, ACCESSED, DIRTY, UFFD_WP, SOFT_DIRTY = 0x1, 0x2, 0x20, 0x40, 0x400, 0x800
NX = 1 << 63
WRITABLE = NX | PRESENT | 0x4 | ACCESSED | DIRTY | SOFT_DIRTY | RW
READONLY = NX | PRESENT | 0x4 | ACCESSED
TABLE, AROUND = 512, 16
ZAP_IGNORES = ACCESSED | RW | DIRTY | SOFT_DIRTY
MIGRATION_IGNORES = ACCESSED | DIRTY | SOFT_DIRTY


@dataclass(frozen=True)
class Entry:
    """What a slot holds: a page (number in the window), bits, and "pte", "swap" or "migration"."""

    page: int
    bits: int
    kind: str = "pte"


@dataclass
class Callers:
    """The state of both mms' tables beside the rmap oracle's folios."""

    oracle: Oracle
    heads: list[int]  # first page of each folio, spares last
    slots: int  # where the range ends
    begin: int = 0
    tracks_soft_dirty: bool = False
    maps_whole: bool = False  # fault-around, 6.18
    ptes: dict[int, Entry] = field(default_factory=dict)
    child: dict[int, Entry] = field(default_factory=dict)
    place: dict[int, int] = field(default_factory=dict)  # folio -> slot of its head, for the index
    rss: Counter[str] = field(default_factory=Counter)
    next_spare: int = 0
    freed: int = 0

    def folio_at(self, page: int) -> tuple[int, int]:
        """Number of a page's folio, and the page's index in it."""
        number = bisect_right(self.heads, page) - 1
        return number, page - self.heads[number]

    def order(self, number: int) -> int:
        """Order of a folio."""
        return self.oracle.folios[number].spec.order

    def refer(self, number: int, nr: int) -> None:
        """References more, or less."""
        folio = self.oracle.folios[number]
        folio.refcount += nr
        self.freed += folio.refcount == 0

    def call(self, call: str, page: int, nr: int, vma: str, flags: int = RMAP_NONE, src: str = "A") -> int:
        """Make a call of the rmap oracle on nr pages."""
        number, first = self.folio_at(page)
        path = "ptes" if nr > 1 else "pte"
        return self.oracle.apply(Operation(call, path, number, first, nr, vma, src, flags))

    def batch(self, slot: int, ignored: int) -> int:
        """PTEs from here on that map pages of one folio in a row alike, within the table."""
        first = self.ptes[slot]
        number, _ = self.folio_at(first.page)
        if self.order(number) == 0:
            return 1
        nr = 1
        while (slot + nr) % TABLE and slot + nr < self.slots:
            found = self.ptes.get(slot + nr)
            due = Entry(first.page + nr, first.bits & ~ignored, first.kind)
            if found is None or Entry(found.page, found.bits & ~ignored, found.kind) != due:
                break
            if self.folio_at(found.page)[0] != number:
                break
            nr += 1
        return nr

    # fork

    @property
    def fork_ignores(self) -> int:
        """Bits in which PTEs of a batch may differ."""
        return ACCESSED | RW | (0 if self.tracks_soft_dirty else SOFT_DIRTY)

    def fork(self, batched: bool) -> None:
        """Every PTE of A in the child."""
        slot = 0
        while slot < self.slots:
            if slot not in self.ptes:
                slot += 1
                continue
            nr = self.batch(slot, self.fork_ignores) if batched else 1
            if not self.dup(slot, nr):
                nr = 1
                if not self.dup(slot, 1):
                    self._copy(slot)
            slot += nr

    def dup(self, slot: int, nr: int) -> bool:
        """A batch in the child, write-protected in both; False if it is refused."""
        page = self.ptes[slot].page
        number, _ = self.folio_at(page)
        anon = self.oracle.folios[number].anon
        call = "try_dup_anon" if anon else "dup_file"
        if self.call(call, page, nr, "B"):
            return False
        self.refer(number, nr)
        bits = self.ptes[slot].bits
        for i in range(nr):
            old = self.ptes[slot + i]
            self.ptes[slot + i] = Entry(old.page, old.bits & ~RW, old.kind)
            self.child[slot + i] = Entry(page + i, bits & ~(RW | ACCESSED | UFFD_WP))
        self.rss["child anon" if anon else "child file"] += nr
        return True

    def _copy(self, slot: int) -> None:
        spare = self.next_spare
        self.next_spare += 1
        self.place[spare] = slot
        self.oracle.apply(Operation("add_new_anon", "folio", spare, vma="B", flags=RMAP_EXCLUSIVE))
        self.child[slot] = Entry(self.heads[spare], WRITABLE)
        self.rss["child anon"] += 1

    # zap

    def zap(self, batched: bool) -> None:
        """Nothing is mapped in A afterwards."""
        drops: list[tuple[int, int]] = []
        delayed: list[tuple[int, int]] = []
        for slot in range(self.begin, self.slots):
            if slot in self.ptes:
                self._zap_batch(slot, self.batch(slot, ZAP_IGNORES) if batched else 1, drops, delayed)
            if slot % TABLE == TABLE - 1 or slot == self.slots - 1:
                for page, nr in delayed:
                    self.call("remove", page, nr, "A")
                delayed.clear()
        for number, nr in drops:
            self.refer(number, -nr)

    def _zap_batch(
        self, slot: int, nr: int, drops: list[tuple[int, int]], delayed: list[tuple[int, int]]
    ) -> None:
        gone = [self.ptes.pop(slot + i) for i in range(nr)]
        number, _ = self.folio_at(gone[0].page)
        file = not self.oracle.folios[number].anon
        if file and any(entry.bits & DIRTY for entry in gone):
            delayed.append((gone[0].page, nr))
        else:
            self.call("remove", gone[0].page, nr, "A")
        drops.append((number, nr))
        self.rss["file" if file else "anon"] -= nr

    # Faults

    def fault(self, batched: bool) -> None:
        """New folios, whole."""
        for number, head in enumerate(self.heads):
            order = self.order(number)
            self.refer(number, 0 if order == 9 else (1 << order) - 1)
            self.place[number] = head
            self.oracle.apply(Operation("add_new_anon", "folio", number, flags=RMAP_EXCLUSIVE))
            for i in range(1 if order == 9 else 1 << order):
                self.ptes[head + i] = Entry(head + i, WRITABLE | (0x80 if order == 9 else 0))
            self.rss["anon"] += 1 << order

    def fault_around(self, batched: bool) -> None:
        """File pages, 16 PTEs a fault, or a folio whole."""
        slot = 0
        while slot < self.slots:
            stop = min(slot // AROUND * AROUND + AROUND, self.slots)
            while slot < stop:
                slot += self._fault_run(slot, stop, batched)

    def _fault_run(self, slot: int, stop: int, batched: bool) -> int:
        number, first = self.folio_at(slot)
        left = (1 << self.order(number)) - first
        nr = left if batched and self.maps_whole else min(left, stop - slot)
        for page in range(slot, slot + nr) if not batched else (slot,):
            self.call("add_file", page, nr if batched else 1, "A")
        self.refer(number, nr)
        self.ptes |= {page: Entry(page, READONLY) for page in range(slot, slot + nr)}
        self.rss["file"] += nr
        return nr

    def swap_in(self, batched: bool) -> None:
        """Swap entries become writable PTEs of exclusive pages."""
        self._restore(batched)

    def restore_migrate(self, batched: bool) -> None:
        """Migration entries become the PTEs they stand for."""
        self._restore(batched)

    def _restore(self, batched: bool) -> None:
        slot = 0
        while slot < self.slots:
            if slot not in self.ptes:
                slot += 1
                continue
            nr = self.batch(slot, 0) if batched else 1
            entry = self.ptes[slot]
            self.refer(self.folio_at(entry.page)[0], nr)
            self.call("add_anon", entry.page, nr, "A", RMAP_EXCLUSIVE)
            bits = READONLY if entry.kind == "migration" and not entry.bits & RW else WRITABLE
            self.ptes |= {slot + i: Entry(entry.page + i, bits) for i in range(nr)}
            if entry.kind == "swap":
                self.rss["anon"] += nr
                self.rss["swap"] -= nr
            slot += nr

    def unmap_migrate(self, batched: bool) -> None:
        """PTEs become migration entries."""
        slot = 0
        while slot < self.slots:
            if slot not in self.ptes:
                slot += 1
                continue
            nr = self.batch(slot, MIGRATION_IGNORES) if batched else 1
            for i in range(nr):
                entry = self.ptes[slot + i]
                assert self.call("try_share_anon", entry.page, 1, "A") == 0
                self.ptes[slot + i] = Entry(entry.page, entry.bits & RW, "migration")
            page = self.ptes[slot].page
            self.call("remove", page, nr, "A")
            self.refer(self.folio_at(page)[0], -nr)
            slot += nr

    def share(self, batched: bool) -> None:
        """Exclusive pages become shared and read-only."""
        for slot, entry in self.ptes.items():
            self.call("try_share_anon", entry.page, 1, "A")
            self.ptes[slot] = Entry(entry.page, entry.bits & ~(RW | DIRTY))

    def split_pmd(self, batched: bool) -> None:
        """A PMD mapping becomes 512 PTEs."""
        for number, head in enumerate(self.heads):
            self.refer(number, 511)
            for page in (head,) if batched else range(head, head + 512):
                self.call("add_anon", page, 512 if batched else 1, "A", RMAP_EXCLUSIVE)
            self.ptes |= {page: Entry(page, WRITABLE) for page in range(head, head + 512)}
            self.oracle.apply(Operation("remove", "pmd", number))


# What each operation of the scenarios does.
DOES: dict[str, Callable[[Callers, bool], None]] = {
    "fork": Callers.fork,
    "zap": Callers.zap,
    "fault": Callers.fault,
    "fault_around": Callers.fault_around,
    "split_pmd": Callers.split_pmd,
    "swap_in": Callers.swap_in,
    "unmap_migrate": Callers.unmap_migrate,
    "restore_migrate": Callers.restore_migrate,
    "share": Callers.share,
}
