"""A scene: memory in the state a scenario begins in, for one variant, made by the variant's own calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.lanes.model.arms import START
from bench.lanes.model.patterns import Picture, Run, picture
from bench.lanes.model.scenarios import BY_NAME, Scenario
from bench.lanes.model.scene_world import BASE_PAGE, Arena, SceneWorld
from kernels import abi, scene
from kernels.callers import RULES_OF
from kernels.memmap import Memmap, get, get32, put, put32
from kernels.mm_types import (
    FLAGS,
    INDEX,
    MAPPING,
    PAGE_BYTES,
    PAGE_MAPPING_ANON,
    REFCOUNT,
    RMAP_EXCLUSIVE,
    RMAP_NONE,
    VM_ANON_VMA,
    VM_MM,
    Layout,
)
from kernels.vmstat import MEMCG_SPLIT_QUEUE
from kernels.pgtable import PAGE_DIRTY, PAGE_READONLY, PAGE_SOFT_DIRTY, PAGE_WRITABLE, PFN_STEP

PAGE_CACHE_MAPPING = 0x1000  # of file folios: some address, bit 0 clear
GUP_PIN = 1024  # what a pin adds to a small folio's references


@dataclass(frozen=True)
class SceneSpec:
    """What one arm runs, in the plan's words."""

    role: str
    scenario: str
    order: int
    variant: str
    path: str
    pattern: str = "full"
    memory: str = ""
    threads: int = 1

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> SceneSpec:
        """From a plan's spec."""
        return cls(**{name: spec[name] for name in cls.__dataclass_fields__ if name in spec})

    @property
    def what(self) -> Scenario:
        """The scenario."""
        return BY_NAME[self.scenario]

    def picture(self, npages: int) -> Picture:
        """What is mapped before."""
        return picture(self.pattern, self.order, npages, self.what.kind)


@dataclass(frozen=True)
class Code:
    """What the arms of one variant run: entries by word of a scene, its layout and its generation."""

    entries: Mapping[str, Any]
    layout: Layout
    generation: str

    def addresses(self, pad: int) -> dict[int, int]:
        """The words of a scene that name calls."""
        found = {
            getattr(scene, word): abi.address_of(function, pad) for word, function in self.entries.items()
        }
        return found

    def call(self, word: str) -> Callable[..., int] | None:
        """A call from Python; None if the variant lacks it."""
        function = self.entries.get(word)
        return abi.callable_of(function) if function is not None else None


