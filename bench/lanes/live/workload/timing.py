"""Timing of one operation: the clock, real-time priority around it, and children that do it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import clock_gettime_ns
from time import perf_counter_ns as now  # clock_gettime(CLOCK_MONOTONIC)

from . import system
from .memory import Mapping, mapped
from .proof import Proof, take
from .system import PAGE, PMD, Unmeasurable
from .userfault import arm

# As what this process was started: ordinary, or less (batch, idle), which it stays outside of timed sections.
STARTED = os.sched_getscheduler(0)
ORDINARY = os.SCHED_OTHER if STARTED in (os.SCHED_FIFO, os.SCHED_RR) else STARTED
CLOCK_MONOTONIC_COARSE = 6  # linux/time.h; it moves at timer ticks only
REHEARSALS = 2  # of a child, before it is timed
EMPTIES = 3  # times an operation on memory without pages is timed


@dataclass(frozen=True)
class Timed:
    """Nanoseconds of an operation, of the same without its pages, and the proof a child took, if one did."""

    gross: int
    empty: int = 0
    proof: Proof = field(default_factory=dict)


Operation = Callable[[Mapping, str], Timed]


def set_realtime(on: bool) -> bool:
    """Make this process SCHED_FIFO, or what it was again; was that permitted?

    Parent and child run on one CPU: with FIFO neither preempts the other, nor does anything ordinary.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO if on else ORDINARY, os.sched_param(1 if on else 0))
    except PermissionError:
        return False
    return True


def after_tick() -> None:
    """Wait for a timer tick: whether one falls into an operation is then no matter of chance."""
    tick = clock_gettime_ns(CLOCK_MONOTONIC_COARSE)
    while clock_gettime_ns(CLOCK_MONOTONIC_COARSE) == tick:
        pass


@contextlib.contextmanager
def realtime(tick: bool = True) -> Iterator[None]:
    """Real time for the block only: the kernel throttles who keeps it for most of a second."""
    set_realtime(True)
    if tick:
        after_tick()
    try:
        yield
    finally:
        set_realtime(False)


def stopwatch(call: Callable[..., int], *arguments: int) -> int:
    """Nanoseconds of one system call; Unmeasurable if it fails."""
    with realtime():
        before = now()
        result = call(*arguments)
        after = now()
    system.checked(result, "the timed call")
    return after - before


def typical(mapping: Mapping, times: Iterable[int]) -> int:
    """What stands for several times of the same: their median; of counts the least, for events only add."""
    ordered = sorted(times)
    return ordered[0 if mapping.counts else len(ordered) // 2]


def bare(mapping: Mapping, path: str, operation: Operation) -> int:
    """Nanoseconds of the operation on such memory before it holds a page, each of a few beside more VMAs.

    The kernel's caches of VMAs and of nodes of their tree are in another state each time: some are empty, and
    filling one is 5,800 instructions, each time the same in the same state.
    """
    trials = []
    with contextlib.ExitStack() as beside:
        for _ in range(EMPTIES):
            with mapping.another() as nothing:
                trials.append(operation(nothing, path).gross)
            beside.enter_context(mapped("anon", 0, PMD))
    return typical(mapping, trials)


def with_and_without(mapping: Mapping, fork: Callable[[], int], times: int = 1) -> Timed:
    """Times of forks: with the memory, and with such memory without pages in its place."""
    gross: list[int] = []
    empty: list[int] = []
    with mapping.another() as nothing:
        for with_it in _order(mapping.counts, times):
            with (nothing if with_it else mapping).left_out():
                (gross if with_it else empty).append(fork())
    return Timed(typical(mapping, gross), typical(mapping, empty))


def _order(counts: bool, times: int) -> list[bool]:
    """With the memory, or without? Counts in turn, for what else a fork copies grows with the process.

    That is 0.5 instructions a page of 64 MiB. Of times all with it come first: a fork that follows another
    kind of fork finds other caches, and takes 3 % more.
    """
    others = max(times, EMPTIES)
    if not counts:
        return [True] * times + [False] * others
    return [True, False] * times + [False] * (others - times)


class _Slate:
    """A page shared with children: two times and a text."""

    def __init__(self) -> None:
        self._page = system.mmap(0, PAGE, system.MAP_SHARED | system.MAP_ANONYMOUS)
        self.times = (ctypes.c_int64 * 2).from_address(self._page)
        self._text = (ctypes.c_char * (PAGE - 16)).from_address(self._page + 16)

    def clear(self) -> None:
        """Nothing is said yet."""
        self.times[0] = self.times[1] = 0
        self._text.value = b""

    def say(self, **words: object) -> None:
        """For the child: what the parent is to know."""
        self._text.value = json.dumps(words).encode()[: PAGE - 17]

    def said(self) -> dict[str, object]:
        """For the parent: what the child said."""
        return json.loads(self._text.value or b'{"reason": "the child died"}')


_slate = _Slate()


def in_child(mapping: Mapping, path: str, work: Callable[[Mapping], None] | None = None) -> Timed:
    """Time `work` in a forked child, or the end of the child if there is none.

    The bits are lost at fork, so the child arms its own memory; memory without pages needs no arming.
    """
    _slate.clear()
    with realtime():
        child = os.fork()
        if not child:
            _child(mapping, path, work)
        os.waitpid(child, 0)
        ended = now()
    said = _slate.said()
    if "reason" in said:
        raise Unmeasurable(f"in the child: {said['reason']}")
    began, after = _slate.times
    proof = said["proof"]
    return Timed((after or ended) - began, proof=proof if isinstance(proof, dict) else {})


def _child(mapping: Mapping, path: str, work: Callable[[Mapping], None] | None) -> None:
    """The child's life; it ends here, whatever happens."""
    try:
        set_realtime(False)
        if mapping.filled:
            mapping.userfault = -1  # the parent's
            arm(mapping, path)
        _slate.say(proof=take(mapping) if mapping.filled else {})
        # What is timed comes last of a few that are the same: a child's first writes are copies, some 100 us.
        for memory in (*(_small(mapping, path) if work else mapping for _ in range(REHEARSALS)), mapping):
            set_realtime(True)
            after_tick()
            _slate.times[0] = now()
            if work:
                work(memory)
                _slate.times[1] = now()
    except BaseException as error:
        _slate.say(reason=f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _small(mapping: Mapping, path: str) -> Mapping:
    """A little memory like this one, to rehearse with."""
    small = Mapping("anon", mapping.order, PMD)
    small.populate(by_pmd=False)
    arm(small, path)
    return small
