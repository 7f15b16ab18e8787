"""Two threads at once on one folio: pairs of calls that undo each other must leave every word as it was.

A load and a store where an atomic operation belongs lose updates, which nothing sees but another thread.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernels import abi, driver
from kernels.abi import Prototype, helper, kernel
from kernels.atomic import READ8, READ64, WRITE64, clear_bit, cpu_relax, set_bit
from kernels.checking.operations import FolioSpec, Operation, op
from kernels.checking.replay import NAMES, Mismatch, Replay, Variant
from kernels.memmap import Memory, get, put
from kernels.mm_types import HPAGE_PMD_ORDER, PAGE_BYTES, RMAP_EXCLUSIVE

PASSES, BATCH_PASSES = 100_000, 15_000  # of a pair of calls on one page or PMD, on a batch: some 10 ms
TRIES = 5  # until the threads were seen to run at the same time
PATIENCE = 20  # seconds until two threads are taken to wait for each other for ever


@dataclass(frozen=True)
class Race:
    """What each thread repeats on one folio, after a setup; the pair leaves the folio as it was."""

    kind: str
    order: int
    setup: tuple[Operation, ...]
    pair: tuple[Operation, ...]  # in vma A; the other thread does the same in B
    beside_flags: bool = False  # the other thread switches another bit of page 0's flags instead
    exclusive_before: bool = False  # PG_anon_exclusive of page 0 is set before each pass

    @property
    def passes(self) -> int:
        """How often each thread makes its pair of calls."""
        return PASSES if self.pair[0].nr == 1 else BATCH_PASSES


def races(variant: Variant) -> Iterator[Race]:
    """Every counter of the variant, reached by two threads, each with its own vma, mm and CPU."""
    file_orders, anon_orders = variant.file.file_orders, variant.file.anon_orders
    for order in (order for order in (0, 4, HPAGE_PMD_ORDER) if order in file_orders):
        yield from _file(order)
    for order in (order for order in (0, 4, HPAGE_PMD_ORDER) if order in anon_orders):
        yield from _anon(order)
        yield from _flags(order)
    remove = op("hugetlb_remove", "folio")
    mapped = op("hugetlb_add_anon", "folio", vma="C")
    dup = op("hugetlb_try_dup_anon", "folio", src="C")
    yield Race("hugetlb_file", HPAGE_PMD_ORDER, (), (op("hugetlb_add_file", "folio"), remove))
    yield Race("hugetlb_anon", HPAGE_PMD_ORDER, (mapped,), (op("hugetlb_add_anon", "folio"), remove))
    yield Race("hugetlb_anon", HPAGE_PMD_ORDER, (mapped,), (dup, remove))


def _file(order: int) -> Iterator[Race]:
    n, path = _whole(order)
    remove, mapped = op("remove", path, 0, n), op("add_file", path, 0, n, "C")
    yield Race("file", order, (), (op("add_file", path, 0, n), remove))
    if path == "ptes":
        yield Race("file", order, (mapped,), (op("dup_file", path, 0, n, src="C"), remove))
        single = op("remove", "pte")
        yield Race("file", order, (mapped,), (op("dup_file", "pte", src="C"), single))


def _anon(order: int) -> Iterator[Race]:
    n, path = _whole(order)
    remove, mapped = op("remove", path, 0, n), op("add_anon", path, 0, n, "C")
    yield Race("anon", order, (mapped,), (op("add_anon", path, 0, n), remove))
    yield Race("anon", order, (mapped,), (op("try_dup_anon", path, 0, n, src="C"), remove))
    if path == "ptes":
        yield Race("anon", order, (mapped,), (op("try_dup_anon", "pte", src="C"), op("remove", "pte")))


def _flags(order: int) -> Iterator[Race]:
    """Calls that switch PG_anon_exclusive of page 0, beside a thread that switches a bit next to it."""
    path = "pmd" if order == HPAGE_PMD_ORDER else "ptes"
    exclusive = op("add_anon", path, flags=RMAP_EXCLUSIVE)
    mapped, remove = op("add_anon", path, vma="C"), op("remove", path)
    yield Race("anon", order, (), (exclusive, remove), beside_flags=True)
    dup = (op("try_dup_anon", path, src="C"), remove)
    yield Race("anon", order, (mapped,), dup, beside_flags=True, exclusive_before=True)
    share = (op("try_share_anon", "pmd" if path == "pmd" else "pte"),)
    yield Race("anon", order, (mapped,), share, beside_flags=True, exclusive_before=True)


def _whole(order: int) -> tuple[int, str]:
    return (1, "pmd") if order == HPAGE_PMD_ORDER else (1 << order, "ptes")


@helper
def pause(times):
    """Wait a little."""
    while times > 0:
        cpu_relax()
        times -= 1


@kernel(Prototype(("site",)))
def flicker(site):
    """Switch bit ARGUMENT of the word at FIRST, locked, until EXTRA is set; FAILED: updates lost."""
    word = READ64(site + driver.FIRST)
    nr = READ64(site + driver.ARGUMENT)
    lost = 0
    turn = 0
    while READ64(site + driver.EXTRA) == 0:
        turn += 1
        set_bit(nr, word)
        pause(turn & 15)  # time for the other CPU's store to arrive, never the same
        if READ8(word + (nr >> 3)) & (1 << (nr & 7)) == 0:
            lost += 1
        clear_bit(nr, word)
        pause(turn & 15)
        if READ8(word + (nr >> 3)) & (1 << (nr & 7)) != 0:
            lost += 1
    WRITE64(site + driver.FAILED, lost)


@kernel(Prototype(("site",)))
def switch_on(site):
    """Set bit ARGUMENT of the word at FIRST, locked, before each try_dup or try_share."""
    set_bit(READ64(site + driver.ARGUMENT), READ64(site + driver.FIRST))


class Contest:
    """One race made ready: the sites and plans of two threads on one folio."""

    def __init__(self, variant: Variant, race: Race) -> None:
        self.variant, self.race = variant, race
        self.replay = Replay(variant, [FolioSpec(race.kind, race.order)], " before two threads began")
        for operation in race.setup:
            self.replay.do(operation)
        self.head = self.replay.world.heads[0]
        self.memory = Memory(1 << 16)
        self._used = 0
        self.flicker = self._block(first=self.head, argument=variant.layout.anon_exclusive | 7)  # same byte
        self.plans = [self._plan("A")]
        self.plans.append(self._flicker_plan() if race.beside_flags else self._plan("B"))

    def _block(self, **words: int) -> int:
        address = self.memory.address + self._used
        self._used += 0x80
        for name, value in words.items():
            put(address + getattr(driver, name.upper()), value)
        return address

    def _plan(self, vma: str) -> int:
        words = {"loops": self.race.passes}
        for which, given in zip(("", "inverse_"), self.race.pair):
            sweep, site = self._aim(dataclasses.replace(given, vma=vma))
            words |= {which.removesuffix("_") or "sweep": sweep, f"{which}site": site}
        if self.race.exclusive_before:
            words["prepare"] = abi.address_of(switch_on)
            words["prepare_site"] = self._block(first=self.head, argument=self.variant.layout.anon_exclusive)
        return self._block(**words)

    def _aim(self, given: Operation) -> tuple[int, int]:
        """The sweep that makes a call, and its site."""
        resolved = self.variant.resolve(given)
        made = given if resolved else dataclasses.replace(given, path="pte")
        resolved = resolved or self.variant.resolve(made)
        assert resolved is not None
        function = getattr(self.variant.module, resolved.function)
        function = getattr(function, "ptes", function)
        values = dict(zip(resolved.prototype.args, self.replay.arguments(made, resolved)))
        folio_bytes = given.nr * PAGE_BYTES
        site = self._block(
            call=abi.address_of(function),
            first=self.head,
            end=self.head + folio_bytes,
            folio_bytes=folio_bytes,
            step_bytes=PAGE_BYTES if made.path == "pte" else folio_bytes,
            nr_pages=1 if made.path == "pte" else given.nr,
            vma=values.get("vma", values.get("dst_vma", 0)),
            src_vma=values.get("src_vma", 0),
            argument=values.get("compound", values.get("flags", 0)),
            address=values.get("address", 0),
        )
        return abi.address_of(driver.SWEEPS[function.prototype]), site

    def _flicker_plan(self) -> int:
        return self._block(sweep=abi.address_of(flicker), site=self.flicker, loops=1)

    def run(self) -> bool:
        """Let both threads run; were they seen to overlap? Mismatch if they lost an update."""
        self._spend([self.plans[0]], loops=1)  # stale bits that a pass leaves behind are there before
        before = self._everything()
        spans = self._spend(self.plans)
        self._compare(before, self._everything())
        starts, ends = zip(*spans)
        return min(ends) - max(starts) > 0.3 * (max(ends) - min(starts))

    def _spend(self, plans: Sequence[int], loops: int = 0) -> list[tuple[int, int]]:
        """Run plans, a thread each; when each began and ended."""
        batch, barrier = abi.callable_of(driver.batch), threading.Barrier(len(plans))
        spans: list[tuple[int, int]] = []

        def work(plan: int) -> None:
            barrier.wait()
            begun = time.monotonic_ns()
            batch(plan)
            spans.append((begun, time.monotonic_ns()))

        kept = [get(plan + driver.LOOPS) for plan in plans]
        for plan, n in zip(plans, kept):
            put(plan + driver.LOOPS, loops or n)
        threads = [threading.Thread(target=work, args=(plan,), daemon=True) for plan in plans]
        put(self.flicker + driver.EXTRA, 0)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            put(self.flicker + driver.EXTRA, 1)
        for plan, n in zip(plans, kept):
            put(plan + driver.LOOPS, n)
        if len(spans) < len(plans):
            raise Mismatch(f"{self.describe()}: did not end in {PATIENCE} s; is a lock never released?")
        return spans

    def _everything(self) -> dict[str, object]:
        world = self.replay.world
        return {
            **{NAMES.get(name, name): value for name, value in world.state(0)._asdict().items()},
            **world.statistics(),
            "updates lost beside it": get(self.flicker + driver.FAILED),
            "anything else": world.changed_elsewhere(),
        }

    def _compare(self, before: dict[str, object], after: dict[str, object]) -> None:
        for name in {**before, **after}:
            if before.get(name, 0) != after.get(name, 0):
                raise Mismatch(
                    f"{self.describe()}: {name}: expected {before.get(name, 0)}, found {after.get(name, 0)}; "
                    "an update that is not atomic was lost"
                )

    def describe(self) -> str:
        """The calls, for people."""
        calls = " and ".join(self.replay.describe(given) for given in self.race.pair)
        other = (
            "beside locked changes of another bit of page 0's flags"
            if self.race.beside_flags
            else "in A and B"
        )
        return f"{calls}, {self.race.passes} times by two threads at once {other}"


def two_threads(variant: Variant) -> str:
    """Run every race; what was done, for people. Mismatch if an update was lost."""
    if len(os.sched_getaffinity(0)) < 2:
        return "two threads not tried: one CPU only"
    contests = [Contest(variant, race) for race in races(variant)]
    overlapped = sum(any(contest.run() for _ in range(TRIES)) for contest in contests)
    return f"two threads lose no update ({overlapped} of {len(contests)} races overlapped)"
