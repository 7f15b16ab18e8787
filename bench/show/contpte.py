"""Which figures contpte has a part in: aarch64 folds 16 neighbouring PTEs of a folio into one TLB entry."""

from __future__ import annotations

from collections.abc import Iterable

from bench.case import Case
from bench.results import Results
from bench.show.table import size

MACHINE = "aarch64"
FIRST_ORDER = 4  # CONT_PTES is 16 with 4 KiB pages
NOTE = (
    f"on {MACHINE} such bits also keep the PTEs of {size(FIRST_ORDER)} and larger folios from being folded "
    "(contpte): there the change is that of batching and folding together"
)


def folds(results: Results, cases: Iterable[Case]) -> bool:
    """Are there cases of such folios? Only kernels from 6.9 on fold, and no older one has these sizes."""
    return any(FIRST_ORDER <= case.order < 9 and _machine(results, case) == MACHINE for case in cases)


def _machine(results: Results, case: Case) -> str:
    """The case's machine, else the one that was measured on, if it is this one."""
    here = MACHINE if MACHINE in str(results.metadata.get("platform", "")) else ""
    return case.get("machine") or (here if case.level in ("live", "vm") else "")
