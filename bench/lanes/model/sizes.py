"""Values of `memory=` and `threads=`: what they mean, and what this machine cannot give."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bench.case import Case
from bench.errors import UsageError
from bench.lanes.amounts import amount
from bench.measure.facts import available_memory

ROOT = Path("/")
BASE_PAGE, DESCRIPTOR = 4096, 64
MIB = 1 << 20
LEAST_MEMORY = 4 * MIB
MOST_THREADS = max(256, os.cpu_count() or 1)  # with --oversubscribe; else one a CPU
SPARED = 256 * MIB  # what a measuring process needs beside its arena


def parse_memory(text: str) -> int:
    """Bytes of mapped memory that a value of `memory=` names: 64MiB, 1GiB; UsageError for others."""
    if (size := amount(text)) < LEAST_MEMORY:
        raise UsageError(f"memory={text}: give a size of at least 4 MiB, as in memory=64MiB or memory=1GiB")
    return size


def arena_bytes(memory: int) -> int:
    """Memory that descriptors and both mms' page tables of so much mapped memory take."""
    return memory // BASE_PAGE * (DESCRIPTOR + 2 * 8)


def parse_threads(text: str) -> int:
    """Threads that a value of `threads=` names; UsageError for others."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise UsageError(f"threads={text}: give a whole number from 1 to {MOST_THREADS}")
    return int(text)


def most_threads(chosen: Iterable[Case]) -> int:
    """Threads of the case that has most."""
    return max((parse_threads(case.meaning("threads")) for case in chosen), default=1)


def check_value(key: str, text: str) -> None:
    """UsageError for a value that means nothing."""
    parse_memory(text) if key == "memory" else parse_threads(text)


def refuse_what_does_not_fit(chosen: Iterable[Case], workers: int, oversubscribe: bool = False) -> None:
    """UsageError, with the size needed, for more memory or more threads than there are."""
    chosen = list(chosen)
    most = max((parse_memory(case.get("memory")) for case in chosen if case.get("memory")), default=0)
    needed = workers * (arena_bytes(most) + SPARED) if most else 0
    there = available_memory(ROOT)
    if there is not None and needed > there:
        processes = "one process" if workers == 1 else f"{workers} processes at once"
        raise UsageError(
            f"memory={most // MIB}MiB: needs {needed // MIB} MiB for {processes}, "
            f"{there // MIB} MiB are available; choose a smaller memory="
        )
    threads = most_threads(chosen)
    if threads > (cpus := len(os.sched_getaffinity(0))) and not oversubscribe:
        raise UsageError(
            f"threads={threads}: there are {cpus} CPUs; threads that take turns show the scheduler, "
            "not contention. Force it with --oversubscribe"
        )
