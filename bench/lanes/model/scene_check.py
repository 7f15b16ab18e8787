"""Are scenarios right? Each beside the oracle: every PTE, counter, reference and statistic afterwards."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.lanes.model.arms import START
from bench.lanes.model.patterns import WRITABLE, Picture, Pte
from bench.lanes.model.random_picture import cut_out, random_alike, random_picture
from bench.lanes.model.scenarios import ON_REQUEST, SCENARIOS, Scenario, sensible
from bench.lanes.model.scene import Code, SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_world import SceneWorld
from kernels import vmstat
from kernels.callers import RULES_OF
from kernels.check import Mismatch
from kernels.checking.callers import DOES, Callers, Entry
from kernels.checking.contpte import contpte_fork, contpte_munmap
from kernels.checking.model import Folio, Vma
from kernels.checking.operations import FolioSpec, Operation, VmaSpec
from kernels.memmap import FolioState, get
from kernels.mm_types import (
    ANON_VMA_ROOT,
    MM_RSS_ANON,
    MM_RSS_FILE,
    MM_RSS_SWAP,
    RMAP_EXCLUSIVE,
    RMAP_NONE,
    VM_ANON_VMA,
    VM_FLAGS,
    VM_MM,
    VM_SOFTDIRTY,
)
from kernels.mmu_gather import FOLIOS_FREED
from kernels.reference import Oracle
from kernels.scene import MAPS_WHOLE
from kernels.variants import VariantFile

ORDERS = (0, 2, 4, 9)  # of the directed pictures
RANDOM_PICTURES = 12  # a scenario
ON_BLOCKS = {"contpte/fork": contpte_fork, "contpte/munmap": contpte_munmap}


@dataclass(frozen=True)
class SlotVma(Vma):
    """A vma whose index comes from where the picture maps a folio."""

    place: dict[int, int]

    def index(self, op: Operation) -> int:
        """Page offset of the operation's first page."""
        return (START >> 12) + self.place.get(op.folio, 0) + op.first


