"""A scene: memory in the state a scenario begins in, for one variant, made by the variant's own calls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from typing import Any

import numpy as np

from bench.lanes.model.arms import START
from bench.lanes.model.patterns import CONT_PTES, Picture, Pte, Run, picture
from bench.lanes.model.scenarios import BY_NAME, Scenario
from bench.lanes.model.scene_world import Arena, SceneWorld
from bench.lanes.model.sizes import BASE_PAGE
from kernels import abi, scene
from kernels.callers import RULES_OF
from kernels.memmap import Memmap, get, get32, put, put32, words_at
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
from kernels.pgtable import (
    PAGE_CONT,
    PAGE_HUGE,
    PAGE_READONLY,
    PAGE_RW,
    PAGE_WRITABLE,
    PFN_STEP,
    SWP_EXCLUSIVE,
    SWP_MIGRATION_READ_EXCLUSIVE,
    SWP_MIGRATION_WRITE,
    SWP_OFFSET_MASK,
    SWP_SWAP,
)
from kernels.vmstat import MEMCG_SPLIT_QUEUE

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
        return picture(self.pattern, self.order, npages, self.what.kind, self.what.cuts)


@dataclass(frozen=True)
class Code:
    """What the arms of one variant run: entries by word of a scene, its layout and its generation."""

    entries: Mapping[str, Any]
    layout: Layout
    generation: str

    def addresses(self, words: Iterable[str], pad: int) -> dict[int, int]:
        """The words of a scene that name calls; 0 stays where the variant has none."""
        known = {word: self.entries[word] for word in words if word in self.entries}
        return {getattr(scene, word): abi.address_of(entry, pad) for word, entry in known.items()}

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
        self._call = cache(code.call)
        fresh = cpu == 0 or not what.shares_pages
        self.vmas = {name: world.vma(name, drawn.vm_flags, what.pinned, cpu) for name in "ABC"}
        if fresh:
            self._format()
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
            for order, alike in groupby((*self.drawn.folios, *spare), key=lambda folio: folio[1]):
                (first, _), *more = alike
                self.memmap.make_folio(self.page(first), order, memcg, count=1 + len(more))
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
            put32(head + REFCOUNT, self._references_beside(order))
        if self.what.start == "swapped":
            put(head + FLAGS, get(head + FLAGS) | 1 << self.code.layout.swapcache)
        if self.what.pinned:
            self._pin(head, order)

    def _references_beside(self, order: int) -> int:
        """Those of an anonymous folio that no mapping holds: the swap cache's, or whoever migrates it."""
        if self.what.op in ("unmap_migrate", "restore_migrate"):
            return 1
        return 1 << order if self.what.start == "swapped" else 0

    def _pin(self, head: int, order: int) -> None:
        put32(head + REFCOUNT, get32(head + REFCOUNT) + (1 if order else GUP_PIN))
        if order:
            put32(head + self.code.layout.pincount, 1)

    def _map(self) -> None:
        """A maps everything where that is where the scenario begins, then the others do."""
        flags = RMAP_EXCLUSIVE if self.what.exclusive else RMAP_NONE
        if self.what.start == "pmd":
            self._map_by_pmds()
        for name in (*(("A",) if self.what.start == "mapped" else ()), *self.what.also):
            for run in self.drawn.runs:
                self._map_run(run, name, flags)

    def _map_by_pmds(self) -> None:
        call = self._call("ADD_NEW")
        assert call is not None
        for first, _ in self.drawn.folios:
            head = self.page(first)
            put32(head + REFCOUNT, 1)
            call(head, self.vmas["A"], START + first * BASE_PAGE, RMAP_EXCLUSIVE)

    def _map_run(self, run: Run, name: str, flags: int) -> None:
        head, page = self.page(run.folio), self.page(run.page)
        put32(head + REFCOUNT, get32(head + REFCOUNT) + run.nr)
        word = "ADD_FILE" if self.what.kind == "file" else "ADD_ANON"
        batched = self._call(word)
        if batched:
            self._add(batched, head, page, run.nr, name, run.slot, flags)
            return
        single = self._call(f"{word}_ONE")
        assert single is not None
        for i in range(run.nr):
            self._add(single, head, page + i * PAGE_BYTES, 1, name, run.slot + i, flags)

    def _add(
        self, call: Callable[..., int], head: int, page: int, nr: int, name: str, slot: int, flags: int
    ) -> None:
        more = () if self.what.kind == "file" else (START + slot * BASE_PAGE, flags)
        call(head, page, nr, self.vmas[name], *more)

    # Page tables

    def entry(self, pte: Pte) -> int:
        """What a slot of A's tables holds before."""
        what = self.what
        if what.start == "swapped":
            return _not_present(pte.page, SWP_SWAP) | SWP_EXCLUSIVE
        if what.start == "migrating":
            read_only = pte.lacks & PAGE_RW
            return _not_present(pte.page, SWP_MIGRATION_READ_EXCLUSIVE if read_only else SWP_MIGRATION_WRITE)
        bits = PAGE_WRITABLE if what.exclusive else PAGE_READONLY
        if what.kind == "file" and self.drawn.lacked:
            bits |= self.drawn.lacked
        if what.cuts and pte.slot // CONT_PTES in self._contiguous:
            bits |= PAGE_CONT
        return pte.page * PFN_STEP | (bits & ~pte.lacks)

    @cached_property
    def _contiguous(self) -> set[int]:
        """Numbers of arm64's blocks of 16 PTEs that map as many pages of one folio in a row, and alike."""
        blocks: dict[int, list[Pte]] = {}
        for pte in self.drawn.ptes:
            blocks.setdefault(pte.slot // CONT_PTES, []).append(pte)
        large = {
            page
            for first, order in self.drawn.folios
            for page in range(first, first + (1 << order), CONT_PTES)
            if 1 << order >= CONT_PTES
        }
        return {number for number, ptes in blocks.items() if ptes[0].page in large and _alike(ptes)}

    def _write_tables(self) -> None:
        arena = self.arena
        ctypes.memset(arena.tables, 0, arena.tables_bytes)
        ctypes.memset(arena.child_tables, 0, arena.tables_bytes)
        ctypes.memset(arena.locks, 0, arena.locks_bytes)
        ctypes.memset(arena.child_locks, 0, arena.locks_bytes)
        if self.what.start in ("mapped", "swapped", "migrating"):
            tables = words_at(arena.tables, arena.tables_bytes // 8)
            for pte in self.drawn.ptes:
                tables[pte.slot] = signed(self.entry(pte))
        elif self.what.start == "pmd":
            for number, (first, _) in enumerate(self.drawn.folios):
                put(arena.child_tables + 8 * number, first * PFN_STEP | PAGE_WRITABLE | PAGE_HUGE)

    def image(self) -> np.ndarray:
        """Descriptors and A's tables as they are now."""
        arena = self.arena
        return _copied((arena.pages, arena.pages_bytes), (arena.tables, arena.tables_bytes))

    def child_image(self) -> np.ndarray:
        """The child's tables as they are now."""
        return _copied((self.arena.child_tables, self.arena.tables_bytes))

    def words(self, **more: int) -> dict[int, int]:
        """The words of a scene: calls, mms, windows; `more` by name."""
        arena, vmas = self.arena, self.vmas
        words = {
            "MEMMAP": arena.pages, "NR_PTES": self.drawn.slots, "BEGIN": self.drawn.begin, "ADDRESS": START,
            "MM": get(vmas["A"] + VM_MM), "CHILD_MM": get(vmas["B"] + VM_MM),
            "VMA": vmas["A"], "CHILD_VMA": vmas["B"], "THIRD_VMA": vmas["C"],
            "GATHER": self.world.gather(self.cpu),
            "MEMCG": self.world.machine.memcg + MEMCG_SPLIT_QUEUE,
            "RULES": RULES_OF[self.code.generation], "ANON_EXCLUSIVE": self.code.layout.anon_exclusive,
            "FIRST_PAGES": arena.pages, "FIRST_TABLES": arena.tables, "FIRST_LOCKS": arena.locks,
            "FIRST_CHILD_TABLES": arena.child_tables, "FIRST_CHILD_LOCKS": arena.child_locks,
            "PAGES_BYTES": arena.pages_bytes, "TABLES_BYTES": arena.tables_bytes,
            "SPARE_BYTES": self.drawn.npages * PAGE_BYTES, "SCRATCH": self.world.counter, **more,
        }  # fmt: skip
        return {getattr(scene, name): value for name, value in words.items()}


def _alike(ptes: list[Pte]) -> bool:
    """A whole block of the same bits?"""
    return len(ptes) == CONT_PTES and len({pte.lacks for pte in ptes}) == 1


def _copied(*pieces: tuple[int, int]) -> np.ndarray:
    """Memory, given by addresses and sizes, as 64-bit words."""
    return np.frombuffer(b"".join(ctypes.string_at(*piece) for piece in pieces), dtype=np.int64)


def _not_present(page: int, kind: int) -> int:
    """The entry that stands for a page: its inverted number under the type."""
    return kind | (~page & SWP_OFFSET_MASK) << 9


def signed(word: int) -> int:
    """A 64-bit pattern as a signed number."""
    return ctypes.c_int64(word).value
