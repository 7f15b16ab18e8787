"""Scenarios that every variant must pass: each call and path, and the worked examples of spec section 8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernels.checking.operations import FolioSpec, Operation, op
from kernels.checking.rules import Rules
from kernels.mm_types import HPAGE_PMD_ORDER, RMAP_EXCLUSIVE

MAPPERS = ("A", "B", "C", "locked", "special", "droppable")
HUGETLB_ORDER = HPAGE_PMD_ORDER


@dataclass(frozen=True)
class Scenario:
    """Folios and groups of operations; between groups the folios are at rest."""

    name: str
    folios: tuple[FolioSpec, ...]
    steps: tuple[tuple[Operation, ...], ...]


def scenario(
    name: str, kind: str, order: int, *steps: Operation | tuple[Operation, ...], fresh: bool = False
) -> Scenario:
    """A scenario on one folio."""
    groups = tuple(step if isinstance(step, tuple) else (step,) for step in steps)
    return Scenario(f"{name}, order {order}", (FolioSpec(kind, order, fresh),), groups)


def scenarios(rules: Rules, anon_orders: tuple[int, ...], file_orders: tuple[int, ...]) -> Iterator[Scenario]:
    """All that apply to folios of these orders."""
    for order in anon_orders:
        yield from _anon(order, rules)
        if order == HPAGE_PMD_ORDER:
            yield from _anon_pmd(order)
    for order in file_orders:
        for kind in ("file", "shmem"):
            yield from _file(kind, order)
            if order == HPAGE_PMD_ORDER:
                yield from _file_pmd(kind, order)
    yield from _hugetlb()


def third(order: int) -> tuple[int, int]:
    """A range inside the folio that leaves pages on both sides: pages 4-6 of 16."""
    npages = 1 << order
    return npages // 4, max(1, npages * 3 // 16)


def around(order: int) -> list[tuple[int, int]]:
    """The ranges beside it."""
    npages, (first, nr) = 1 << order, third(order)
    return [(a, n) for a, n in ((0, first), (first + nr, npages - first - nr)) if n]


def new(order: int, vma: str = "A", flags: int = RMAP_EXCLUSIVE) -> Operation:
    """The first mapping of a new anonymous folio."""
    return op("add_new_anon", "folio", 0, 1 << order, vma, flags=flags)


def exclusive(first: int, nr: int, vma: str = "A", path: str = "ptes") -> Operation:
    """add_anon with RMAP_EXCLUSIVE."""
    return op("add_anon", path, first, nr, vma, flags=RMAP_EXCLUSIVE)


def dup(first: int, nr: int, vma: str, path: str = "ptes", src: str = "A") -> Operation:
    """try_dup_anon."""
    return op("try_dup_anon", path, first, nr, vma, src=src)


def _anon(order: int, rules: Rules) -> Iterator[Scenario]:
    npages, (first, nr) = 1 << order, third(order)
    whole_pmd = order == HPAGE_PMD_ORDER  # add_new maps it by a PMD
    removal = op("remove", "pmd") if whole_pmd else op("remove", "ptes", 0, npages)
    for vma in MAPPERS:
        flags = (RMAP_EXCLUSIVE, 0) if rules.new_flags else (RMAP_EXCLUSIVE,)
        for flag in flags:
            undo = op("remove", removal.path, 0, removal.nr, vma)
            yield scenario(f"new in {vma}", "anon", order, new(order, vma, flag), undo, fresh=True)
    forked = (exclusive(0, npages), dup(0, npages, "B"), op("remove", "ptes", first, nr, "B"))
    rest = [op("remove", "ptes", a, n, vma) for vma in ("B", "A") for a, n in around(order)]
    yield scenario(
        "fork and unmap (8.1)", "anon", order, *forked, op("remove", "ptes", first, nr, "A"), *rest
    )
    yield scenario(
        "in the swap cache", "anon", order,
        *forked, op("swapcache"), op("remove", "ptes", first, nr, "A"), *rest,
    )  # fmt: skip
    yield scenario(
        "three mms", "anon", order,
        *(op("add_anon", "ptes", 0, npages, vma) for vma in ("A", "B", "C")),
        *(op("remove", "ptes", 0, npages, vma) for vma in ("A", "B")),
        op("remove", "ptes", first, nr, "C"), op("add_anon", "pte", first, 1, "C"),
    )  # fmt: skip
    yield scenario(
        "page by page", "anon", order,
        *(exclusive(page, 1, path="pte") for page in range(min(npages, 4))),
        op("try_share_anon", "pte", 0, 1),
        *(dup(page, 1, "B", "pte") for page in range(min(npages, 4))),
        op("add_anon", "pte", 0, 1, "locked"), op("add_anon", "pte", 0, 1, "special"),
        *(op("remove", "pte", page, 1, vma) for vma in ("A", "B") for page in range(min(npages, 4))),
        op("remove", "pte", 0, 1, "locked"), op("remove", "pte", 0, 1, "special"),
    )  # fmt: skip
    yield scenario(
        "moved", "anon", order,
        exclusive(0, npages, "B"), op("move_anon", "folio", vma="B"), op("remove", "ptes", 0, npages, "B"),
    )  # fmt: skip
    yield scenario(
        "mlocked", "anon", order, op("add_anon", "ptes", 0, npages, "locked"), dup(0, 1, "B", src="locked")
    )
    if rules.adopts and (order == 0 or whole_pmd):
        path = "pmd" if whole_pmd else "pte"
        for flag in (RMAP_EXCLUSIVE, 0):
            swapped_in = op("add_anon", path, 0, 1, "C", flags=flag)
            yield scenario(
                "not yet anonymous", "anon", order, swapped_in, op("remove", path, vma="C"), fresh=True
            )
    yield from _pinned(order)


def _pinned(order: int) -> Iterator[Scenario]:
    """What pins refuse (8.5, 8.6)."""
    npages, page = 1 << order, (1 << order) // 3
    yield scenario(
        "pinned (8.5)", "anon", order,
        exclusive(0, npages), op("pin"), dup(0, npages, "B"), dup(npages - 1, 1, "B", "pte"),
        op("try_share_anon", "pte", page, 1), op("unpin"), op("try_share_anon", "pte", page, 1),
        op("pin"), dup(page, 1, "B", "pte"), op("unpin"), dup(0, page, "B") if page else op("pin"),
    )  # fmt: skip
    yield scenario(
        "pinned, but the mm never pinned", "anon", order,
        exclusive(0, npages, "B"), op("pin"), dup(0, npages, "C", src="B"),
    )  # fmt: skip
    yield scenario(
        "pinned and shared", "anon", order,
        op("add_anon", "ptes", 0, npages), op("pin"), dup(0, npages, "B"), dup(0, npages, "C"),
    )  # fmt: skip
    yield scenario(
        "one exclusive page (8.6)", "anon", order,
        *(op("add_anon", "ptes", a, n) for a, n in ((0, page), (page + 1, npages - page - 1)) if n),
        exclusive(page, 1), op("pin"), dup(0, npages, "B"),
        *(dup(a, n, "B") for a, n in ((0, page), (page + 1, npages - page - 1)) if n),
        dup(page, 1, "B", "pte"),
    )  # fmt: skip
    yield scenario(
        "many references look like a pin to small folios", "anon", order,
        exclusive(0, npages), op("reference", nr=1023 - npages), dup(0, 1, "B"), op("reference"),
        dup(0, 1, "C"),
    )  # fmt: skip


def _anon_pmd(order: int) -> Iterator[Scenario]:
    npages = 1 << order
    split = (exclusive(0, npages), op("remove", "pmd"))
    fork = dup(0, 1, "B", "pmd")
    split_b = (op("add_anon", "ptes", 0, npages, "B"), op("remove", "pmd", vma="B"))
    yield scenario(
        "split in place (8.2)", "anon", order,
        new(order), split, op("remove", "ptes", 0, 1), op("remove", "ptes", 1, npages - 1),
    )  # fmt: skip
    yield scenario(
        "fork, split, zap (8.4)", "anon", order,
        new(order), fork, split_b, op("remove", "ptes", 0, 100, "B"), op("remove", "pmd"),
        op("remove", "ptes", 100, npages - 100, "B"),
    )  # fmt: skip
    yield scenario(
        "PMDs come and go", "anon", order,
        op("add_anon", "pmd", flags=RMAP_EXCLUSIVE), op("try_share_anon", "pmd"),
        op("add_anon", "pmd", vma="locked"), op("add_anon", "pmd", vma="special"), dup(0, 1, "C", "pmd"),
        *(op("remove", "pmd", vma=vma) for vma in ("A", "locked", "C", "special")),
    )  # fmt: skip
    yield scenario(
        "pinned whole", "anon", order,
        op("add_anon", "pmd", flags=RMAP_EXCLUSIVE), op("pin"), fork, op("try_share_anon", "pmd"),
        op("unpin"), fork, op("pin"), dup(0, 1, "C", "pmd"), op("remove", "pmd"),
        op("remove", "pmd", vma="B"),
    )  # fmt: skip
    yield scenario(
        "a part under PTEs of another mm", "anon", order,
        op("add_anon", "pmd"), op("add_anon", "ptes", 1, 3, "B"), op("remove", "pmd"),
        op("remove", "ptes", 1, 3, "B"),
    )  # fmt: skip
    yield scenario(
        "all under PTEs of another mm", "anon", order,
        op("add_anon", "pmd"), op("add_anon", "ptes", 0, npages, "B"), op("remove", "pmd"),
        op("remove", "ptes", 0, npages, "B"),
    )  # fmt: skip


def _file(kind: str, order: int) -> Iterator[Scenario]:
    npages, (first, nr) = 1 << order, third(order)
    last_range = [op("remove", "pte", page, 1, "C") for page in range(first, min(first + nr, first + 3))]
    yield scenario(
        "three mms (8.3)", kind, order,
        *(op("add_file", "ptes", 0, npages, vma) for vma in ("A", "B", "C")),
        *(op("remove", "ptes", 0, npages, vma) for vma in ("A", "B")),
        *(op("remove", "ptes", a, n, "C") for a, n in around(order)),
        *((op("add_file", "pte", 0, 1, "C"), op("remove", "pte", 0, 1, "C")) if first else ()),
        *last_range, op("remove", "ptes", first + 3, nr - 3, "C") if nr > 3 else op("add_file", "pte"),
    )  # fmt: skip
    yield scenario(
        "parts", kind, order,
        op("add_file", "ptes", first, nr, "locked"), op("add_file", "ptes", 0, npages, "A"),
        op("add_file", "ptes", 0, npages, "A2"), op("dup_file", "ptes", first, nr, "B"),
        op("dup_file", "pte", first, 1, "C"), op("remove", "ptes", 0, npages, "A2"),
        op("remove", "ptes", first, nr, "locked"), op("remove", "ptes", 0, npages, "A"),
    )  # fmt: skip
    yield scenario(
        "mlocked", kind, order,
        op("add_file", "ptes", 0, npages, "locked"), op("add_file", "ptes", 0, npages, "special"),
        op("remove", "ptes", 0, npages, "special"), op("remove", "pte", 0, 1, "locked"),
    )  # fmt: skip


def _file_pmd(kind: str, order: int) -> Iterator[Scenario]:
    npages = 1 << order
    yield scenario(
        "PMDs and PTEs", kind, order,
        op("add_file", "pmd"), op("add_file", "ptes", 5, 3, "B"), op("add_file", "pmd", vma="locked"),
        op("remove", "pmd"), op("remove", "pmd", vma="locked"), op("add_file", "pmd", vma="special"),
        op("remove", "ptes", 5, 3, "B"), op("remove", "pmd", vma="special"),
    )  # fmt: skip
    yield scenario(
        "a PMD over PTEs", kind, order,
        op("add_file", "ptes", 0, 300, "B"), op("add_file", "pmd"), op("remove", "pmd"),
        op("remove", "ptes", 0, 300, "B"),
    )  # fmt: skip
    yield scenario(
        "duplicated whole", kind, order,
        op("add_file", "pmd"), op("add_file", "ptes", 0, npages, "C"), op("dup_file", "pmd", vma="B"),
    )  # fmt: skip


def _hugetlb() -> Iterator[Scenario]:
    order = HUGETLB_ORDER
    add = op("hugetlb_add_anon", "folio", flags=RMAP_EXCLUSIVE)
    fork = op("hugetlb_try_dup_anon", "folio", vma="B")
    share, remove = op("hugetlb_try_share_anon", "folio"), op("hugetlb_remove", "folio")
    remove_b = op("hugetlb_remove", "folio", vma="B")
    first = op("hugetlb_add_new_anon", "folio", vma="C")
    yield scenario(
        "hugetlb new", "hugetlb_anon", order, first, op("hugetlb_remove", "folio", vma="C"), fresh=True
    )
    yield scenario("hugetlb fork", "hugetlb_anon", order, add, fork, remove, remove_b)
    yield scenario("hugetlb share", "hugetlb_anon", order, add, share, fork, remove, remove_b)
    yield scenario(
        "hugetlb pinned",
        "hugetlb_anon",
        order,
        add,
        op("pin"),
        fork,
        share,
        op("unpin"),
        share,
        op("pin"),
        fork,
    )
    from_b = op("hugetlb_try_dup_anon", "folio", vma="C", src="B")
    added_b = op("hugetlb_add_anon", "folio", vma="B", flags=RMAP_EXCLUSIVE)
    yield scenario("hugetlb pinned by others", "hugetlb_anon", order, added_b, op("pin"), from_b)
    shared = op("hugetlb_add_anon", "folio", vma="locked")
    yield scenario(
        "hugetlb shared", "hugetlb_anon", order, shared, op("hugetlb_add_anon", "folio"), fork, remove
    )
    adds = [op("hugetlb_add_file", "folio", vma=vma) for vma in ("A", "B", "locked")]
    yield scenario("hugetlb file", "hugetlb_file", order, *adds, remove, remove_b)
