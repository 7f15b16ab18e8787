"""Proof that memory is what a figure claims: folio order, PTE bits, how it is mapped, number of VMAs."""

from __future__ import annotations

import os
import re

from .memory import PMD_ORDER, THP, Mapping
from .system import PAGE

PROC = "/proc"
PFN = (1 << 55) - 1  # Documentation/admin-guide/mm/pagemap.rst
COMPOUND_HEAD, COMPOUND_TAIL = 1 << 15, 1 << 16  # linux/kernel-page-flags.h
SAMPLED = 512  # folios looked up: at least one in 2 MiB of 1 GiB
LEAST_SHARE = 0.99  # of folios of the order, below which a figure is not of that order
# The highest byte of a pagemap entry, as the digit 1 where bit 57 (write-protected) or 63 (present) is set.
_WP = bytes(byte >> 1 & 1 for byte in range(256))
_PRESENT = bytes(byte >> 7 for byte in range(256))

Proof = dict[str, float]


def take(mapping: Mapping, proc: str = PROC) -> Proof:
    """What pagemap, maps, smaps and (for root) kpageflags say of the mapping, as shares of its pages."""
    entries = pagemap(mapping, proc)
    high, pages = entries[7::8], mapping.pages
    bits = high.translate(_WP)
    found = {
        "present": high.translate(_PRESENT).count(1) / pages,
        "wp_even": bits[::2].count(1) / max(1, (pages + 1) // 2),
        "wp_odd": bits[1::2].count(1) / max(1, pages // 2),
        "vmas": vmas(mapping, proc),
    }
    if mapping.order == PMD_ORDER and not mapping.hugetlb:
        found["by_pmd"] = by_pmd(mapping, proc)
    # The first page of private file memory is the one that was written to.
    whole = entries[8 << mapping.order :] if mapping.kind.endswith("_private") else entries
    share = folio_share(whole, mapping.order, proc)
    return found if share is None else {**found, "order_share": share}


def pagemap(mapping: Mapping, proc: str = PROC) -> bytes:
    """Eight bytes a page, little-endian: bits of the PTE and, for root, the page's number."""
    fd = os.open(f"{proc}/self/pagemap", os.O_RDONLY)
    try:
        return os.pread(fd, 8 * mapping.pages, mapping.start // PAGE * 8)
    finally:
        os.close(fd)


def vmas(mapping: Mapping, proc: str = PROC) -> int:
    """VMAs that overlap the mapping."""
    with open(f"{proc}/self/maps") as file:  # noqa: PTH123
        spans = [line.split(None, 1)[0].split("-") for line in file]
    end = mapping.start + mapping.nominal
    return sum(int(low, 16) < end and mapping.start < int(high, 16) for low, high in spans)


def by_pmd(mapping: Mapping, proc: str = PROC) -> float:
    """The share of the mapping that PMDs map."""
    with open(f"{proc}/self/smaps") as file:  # noqa: PTH123
        text = file.read()
    here = text.partition(f"\n{mapping.start:08x}-")[2].partition("VmFlags:")[0]
    kib = re.findall(r"^(?:AnonHugePages|ShmemPmdMapped|FilePmdMapped):\s*(\d+) kB", here, re.MULTILINE)
    return sum(map(int, kib)) * 1024 / mapping.size


def folio_share(entries: bytes, order: int, proc: str = PROC) -> float | None:
    """The share of folios, over a sample, that have this order; None where this process may not know.

    Memory is mapped at a PMD boundary, so a folio begins at every multiple of its size.
    """
    pages, count = 1 << order, len(entries) // 8 >> order
    step = max(1, count // SAMPLED)
    chosen = range(0, count, step)
    numbers = [int.from_bytes(entries[8 * i * pages : 8 * i * pages + 8], "little") & PFN for i in chosen]
    if not any(numbers):
        return None
    try:
        fd = os.open(f"{proc}/kpageflags", os.O_RDONLY)
    except OSError:
        return None
    try:
        return sum(_is_folio(fd, number, pages) for number in numbers) / len(numbers)
    finally:
        os.close(fd)


def _is_folio(fd: int, number: int, pages: int) -> bool:
    """Does a folio of exactly so many pages begin at this page number?"""
    if number == 0 or number % pages:
        return False
    flags = memoryview(os.pread(fd, 8 * (pages + 1), 8 * number)).cast("Q").tolist()
    if pages == 1:
        return not flags[0] & (COMPOUND_HEAD | COMPOUND_TAIL)
    tails = all(flag & COMPOUND_TAIL for flag in flags[1:pages])
    return bool(flags[0] & COMPOUND_HEAD) and tails and not any(f & COMPOUND_TAIL for f in flags[pages:])


def doubts(found: Proof, path: str) -> str:
    """Why this is not memory of that path; empty if it is."""
    share = found.get("order_share")
    if share is None:
        return "the order of the folios is not known: reading it takes root or per-size statistics"
    if share < LEAST_SHARE:
        return f"only {share:.1%} of the folios have the order asked for; memory may be fragmented"
    if found["present"] < LEAST_SHARE:
        return f"only {found['present']:.1%} of the pages are mapped"
    if found["vmas"] != 1:
        return f"the memory consists of {found['vmas']:.0f} VMAs instead of one"
    if "by_pmd" in found and found["by_pmd"] != (path == "pmd"):
        return f"{found['by_pmd']:.1%} of the memory is mapped by PMDs, on path {path}"
    return _wrong_bits(found, path)


def _wrong_bits(found: Proof, path: str) -> str:
    even, odd = {"pte": (1, 0), "ptes": (1, 1)}.get(path, (0, 0))
    if abs(found["wp_even"] - even) > 1 - LEAST_SHARE or abs(found["wp_odd"] - odd) > 1 - LEAST_SHARE:
        return (
            f"{found['wp_even']:.1%} of even and {found['wp_odd']:.1%} of odd pages are write-protected, "
            f"on path {path}"
        )
    return ""


# Counters of the system, for processes that may not see folios


def statistics(kind: str, order: int, thp: str = THP) -> dict[str, int]:
    """Folios of the order allocated, fallen back from and split since boot; empty where not counted.

    Of order 0 what is counted is the pages of all larger folios.
    """
    if not kind.startswith(("anon", "shmem")):
        return {}
    alloc = "shmem" if kind.startswith("shmem") else "anon_fault"
    if order == 0:
        return _larger(f"{alloc}_alloc", thp)
    files = {"allocated": f"{alloc}_alloc", "fallbacks": f"{alloc}_fallback", "splits": "split"}
    counts = {key: _count(f"{thp}/{_name(order)}/stats/{file}") for key, file in files.items()}
    return {key: count for key, count in counts.items() if count is not None}


def _larger(file: str, thp: str) -> dict[str, int]:
    counts = {order: _count(f"{thp}/{_name(order)}/stats/{file}") for order in range(1, PMD_ORDER + 1)}
    pages = [count << order for order, count in counts.items() if count is not None]
    return {"larger": sum(pages)} if pages else {}


def _name(order: int) -> str:
    return f"hugepages-{(PAGE << order) >> 10}kB"


def _count(path: str) -> int | None:
    try:
        with open(path) as file:  # noqa: PTH123
            return int(file.read())
    except (OSError, ValueError):
        return None


def moved(before: dict[str, int], after: dict[str, int], folios: int) -> Proof:
    """Fallbacks and splits between two looks, and the share of `folios` that have their order.

    The counters are the system's: another process makes the share of order 0 too small, never too large.
    """
    grown = {key: float(after[key] - before[key]) for key in before.keys() & after.keys()}
    if "larger" in grown:
        return {"allocated_share": max(0.0, 1 - grown["larger"] / folios)}
    allocated = grown.pop("allocated", None)
    return grown if allocated is None else {**grown, "allocated_share": min(1.0, allocated / folios)}
