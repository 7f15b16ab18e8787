"""What the live lane can measure: operations with their paths, families that share a memory, rmap calls."""

from __future__ import annotations

from dataclasses import dataclass

from bench.case import Case
from bench.errors import UsageError
from bench.lanes.amounts import UNITS, amount

PTE, DEFAULT, PMD, FOLIO = ("pte", "ptes"), ("default",), ("pmd",), ("folio",)
MAPPED = (*PTE, *DEFAULT, *PMD)
PMD_ORDER = 9
# The folio orders that kernels have, by kind; fewer before 6.8 (anon), 6.11 (shmem) and 6.16 (file).
ORDERS = {"anon": (0, *range(2, 10)), "shmem": range(10), "file": range(10), "hugetlb": (PMD_ORDER,)}
MIB = 1 << 20


@dataclass(frozen=True)
class Operation:
    """An operation, the paths it is measured on, and the rmap calls it makes the kernel do."""

    name: str
    paths: tuple[str, ...]
    calls: tuple[str, ...]
    orders: tuple[int, ...] = ()  # only these; empty for all
    least: int = 0  # bytes of memory, of which it takes long enough to be told from the same without pages

    def has(self, path: str, order: int) -> bool:
        """Is there such a case? A first fault of order 9 maps by PMD, smaller folios have no PMD."""
        if path not in self.paths or (self.orders and order not in self.orders):
            return False
        if path == "pmd":
            return order == PMD_ORDER
        return not (self.name == "fault" and order == PMD_ORDER and path == "default")

    def too_short(self, size: int) -> str:
        """Why it is not measured on so little memory; empty if it is."""
        least = format_memory(self.least) if size < self.least else ""
        return least and f"with less than {least} it takes hardly longer than with none; add memory={least}"


@dataclass(frozen=True)
class Family:
    """Operations that one populated memory serves, in this order; `memory` is the workload's word for it."""

    kind: str
    memory: str
    operations: tuple[Operation, ...]
    copies: int = 1  # of the memory, that exist at the same time
    shared: bool = False  # do all arms of a round use the same memory? It must survive its operations.

    @property
    def name(self) -> str:
        """For the block's name."""
        return f"{self.memory}-{self.operations[0].name}"

    def chosen(self, path: str, order: int) -> list[Operation]:
        """The operations that exist on a path at an order."""
        return [operation for operation in self.operations if operation.has(path, order)]

    def case(self, operation: Operation, path: str, order: int, memory: str) -> Case:
        """The case's name; kind=anon is not written."""
        kind = None if self.kind == "anon" else self.kind
        return Case.of("live", operation.name, kind=kind, path=path, order=order, memory=memory)


def _calls(stem: str, *paths: str) -> tuple[str, ...]:
    return tuple(f"folio_{stem}_rmap_{path}" for path in paths)


# Of the interface, what no version of the kernel calls: fork copies no PMD of file memory.
NEVER_CALLED = ("folio_dup_file_rmap_pmd",)
_DUP, _REMOVE = _calls("try_dup_anon", *PTE, *PMD), _calls("remove", *PTE, *PMD)
_SHARE_PTE, _REMOVE_PTE = _calls("try_share_anon", "pte"), _calls("remove", "pte")
_MIGRATED = _calls("try_share_anon", "pte", "pmd") + _REMOVE_PTE + _calls("remove", "pmd")
_HUGETLB_MIGRATED = ("hugetlb_try_share_anon_rmap", "hugetlb_remove_rmap", "hugetlb_add_anon_rmap")
_NEW = ("folio_add_new_anon_rmap",)

