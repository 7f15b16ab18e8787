"""What guests can measure: the workload's operations, in families that one memory serves, and cases."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from bench.case import Case, natural
from bench.errors import UsageError
from bench.lanes.amounts import amount
from bench.lanes.vm.image import Image
from bench.lanes.vm.machines.aarch64 import AARCH64

DEFAULT, PMD, FOLIO = ("default",), ("pmd",), ("folio",)
MAPPED = ("pte", "ptes", *DEFAULT, *PMD)
PMD_ORDER = 9
MEMORY = 64 << 20  # bytes: of less, one page fault more in a fork is 0.4 % of it at order 9
STEP, MOST_MEMORY = 4 << 20, 128 << 20  # what guests of 512 MiB have room for, twice
# The release from which folios of more sizes than order 0 and 9 exist.
ANON_SIZES_SINCE, SHMEM_SIZES_SINCE = "6.8", "6.11"


@dataclass(frozen=True)
class Family:
    """Operations that one memory serves in this order; `kind` is the folios', `memory` the workload's word.

    `shared`: it survives its operations and serves every path.
    """

    kind: str
    memory: str
    operations: dict[str, tuple[str, ...]]  # with the paths they are measured on
    shared: bool = False

    @property
    def name(self) -> str:
        """For the block's name."""
        return f"{self.memory}-{next(iter(self.operations))}"

    def orders(self, image: Image) -> tuple[int, ...]:
        """The folio orders that the kernel can be expected to have; it says itself which it has not."""
        if self.kind == "hugetlb":
            return (PMD_ORDER,)
        since, smallest = (SHMEM_SIZES_SINCE, 1) if self.kind == "shmem" else (ANON_SIZES_SINCE, 2)
        if image.release and natural(image.release) < natural(since):
            return 0, PMD_ORDER
        return 0, *range(smallest, PMD_ORDER + 1)

    def paths(self, order: int) -> dict[str, list[str]]:
        """The operations on each path that exists at this order."""
        found: dict[str, list[str]] = {}
        for operation, paths in self.operations.items():
            for path in paths:
                if _exists(operation, path, order):
                    found.setdefault(path, []).append(operation)
        return found


FAMILIES = (
    Family("anon", "anon", {"fork": MAPPED, "unmap_after_fork": MAPPED, "exit": MAPPED}, shared=True),
    Family("anon", "anon", {"munmap": MAPPED}),
    Family("anon", "anon", {"first_fork": DEFAULT + PMD}),
    Family("anon", "anon", {"fault": DEFAULT + PMD, "dontneed": MAPPED}),
    Family("anon", "anon", {"pte_dontneed": DEFAULT}),
    Family("anon", "anon", {"reuse_byte": DEFAULT, "cow_byte": DEFAULT}),
    Family("anon", "anon", {"split_pmd": PMD}),
    Family("anon", "anon", {"mprotect": MAPPED, "mremap": DEFAULT}),
    Family("anon", "anon", {"lazyfree": DEFAULT}),
    Family("shmem", "shmem", {"munmap": MAPPED, "fault_around": DEFAULT + PMD}),
    Family("shmem", "shmem_private", {"fork": ("pte", "ptes", "default")}),
    Family("hugetlb", "hugetlb", {"fault": FOLIO, "fork": FOLIO, "munmap": FOLIO}),
)
LISTED_ORDERS = 3  # the page allocator keeps free pages up to this order in lists, at times
# Why some figures are shown and not judged.
HISTORY = "depends on what the page allocator did before; see its spread"
NO_RMAP = "makes no rmap call"
FEW = "a few instructions a page, less than what else a fork does varies by"
PLACES = "depends on where the folios lie: the last PTE of 16 aligned ones makes the kernel try to fold them"
CONT_ORDER = 4  # 16 PTEs, of folios of this order or larger, can be folded (contpte)


def _exists(operation: str, path: str, order: int) -> bool:
    """PMDs map order 9, and a first fault of that order maps by PMD."""
    if path == "pmd":
        return order == PMD_ORDER
    return not (operation == "fault" and order == PMD_ORDER and path == "default")


def not_gated(operation: str, path: str, order: int, machine: str = "") -> str:
    """Why the figure is not judged; empty if it is."""
    # Seen of orders 2 and 3: 3.4 instructions a page more or less, by the memory that was to be had.
    if machine == AARCH64.name and operation == "fork" and path == "pte" and 0 < order < CONT_ORDER:
        return PLACES
    if operation in ("mprotect", "mremap"):
        return NO_RMAP
    if path == "pmd" and operation in ("fork", "first_fork", "unmap_after_fork", "exit"):
        return FEW
    return HISTORY if order <= LISTED_ORDERS and operation in ("munmap", "dontneed", "pte_dontneed") else ""


def cases_of(image: Image, memory: str | None) -> Iterator[Case]:
    """Every case of a kernel."""
    for family in FAMILIES:
        for order in family.orders(image):
            for path, operations in family.paths(order).items():
                yield from (case(family, image, operation, path, order, memory) for operation in operations)


def case(family: Family, image: Image, operation: str, path: str, order: int, memory: str | None) -> Case:
    """The case's name; kind=anon and the host's machine are not written."""
    kind = None if family.kind == "anon" else family.kind
    machine = None if image.machine == platform.machine() else image.machine
    return Case.of(
        "vm", operation, kind=kind, kernel=image.name, machine=machine, path=path, order=order, memory=memory
    )  # fmt: skip


def parse_memory(text: str) -> int:
    """Bytes of an amount such as 32MiB; UsageError for what guests have no room for."""
    size = amount(text)
    if size == 0 or size % STEP or size > MOST_MEMORY:
        raise UsageError(
            f"memory={text}: give a multiple of {STEP >> 20} MiB up to {MOST_MEMORY >> 20} MiB, "
            "such as memory=64MiB"
        )
    return size
