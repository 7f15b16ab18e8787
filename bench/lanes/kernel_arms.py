"""What lanes of a running kernel have in common: their control arms, and what is told of an arm's proofs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.case import Case, Filters
from bench.measure.plan import Arm

PAGE = 4096
WORKLOAD = 2  # kept with figures, raised when the workload takes those of one kernel in another way
# What `run` measures of a kernel where no filter is given.
UNASKED = Filters(("fork", "unmap_after_fork", "munmap"), (("kind", ("anon",)),))
BASES = ("ptes", "folio", "default", "pmd")  # the path whose arm the controls repeat: the first there is
# The worst of a process's or boot's proofs: shares at least, counts at most.
WORST: dict[str, Callable[..., float]] = {
    "order_share": min, "present": min, "by_pmd": min, "wp_even": min, "wp_odd": max,
    "vmas": max, "fallbacks": max, "splits": max, "attempts": max,
}  # fmt: skip


def six_digits(value: float) -> float:
    """The value to as many digits as a figure has."""
    return float(f"{value:.6g}")


def larger(size: int, order: int) -> int:
    """The positive control's memory: 1/32 more, in whole folios and pairs of pages."""
    folio = max(PAGE << order, 2 * PAGE)
    return size + -(-size // 32 // folio) * folio


def extra_bytes(spec: Mapping[str, Any]) -> int:
    """How much more than nominal memory an arm has: only a positive control has more."""
    return larger(spec["bytes"], spec["order"]) - spec["bytes"] if spec["role"] == "positive" else 0


def extra_pages(spec: Mapping[str, Any]) -> dict[str, int]:
    """The same in pages, as the metadata that says how large a positive control truly is."""
    return {"extra_pages": more // PAGE} if (more := extra_bytes(spec)) else {}


def control_arms(arms: Sequence[Arm]) -> list[Arm]:
    """The same arm measured twice, and the same arm over a memory 1/32 larger."""
    base = min(arms, key=lambda arm: BASES.index(arm.spec["path"]) if arm.spec["path"] in BASES else 9)
    return [
        Arm(
            tuple(Case.parse(name).but(control=role).name for name in base.cases if name),
            {**base.spec, "role": role},
        )
        for role in ("twin", "positive")
    ]
