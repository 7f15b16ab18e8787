"""Targets: which functions of a variant a family's arms call, and with what in place of flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.lanes.model.families import Family
from kernels import abi, variants
from kernels.calls import resolve
from kernels.mm_types import HPAGE_PMD_ORDER, RMAP_COMPOUND
from kernels.variants import VariantFile


@dataclass(frozen=True)
class Target:
    """One function to call page by page (`path` pte) or folio by folio; `whole` as in kernels.calls."""

    function: Any
    path: str
    whole: bool

    def argument(self, flags: int) -> int:
        """The value of `flags`, or of 6.7's `compound` argument."""
        if "compound" in self.function.prototype.args:
            return int(self.whole)
        return flags | RMAP_COMPOUND if self.whole else flags


@dataclass(frozen=True)
class Calls:
    """What an arm calls: the call, what undoes it, and what brings the folios into the state before it."""

    call: Target
    inverse: Target | None
    setup: Target | None

    def all(self) -> Iterator[Target]:
        """Those that there are."""
        return (target for target in (self.call, self.inverse, self.setup) if target)


def path_used(file: VariantFile, call: str, path: str, order: int) -> str:
    """The path of `call` that goes with another call's path: the same if there is one, else page by page.

    Empty if the variant has neither.
    """
    whole = "pmd" if order == HPAGE_PMD_ORDER else "ptes"
    candidates = (path, whole, "pte") if path == "folio" else (path, "pte")
    return next((candidate for candidate in candidates if resolve(file, call, candidate)), "")


def besides(family: Family) -> tuple[str, str]:
    """The calls that undo the family's call and bring folios into the state before it; empty: none."""
    adding = "add_file" if family.call.endswith("_file") else "add_anon"
    prefix = "hugetlb_" if family.kind == "hugetlb" else ""
    return family.inverse or "", prefix + adding if family.mapped else ""


def measurable(file: VariantFile, family: Family, path: str, order: int) -> bool:
    """Has the variant everything that an arm of the family calls?"""
    has_call = resolve(file, family.call, path) is not None
    return has_call and all(path_used(file, call, path, order) for call in besides(family) if call)


class Targets:
    """The functions of all variants, imported when first asked for."""

    def __init__(self, extra: Mapping[str, Path]) -> None:
        self.files = variants.discover(dict(extra), hidden=True)
        self.module = cache(self._module)

    def _module(self, variant: str) -> ModuleType:
        return variants.load(self.files[variant])

    def of(self, family: Family, variant: str, path: str, order: int) -> Calls:
        """What the arms of one family call in one variant, on one path, at one order."""
        inverse, setup = (
            self._target(variant, call, path_used(self.files[variant], call, path, order)) if call else None
            for call in besides(family)
        )
        return Calls(self._target(variant, family.call, path), inverse, setup)

    def _target(self, variant: str, call: str, path: str) -> Target:
        resolved = resolve(self.files[variant], call, path)
        assert resolved is not None
        function = getattr(self.module(variant), resolved.function)
        kernel = function.ptes if isinstance(function, abi.Single) else function
        return Target(kernel, path, resolved.whole)