class Beside:
    """One scene and the oracle of it."""

    def __init__(self, batch: SceneBatch, generation: str) -> None:
        self.batch, self.scene = batch, batch.scene
        self.what, self.drawn = batch.spec.what, batch.scene.drawn
        self.memmap = self.scene.memmap
        self.place: dict[int, int] = {}
        spares = range(self.drawn.npages, self.memmap.npages)
        self.orders = [*(order for _, order in self.drawn.folios), *(0 for _ in spares)]
        heads = [*(first for first, _ in self.drawn.folios), *spares]
        layout = self.scene.code.layout
        folios = [Folio(FolioSpec(self.what.kind, order), layout) for order in self.orders]
        vmas = {name: self._vma(name) for name in "ABC"}
        rules = RULES_OF[generation]
        self.callers = Callers(
            Oracle(layout, generation, folios, vmas), heads, self.drawn.slots, self.drawn.begin,
            tracks_soft_dirty=bool(self.drawn.vm_flags & VM_SOFTDIRTY),
            maps_whole=bool(rules & MAPS_WHOLE),
            place=self.place, next_spare=len(self.drawn.folios),
        )  # fmt: skip
        self._begin(folios)

    def _vma(self, name: str) -> Vma:
        address = self.scene.vmas[name]
        mm_id = get(get(address + VM_MM) + 8)
        spec = VmaSpec(name, mm_id, flags=get(address + VM_FLAGS), pinned=self.what.pinned, start=START)
        anon_vma = get(address + VM_ANON_VMA)
        return SlotVma(spec, anon_vma, get(anon_vma + ANON_VMA_ROOT), self.place)

    def _begin(self, folios: list[Folio]) -> None:
        """The oracle's folios as the scene made them: what it did not do by calls is read from memory."""
        for number in range(len(self.drawn.folios)):
            seen = self._state(number)
            folio = folios[number]
            folio.mapping, folio.index, folio.swapbacked = seen.mapping, seen.index, seen.swapbacked
            folio.swapcache = self.what.start == "swapped"
            folio.pincount = int(self.what.pinned and folio.spec.order > 0)
            if self.what.start == "pmd":
                self.place[number] = self.callers.heads[number]
                call = Operation("add_new_anon", "folio", number, flags=RMAP_EXCLUSIVE)
                self.callers.oracle.apply(call)
            folio.refcount = seen.refcount
        self._map()
        for pte in self.drawn.ptes if self.what.start in ("mapped", "swapped", "migrating") else ():
            self.callers.ptes[pte.slot] = self._entry(pte)
        self.callers.oracle.stats.clear()
        self._compare_folios("before it began")

    def _map(self) -> None:
        flags = RMAP_EXCLUSIVE if self.what.exclusive else RMAP_NONE
        call = "add_file" if self.what.kind == "file" else "add_anon"
        for name in (*(("A",) if self.what.start == "mapped" else ()), *self.what.also):
            for run in self.drawn.runs:
                self.callers.call(call, run.page, run.nr, name, flags)

    def _entry(self, pte: Pte) -> Entry:
        kind = {"swapped": "swap", "migrating": "migration"}.get(self.what.start, "pte")
        bits = {"swap": 0, "migration": WRITABLE & ~pte.lacks}.get(kind)
        if bits is None:
            bits = self.scene.entry(pte) & ~0x000F_FFFF_FFFF_F000 & (1 << 64) - 1
        return Entry(pte.page, bits, kind)

    def _state(self, number: int) -> FolioState:
        return self.memmap.read(self.scene.page(self.callers.heads[number]), self.orders[number])

    # Comparing

    def run(self) -> None:
        """Both, and Mismatch where they differ."""
        machine, before = self.batch.world.machine, self._counters()
        self.batch.reset()
        self.batch.scenario(self.batch.block)
        name = f"{self.what.op}/{self.what.state}" if self.what.op == "contpte" else self.what.op
        (DOES | ON_BLOCKS)[name](self.callers, self.batch.spec.path == "ptes")
        self._compare_tables("A", self.batch.arena.tables, self.callers.ptes)
        self._compare_tables("the child", self.batch.arena.child_tables, self.callers.child)
        self._compare_folios("afterwards")
        self._compare_counters(before, self._counters())
        self._compare(
            "the length of the split queue", self.callers.oracle.stats["queue_len"], machine.queue_len()
        )

    def _compare(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            spec = self.batch.spec
            where = (
                f"{spec.scenario} of {spec.variant} on path {spec.path}, order {spec.order}, {spec.pattern}"
            )
            raise Mismatch(f"{where}: {what}: expected {expected}, found {found}")

    def _compare_tables(self, whose: str, at: int, expected: dict[int, Entry]) -> None:
        if self.what.start == "pmd" and whose != "A":
            return
        for slot in range(max(self.drawn.slots, self.drawn.npages)):
            due = self._word(expected[slot]) if slot in expected else 0
            self._compare(f"PTE {slot} of {whose}", hex(due), hex(get(at + 8 * slot) & (1 << 64) - 1))

    def _word(self, entry: Entry) -> int:
        """An entry as it lies in memory."""
        if entry.kind == "pte":
            return entry.page << 12 | entry.bits
        kind = 1 if entry.kind == "swap" else 30 if entry.bits & WRITABLE else 29
        exclusive = 8 if entry.kind == "swap" else 0
        return kind << 59 | (~entry.page & (1 << 50) - 1) << 9 | exclusive

    def _compare_folios(self, when: str) -> None:
        for number, folio in enumerate(self.callers.oracle.folios):
            due, found = folio.state(), self._state(number)
            for field, value in due._asdict().items():
                self._compare(f"{field} of folio {number} {when}", value, getattr(found, field))

    def _counters(self) -> Counter[str]:
        machine = self.batch.world.machine
        found = Counter(dict(zip(vmstat.ITEM_NAMES, machine.stats())))
        events = machine.events()
        found["deferred_split"] = events[vmstat.PCPU_THP_DEFERRED_SPLIT // 8]
        for order in range(10):
            found[f"mthp/{order}"] = events[vmstat.PCPU_MTHP_NR_ANON // 8 + order]
        a, b = (get(self.scene.vmas[name] + VM_MM) for name in "AB")
        found["anon"], found["file"] = get(a + MM_RSS_ANON), get(a + MM_RSS_FILE)
        found["child anon"], found["child file"] = get(b + MM_RSS_ANON), get(b + MM_RSS_FILE)
        found["swap"] = get(a + MM_RSS_SWAP)
        found["freed"] = get(self.batch.world.gather(0) + FOLIOS_FREED)
        return found

    def _compare_counters(self, before: Counter[str], after: Counter[str]) -> None:
        due = Counter(self.callers.oracle.stats)
        due.update(self.callers.rss)
        if self.what.op in ("zap",) or self.what.state == "munmap":
            due["freed"] = self.callers.freed
        for name in sorted({*after, *due} - {"queue_len", "munlocked", "mlocked"}):
            self._compare(name, due[name], after[name] - before[name])


def check(world: SceneWorld, file: VariantFile, code: Code, seed: int = 1) -> int:
    """Every scenario, path and pattern of a variant, and random pictures; how many. Mismatch if wrong."""
    done = 0
    for what in (what for what in SCENARIOS if not what.undoes_itself):
        for spec, drawn in _all(what, file, random.Random(f"{seed}/{what.name}")):
            check_one(world, spec, code, drawn)
            done += 1
    return done


def check_one(world: SceneWorld, spec: SceneSpec, code: Code, drawn: Picture) -> None:
    """One scene beside its oracle."""
    Beside(SceneBatch(world, spec, code, drawn.npages, drawn=drawn), code.generation).run()


def _all(what: Scenario, file: VariantFile, rng: random.Random) -> Iterator[tuple[SceneSpec, Picture]]:
    for order in what.orders(file):
        for path, form in what.forms.items():
            for pattern in what.patterns if order in ORDERS and form.exists(file, order) else ():
                if sensible(pattern, order, path):
                    npages = (2 if pattern == "mixed" or order < 5 else 1) << order
                    spec = SceneSpec("case", what.name, order, file.name, path, pattern)
                    yield spec, spec.picture(npages)
    for _ in range(RANDOM_PICTURES):
        order, drawn = _random(what, file, rng)
        for path, form in what.forms.items():
            if form.exists(file, order) and path not in ON_REQUEST:
                yield SceneSpec("case", what.name, order, file.name, path, "random"), drawn


def _random(what: Scenario, file: VariantFile, rng: random.Random) -> tuple[int, Picture]:
    """An order and a picture: any, or folios of that order alone where the caller makes or splits them."""
    if not what.alike:
        drawn = random_picture(rng, what.orders(file))
        return max(what.orders(file)), cut_out(rng, drawn) if what.cuts else drawn
    order = rng.choice(
        [k for k in what.orders(file) if any(k in form.orders for form in what.forms.values())]
    )
    return order, random_alike(rng, order, what.kind)
