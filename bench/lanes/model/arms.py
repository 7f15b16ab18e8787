"""Arms of the model lane: descriptors in the state a case wants, and the batch that sweeps over them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from bench.lanes.model.families import BY_NAME, EMPTY
from bench.lanes.model.targets import Calls, Target
from kernels import abi, driver, mm_types
from kernels.memmap import Machine, Memmap, Memory, get, put

ARENA_PAGES = 1024  # 64 KiB of descriptors: hot in the first two cache levels
CALLS_AT_LEAST = 512  # in a pass of calls that can be repeated
FOLIOS_AT_LEAST = 8  # of the highest orders, so that a pass is not over in a few nanoseconds
YARDSTICK_INCREMENTS = 1024
LEAST_SECONDS = 1e-15  # stands for "too short to see": figures are positive
START = 0x7F00_0000_0000


@dataclass(frozen=True)
class Spec:
    """What one arm runs, in the plan's words."""

    role: str  # case, twin, positive, yardstick
    family: str
    order: int
    variant: str = ""
    path: str = ""

    @property
    def npages(self) -> int:
        """Base pages of the arena."""
        # Only heads are touched, which lie on few cache sets: fewer of them, so that they stay in the cache.
        pages = ARENA_PAGES // 4 if self.repeatable and self.order else ARENA_PAGES
        return max(pages, FOLIOS_AT_LEAST << self.order)

    @property
    def repeatable(self) -> bool:
        """Can the call be made again and again, with nothing to undo in between?"""
        return self.role != "yardstick" and BY_NAME[self.family].repeatable

    @property
    def sweeps(self) -> int:
        """Sweeps of the call in a pass: more than one where that changes nothing and one is over too soon."""
        return max(1, CALLS_AT_LEAST // (self.npages >> self.order)) if self.repeatable else 1


class Scratch:
    """Hands out zeroed blocks for sites and plans from memory that outlives every arm."""

    def __init__(self) -> None:
        self._memory = Memory(16 << 20)
        self._used = 0

    def take(self, nbytes: int) -> int:
        """Address of a block; blocks lie on cache lines of their own."""
        address = self._memory.address + self._used
        self._used += -(-nbytes // 64) * 64
        if self._used > self._memory.nbytes:
            raise MemoryError("out of memory for sites and plans")
        return address


class World:
    """One process's arena, mms and vmas; A maps first, B comes second (a child, another sharer)."""

    def __init__(self) -> None:
        self.memory = Memory((FOLIOS_AT_LEAST << mm_types.HPAGE_PMD_ORDER) * mm_types.PAGE_BYTES)
        self.machine = Machine()
        self.a = self.machine.vma(self.machine.mm(1), start=START)
        self.b = self.machine.vma(self.machine.mm(2), start=START)
        self.scratch = Scratch()
        self.counter = self.scratch.take(64)
        self.batch = abi.callable_of(driver.batch)


class Batch:
    """A plan ready to run: restores the descriptors, times the sweep and its inverse."""

    def __init__(self, world: World, npages: int) -> None:
        self.world = world
        self.npages = npages
        self.sweeps = 1  # of the call in a pass
        self.plan = world.scratch.take(driver.PLAN_BYTES)
        self.sites: list[int] = []
        self.snapshot: bytes = b""
        self.loops = 1
        self.overhead_ns = 0.0  # of one timed section without a call, subtracted once a pass

    def site(self, **words: int) -> int:
        """A new site on the arena with these words set (names as in kernels.driver, lower case)."""
        address = self.world.scratch.take(driver.SITE_BYTES)
        first = self.world.memory.address
        arena = {"first": first, "end": first + self.npages * mm_types.PAGE_BYTES, "address": START}
        for name, value in {**arena, "scratch": self.world.counter, **words}.items():
            put(address + getattr(driver, name.upper()), value)
        self.sites.append(address)
        return address

    def set_plan(self, **words: int) -> None:
        """Set words of the plan (names as in kernels.driver, lower case)."""
        for name, value in words.items():
            put(self.plan + getattr(driver, name.upper()), value)

    def nanoseconds(self, loops: int) -> tuple[int, int]:
        """Time `loops` passes of the sweep and of the inverse, from the state of the snapshot."""
        ctypes.memmove(self.world.memory.address, self.snapshot, len(self.snapshot))
        put(self.plan + driver.LOOPS, loops)
        self.world.batch(self.plan)
        return get(self.plan + driver.SWEEP_NS), get(self.plan + driver.INVERSE_NS)

    def run(self) -> tuple[float, ...]:
        """Seconds per base page of the sweep and of the inverse."""
        pages = self.loops * self.npages * self.sweeps
        return tuple(max(ns / pages * 1e-9, LEAST_SECONDS) for ns in self._net())

    def seconds(self, place: int) -> float:
        """Seconds of all passes of the sweep (place 0) or of the inverse (1)."""
        return max(self._net()[place] * 1e-9, LEAST_SECONDS)

    def _net(self) -> list[float]:
        """Nanoseconds spent without what timing itself costs."""
        spent = self.nanoseconds(self.loops)
        if any(get(site + driver.FAILED) for site in self.sites):
            raise RuntimeError("a call was refused with -EBUSY in the timed loop")
        return [ns - self.overhead_ns * self.loops for ns in spent]

    def verify(self) -> None:
        """Nothing to verify."""


class CallBatch(Batch):
    """The batch of one case: a call on every folio, and its inverse; `npages` if not as many as usual."""

    def __init__(
        self, world: World, spec: Spec, calls: Calls, layout: mm_types.Layout, pad: int = 0, npages: int = 0
    ) -> None:
        super().__init__(world, npages or spec.npages)
        self.spec, self.family = spec, BY_NAME[spec.family]
        self.sweeps = spec.sweeps
        self.layout = layout
        self.memmap = Memmap(layout, self.npages, world.memory)
        hugetlb = self.family.kind == "hugetlb"
        self.memmap.format(spec.order, world.machine.memcg, hugetlb)
        self._make_anon()
        if self.family.mapped and spec.variant != EMPTY:
            self._map_by_a(calls.setup)
        self._plan_sweeps(calls, pad)
        self.snapshot = bytes(self.memmap.memory.bytes[: self.npages * mm_types.PAGE_BYTES])

    def spend_extra(self, sweep: int, inverse: int, every: int) -> None:
        """Make it a positive control: locked instructions added to each so-many-th sweep and inverse."""
        self.set_plan(sweep_extra=sweep, inverse_extra=inverse, extra_every=every)

    def _make_anon(self) -> None:
        """Anonymous folios belong to A's anon_vma before the first call, and old ones are swap-backed."""
        if self.family.call.endswith("_file"):
            return
        words = self.memmap.pages().view("int64")[:: 1 << self.spec.order]
        words[:, mm_types.MAPPING // 8] = (
            get(self.world.a + mm_types.VM_ANON_VMA) + mm_types.PAGE_MAPPING_ANON
        )
        if self._made_swapbacked() < 0:
            words[:, mm_types.FLAGS // 8] |= 1 << self.layout.swapbacked

    def _map_by_a(self, setup: Target | None) -> None:
        """Let A map everything, by the variant's own call, so that the state is one it can have made."""
        assert setup is not None
        argument = setup.argument(mm_types.RMAP_NONE)
        site = self._call_site(setup, self.world.a, argument)
        put(site + driver.CALL, abi.address_of(setup.function))
        self.set_plan(sweep=abi.address_of(driver.SWEEPS[setup.function.prototype]), site=site, loops=1)
        self.world.batch(self.plan)

    def _call_site(self, target: Target, vma: int, argument: int) -> int:
        folio_bytes = mm_types.PAGE_BYTES << self.spec.order
        step = mm_types.PAGE_BYTES if target.path == "pte" else folio_bytes
        return self.site(
            folio_bytes=folio_bytes,
            step_bytes=step,
            nr_pages=1 if target.path == "pte" else 1 << self.spec.order,
            vma=vma,
            src_vma=self.world.a,
            argument=argument,
        )

    def _plan_sweeps(self, calls: Calls, pad: int) -> None:
        vma = self.world.b if self.family.mapped and self.family.call != "move_anon" else self.world.a
        flags = mm_types.RMAP_EXCLUSIVE if self.family.rmap_exclusive else mm_types.RMAP_NONE
        target = calls.call
        # Some prototypes of try_dup name the source vma only, as `vma`.
        source = self.family.call.endswith("try_dup_anon") and "vma" in target.function.prototype.args
        site = self._aim(target, self.world.a if source else vma, target.argument(flags), pad)
        sweep = abi.address_of(driver.SWEEPS[target.function.prototype])
        self.set_plan(sweep=sweep, site=site, again=self.sweeps - 1)
        if (inverse := calls.inverse) is not None:
            site = self._aim(inverse, vma, inverse.argument(flags), pad)
            self.set_plan(
                inverse=abi.address_of(driver.SWEEPS[inverse.function.prototype]), inverse_site=site
            )
        self._plan_preparation()

    def _aim(self, target: Target, vma: int, argument: int, pad: int) -> int:
        site = self._call_site(target, vma, argument)
        put(site + driver.CALL, abi.address_of(target.function, pad))
        return site

    def _plan_preparation(self) -> None:
        """Before each pass: set the exclusive bits again, or leave folios as newly allocated ones are."""
        whole = self.spec.path in ("pmd", "folio")
        folio_bytes = mm_types.PAGE_BYTES << self.spec.order
        if self.family.exclusive:
            step = folio_bytes if whole else mm_types.PAGE_BYTES
            site = self.site(step_bytes=step, argument=1 << self.layout.anon_exclusive)
            self.set_plan(prepare=abi.address_of(driver.prepare_exclusive), prepare_site=site)
        elif self.family.kind == "anon" and self.family.inverse and not self.family.mapped:
            page1 = _all_but(self.layout.partially_mapped)
            site = self.site(folio_bytes=folio_bytes, argument=page1, keep=_all_but(self._made_swapbacked()))
            self.set_plan(prepare=abi.address_of(driver.prepare_unmapped), prepare_site=site)

    def _made_swapbacked(self) -> int:
        """The bit of PG_swapbacked if it is the call that sets it, else -1."""
        return self.layout.swapbacked if self.family.call == "add_new_anon" else -1

    def verify(self) -> None:
        """After call and inverse every mapping counter must be what it was before."""
        if self.spec.variant == EMPTY or not self.family.inverse:
            return
        ctypes.memmove(self.world.memory.address, self.snapshot, len(self.snapshot))
        before = self._counters()
        self.nanoseconds(2)
        if self._counters() != before:
            raise RuntimeError(f"{self.spec.family} on path {self.spec.path} did not undo itself")

    def _counters(self) -> list[Any]:
        folios = list(self.memmap.folios(self.spec.order))
        states = [self.memmap.read(folio, self.spec.order) for folio in (folios[0], folios[-1])]
        return [
            (s.mapcounts, s.entire_mapcount, s.large_mapcount, s.nr_pages_mapped, s.slots, s.locked)
            for s in states
        ]


def _all_but(bit: int) -> int:
    """A mask of every flag but this one; of all flags if there is no such bit (-1)."""
    return ~(1 << bit) if bit >= 0 else -1


class Yardstick(Batch):
    """A fixed locked loop that is no leg of any pair: what a locked instruction costs at this moment."""

    def __init__(self, world: World) -> None:
        super().__init__(world, YARDSTICK_INCREMENTS)
        site = self.site(nr_pages=YARDSTICK_INCREMENTS)
        self.set_plan(sweep=abi.address_of(driver.sweep_yardstick), site=site)

    def run(self) -> tuple[float, ...]:
        """Seconds per locked instruction, once for each group of the block."""
        value = super().run()[0]
        return value, value


def timed_section_ns(world: World) -> float:
    """Nanoseconds that a timed section takes which sweeps over no folio: the median of many."""
    batch = Batch(world, 0)
    sweep = abi.address_of(driver.SWEEPS[abi.PTES])
    batch.set_plan(sweep=sweep, site=batch.site(), inverse=sweep, inverse_site=batch.site())
    spent = sorted(sum(batch.nanoseconds(1)) / 2 for _ in range(2001))
    return float(spent[len(spent) // 2])
