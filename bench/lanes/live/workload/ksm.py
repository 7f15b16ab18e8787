"""Merging of equal pages by ksmd: how it is set to work, and which counter proves what it merged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from time import sleep

from . import system
from .memory import Mapping
from .system import Unmeasurable, contents, write
from .timing import Timed, now

SYSFS = "/sys/kernel/mm/ksm"
# In this order, and back in the other: the thread starts last and stops first.
SETTINGS = {"sleep_millisecs": "0", "pages_to_scan": "10000", "run": "1"}
PATIENCE = 60_000_000_000  # nanoseconds
ENOUGH = 0.95  # of the pages, that must be merged
SCANS = 2  # of all memory, after which ksmd has noticed what is gone


def ksm(mapping: Mapping, path: str, sysfs: str = SYSFS, proc: str = "/proc") -> Timed:
    """Pages merged by ksmd: folio_try_share_anon_rmap_pte, folio_add_anon_rmap_pte, folio_remove_rmap_pte.

    At the pace of that thread, which is set to rest as little as it can.
    """
    counter = _counter(sysfs, proc)
    with _kept(sysfs):
        _forget(counter, sysfs)
        before = _number(counter)
        system.madvise(mapping.start, mapping.size, system.MADV_MERGEABLE)
        _start(sysfs)
        began = now()
        most = ENOUGH * mapping.pages
        _wait(lambda: _number(counter) - before, most, f"pages of {mapping.pages} were merged")
        return Timed(now() - began)


def _counter(sysfs: str, proc: str) -> str:
    """What counts merged pages: of this process (since 5.19), else of all processes."""
    files = (f"{proc}/self/ksm_merging_pages", f"{sysfs}/pages_sharing")
    for file in files:
        if os.access(file, os.R_OK):
            return file
    raise Unmeasurable(f"nothing proves what ksmd merges: neither {files[0]} nor {files[1]} can be read")


def _number(file: str) -> int:
    return int(contents(file))


@contextlib.contextmanager
def _kept(sysfs: str) -> Iterator[None]:
    """Put the settings back after the block."""
    before = {name: contents(f"{sysfs}/{name}").strip() for name in SETTINGS}
    try:
        yield
    finally:
        for name in reversed(SETTINGS):
            write(f"{sysfs}/{name}", before[name])


def _start(sysfs: str) -> None:
    for name, value in SETTINGS.items():
        write(f"{sysfs}/{name}", value)


def _forget(counter: str, sysfs: str) -> None:
    """Let ksmd notice which memory is gone: what it merged of that counts until then."""
    if not _number(counter):
        return
    _start(sysfs)
    scans = f"{sysfs}/full_scans"
    before = _number(scans)
    _wait(lambda: _number(scans) - before, SCANS, "scans for memory that is gone were done")
    write(f"{sysfs}/run", "0")


def _wait(reached: Callable[[], int], goal: float, what: str) -> None:
    """Until so much is reached; Unmeasurable after a minute."""
    began = now()
    while (found := reached()) < goal:
        if now() - began > PATIENCE:
            raise Unmeasurable(f"ksmd works for a minute, and {found} {what}")
        sleep(0.001)
