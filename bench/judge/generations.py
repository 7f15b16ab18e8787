"""Generations of the kernel's rmap code and how they are told from users' variants; which are judged."""

from __future__ import annotations

from collections.abc import Iterable

from bench.case import Case, natural
from bench.results import Results

# Oldest first; what is not among them is a user's variant. The last is an option, not the default kernel.
GENERATIONS = ("v6.7", "rfc-2023-12", "v6.8", "v6.10", "v6.12", "v6.15", "v6.15-no-page-mapcount")
OPTIONAL = GENERATIONS[-1:]
EMPTY = "_empty"


def is_plain(case: Case) -> bool:
    """Is it neither a control nor the cost of calling?"""
    return not case.get("control") and case.get("variant") != EMPTY


def variant_of(case: Case) -> str:
    """The implementation: a variant of the model, a kernel of the vm lane."""
    return case.get("variant") or case.get("kernel")


def rank(variant: str) -> tuple[int, tuple[object, ...]]:
    """Sort key: generations by age, then users' variants and kernels by name."""
    known = GENERATIONS.index(variant) if variant in GENERATIONS else len(GENERATIONS)
    return known, natural(variant)


def shown_by_default(variants: Iterable[str]) -> list[str]:
    """The newest generation present (an optional one only if there is no other), and every user's variant."""
    ordered = sorted(set(variants), key=rank)
    generations = [v for v in ordered if v in GENERATIONS]
    newest = [v for v in generations if v not in OPTIONAL] or generations
    return newest[-1:] + [v for v in ordered if v not in GENERATIONS]


def shown_of(cases: Iterable[Case]) -> list[str]:
    """Of these cases the newest generation, every user's variant and every kernel, whatever it is called."""
    kernels, variants = set[str](), set[str]()
    for case in cases:
        (kernels if case.get("kernel") else variants).add(variant_of(case))
    return shown_by_default(variants) + sorted(kernels, key=natural)


def is_generation(case: Case) -> bool:
    """Is it of one of the model's generations? A kernel that is called like one is not."""
    return not case.get("kernel") and case.get("variant") in GENERATIONS


def kernel_order(results: Results) -> list[str]:
    """The kernels of a file in the order in which the run was given them, the base first.

    Files keep that order: the cases of a block, and the `base` that all kernels but the first one have. A
    file in which no case has a base says nothing of an order: then by name, v6.8 before v6.12.
    """
    cases = [case for case in results.runs if case.get("kernel")]
    named = {str(results.note(case, "base") or "") for case in cases} - {""}
    machines = list(dict.fromkeys(case.get("machine") for case in cases))
    found = {case.get("kernel"): machines.index(case.get("machine")) for case in reversed(cases)}
    names = list(dict.fromkeys(case.get("kernel") for case in cases))
    if not named:
        return sorted(names, key=natural)
    return sorted(names, key=lambda name: (found[name], name not in named, names.index(name)))