class Scene:
    """Window 0 of an arena in the state a scenario begins in, and the scene's block of words."""

    def __init__(
        self, world: SceneWorld, code: Code, what: Scenario, drawn: Picture, arena: Arena, cpu: int = 0
    ) -> None:
        self.world, self.code, self.what, self.drawn, self.arena = world, code, what, drawn, arena
        self.memmap = Memmap(code.layout, arena.pages_bytes // PAGE_BYTES, arena.memory)
        self.cpu = cpu
        self.vmas = {name: world.vma(name, drawn.vm_flags, what.pinned, cpu) for name in "ABC"}
        self._format()
        if what.start != "new":
            self._map()
        self._write_tables()

    # Descriptors

    def page(self, index: int) -> int:
        """Address of a page's descriptor."""
        return self.arena.pages + index * PAGE_BYTES

    def _format(self) -> None:
        spare = [(page, 0) for page in range(self.drawn.npages, self.memmap.npages)]
        orders = {order for _, order in (*self.drawn.folios, *spare)}
        memcg = self.world.machine.memcg
        if len(orders) == 1:
            self.memmap.format(orders.pop(), memcg)
        else:
            for first, order in (*self.drawn.folios, *spare):
                self.memmap.make_folio(self.page(first), order, memcg)
        for first, order in self.drawn.folios:
            self._own(self.page(first), order)

    def _own(self, head: int, order: int) -> None:
        """Anonymous folios belong to A, file folios to a page cache that holds their references."""
        if self.what.kind == "file":
            put(head + MAPPING, PAGE_CACHE_MAPPING)
            put(head + INDEX, 7)
            put32(head + REFCOUNT, 1 << order)
        elif self.what.start != "new":
            put(head + MAPPING, get(self.vmas["A"] + VM_ANON_VMA) + PAGE_MAPPING_ANON)
            put(head + FLAGS, get(head + FLAGS) | 1 << self.code.layout.swapbacked)
            put32(head + REFCOUNT, 0)
        if self.what.pinned:
            self._pin(head, order)

    def _pin(self, head: int, order: int) -> None:
        put32(head + REFCOUNT, get32(head + REFCOUNT) + (1 if order else GUP_PIN))
        if order:
            put32(head + self.code.layout.pincount, 1)

    def _map(self) -> None:
        """A maps everything, then the others do."""
        flags = RMAP_EXCLUSIVE if self.what.exclusive else RMAP_NONE
        for name in ("A", *self.what.also):
            for run in self.drawn.runs():
                self._map_run(run, name, flags)

    def _map_run(self, run: Run, name: str, flags: int) -> None:
        head, page = self.page(run.folio), self.page(run.page)
        put32(head + REFCOUNT, get32(head + REFCOUNT) + run.nr)
        word = "ADD_FILE" if self.what.kind == "file" else "ADD_ANON"
        batched = self.code.call(word)
        if batched:
            self._add(batched, head, page, run.nr, name, run.slot, flags)
            return
        single = self.code.call(f"{word}_ONE")
        assert single is not None
        for i in range(run.nr):
            self._add(single, head, page + i * PAGE_BYTES, 1, name, run.slot + i, flags)

    def _add(
        self, call: Callable[..., int], head: int, page: int, nr: int, name: str, slot: int, flags: int
    ) -> None:
        more = () if self.what.kind == "file" else (START + slot * BASE_PAGE, flags)
        call(head, page, nr, self.vmas[name], *more)

    # Page tables

    def base_bits(self) -> int:
        """What A's PTEs have, but for the pattern."""
        bits = PAGE_WRITABLE if self.what.exclusive else PAGE_READONLY
        return bits | (PAGE_DIRTY | PAGE_SOFT_DIRTY if self.drawn.ptes and self._file_dirty else 0)

    @property
    def _file_dirty(self) -> bool:
        return self.what.kind == "file" and any(pte.lacks for pte in self.drawn.ptes)

    def _write_tables(self) -> None:
        for at in (self.arena.tables, self.arena.child_tables):
            for slot in range(self.arena.tables_bytes // 8):
                put(at + 8 * slot, 0)
        for at in (self.arena.locks, self.arena.child_locks):
            for lock in range(self.arena.locks_bytes // 8):
                put(at + 8 * lock, 0)
        for pte in self.drawn.ptes if self.what.start == "mapped" else ():
            bits = self.base_bits() & ~pte.lacks
            put(self.arena.tables + 8 * pte.slot, pte.page * PFN_STEP | bits)

    def image(self) -> np.ndarray:
        """Descriptors and A's tables as they are now."""
        pages = np.frombuffer(self.arena.memory.bytes[: self.arena.pages_bytes].tobytes(), dtype=np.int64)
        begin = self.arena.tables - self.arena.pages
        tables = self.arena.memory.bytes[begin : begin + self.arena.tables_bytes]
        return np.concatenate([pages, np.frombuffer(tables.tobytes(), dtype=np.int64)])

    def words(self, **more: int) -> dict[int, int]:
        """The words of a scene: calls, mms, windows; `more` by name."""
        arena, vmas = self.arena, self.vmas
        words = {
            "MEMMAP": arena.pages, "NR_PTES": self.drawn.slots, "ADDRESS": START,
            "MM": get(vmas["A"] + VM_MM), "CHILD_MM": get(vmas["B"] + VM_MM),
            "VMA": vmas["A"], "CHILD_VMA": vmas["B"], "GATHER": self.world.gather(self.cpu),
            "MEMCG": self.world.machine.memcg + MEMCG_SPLIT_QUEUE,
            "RULES": RULES_OF[self.code.generation], "ANON_EXCLUSIVE": self.code.layout.anon_exclusive,
            "FIRST_PAGES": arena.pages, "FIRST_TABLES": arena.tables, "FIRST_LOCKS": arena.locks,
            "FIRST_CHILD_TABLES": arena.child_tables, "FIRST_CHILD_LOCKS": arena.child_locks,
            "PAGES_BYTES": arena.pages_bytes, "TABLES_BYTES": arena.tables_bytes,
            "SPARE_BYTES": self.drawn.npages * PAGE_BYTES, "SCRATCH": self.world.counter, **more,
        }  # fmt: skip
        return {getattr(scene, name): value for name, value in words.items()}