FAMILIES: tuple[Family, ...] = (
    Family("anon", "anon", (
        Operation("fork", MAPPED, _DUP),
        Operation("unmap_after_fork", MAPPED, _REMOVE),
        Operation("exit", MAPPED, _REMOVE),
    ), shared=True),
    # Each arm's own: the memory above serves every arm of a round in turn, and munmap would end it.
    Family("anon", "anon", (Operation("munmap", MAPPED, _REMOVE),)),
    Family("anon", "anon", (Operation("first_fork", DEFAULT + PMD, _DUP),)),
    Family("anon", "anon", (Operation("fault", DEFAULT + PMD, _NEW), Operation("dontneed", MAPPED, _REMOVE))),
    Family("anon", "anon", (Operation("pte_dontneed", DEFAULT, _calls("remove", "pte", "ptes")),)),
    Family("anon", "anon", (
        Operation("reuse_byte", DEFAULT, ("folio_move_anon_rmap",)),
        Operation("cow_byte", DEFAULT, _NEW + _REMOVE_PTE),
    ), copies=2),
    Family("anon", "anon", (
        Operation("split_pmd", PMD, _calls("add_anon", "ptes") + _calls("remove", "pmd"), (PMD_ORDER,)),
    )),
    Family("anon", "anon", (Operation("mprotect", MAPPED, ()), Operation("mremap", DEFAULT, ()))),
    Family("anon", "anon", (Operation("lazyfree", DEFAULT, _calls("remove", "pte", "ptes")),)),
    Family("anon", "anon", (Operation("pageout", DEFAULT, _SHARE_PTE + _REMOVE_PTE),)),
    Family("anon", "anon", (
        Operation("migrate", DEFAULT + PMD, _MIGRATED + _calls("add_anon", "pte", "pmd")),
    ), copies=2),
    Family("anon", "anon", (
        Operation("ksm", DEFAULT, _SHARE_PTE + _calls("add_anon", "pte") + _REMOVE_PTE, (0,)),
    )),
    Family("shmem", "shmem", (
        Operation("munmap", MAPPED, _REMOVE),
        Operation("fault_around", DEFAULT + PMD, _calls("add_file", "ptes", "pmd")),
        Operation("uffd_continue", DEFAULT, _calls("add_file", "pte")),
    )),
    Family("shmem", "shmem_private", (Operation("fork", PTE + DEFAULT, _calls("dup_file", *PTE)),)),
    Family("file", "file", (
        Operation("munmap", MAPPED, _REMOVE),
        Operation("fault_around", DEFAULT + PMD, _calls("add_file", "ptes", "pmd")),
    )),
    Family("file", "file_private", (Operation("fork", PTE + DEFAULT, _calls("dup_file", *PTE)),)),
    Family("hugetlb", "hugetlb", (
        Operation("fault", FOLIO, ("hugetlb_add_new_anon_rmap",), (PMD_ORDER,)),
        Operation("fork", FOLIO, ("hugetlb_try_dup_anon_rmap",), (PMD_ORDER,), least=1 << 30),
        Operation("munmap", FOLIO, ("hugetlb_remove_rmap",), (PMD_ORDER,)),
    )),
    Family("hugetlb", "hugetlb_shared", (
        Operation("fault_around", FOLIO, ("hugetlb_add_file_rmap",), (PMD_ORDER,)),
    )),
    Family("hugetlb", "hugetlb", (
        Operation("migrate", FOLIO, _HUGETLB_MIGRATED, (PMD_ORDER,)),
    ), copies=2),
)  # fmt: skip


def families() -> list[tuple[str, Family, Operation]]:
    """Every operation with its family and the kind that its cases have."""
    return [(family.kind, family, operation) for family in FAMILIES for operation in family.operations]


def every_case(memory: str) -> list[Case]:
    """What a machine that lacks nothing can measure, with an amount of memory."""
    return [
        family.case(operation, path, order, memory)
        for kind, family, operation in families()
        for path in operation.paths
        for order in ORDERS[kind]
        if operation.has(path, order)
    ]


# Amounts of memory, as case names have them


def parse_memory(text: str) -> int:
    """Bytes of an amount such as 1GiB or 256MiB; UsageError for anything else, or no multiple of 4 MiB."""
    size = amount(text)
    if size == 0 or size % (4 * MIB):
        raise UsageError(f"memory={text}: give a multiple of 4 MiB, such as memory=256MiB or memory=1GiB")
    return size


def format_memory(size: int) -> str:
    """The shortest name of an amount."""
    unit = next(unit for unit in reversed(UNITS) if size % UNITS[unit] == 0)
    return f"{size // UNITS[unit]}{unit}"
