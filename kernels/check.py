"""Is a variant right? Its calls beside the oracle and the invariants, in directed and random scenarios."""

from __future__ import annotations

import random
from dataclasses import dataclass

from kernels import abi
from kernels.checking.directed import Scenario, scenarios
from kernels.checking.legal import Legal, random_folios
from kernels.checking.replay import Mismatch, Replay, Variant
from kernels.checking.rules import RULES
from kernels.variants import VariantFile

__all__ = ["Mismatch", "Summary", "check"]
INTERLEAVINGS = 300
STEPS = (4, 16)  # operations of an interleaving, at least and at most


@dataclass(frozen=True)
class Summary:
    """What a variant that is right was asked to do."""

    calls: int
    scenarios: int
    threads: str  # what two threads did, for people


def check(file: VariantFile, seed: int = 0) -> Summary:
    """Mismatch, with call, arguments, counter, expected and found, if the variant is wrong."""
    variant = Variant(file)
    directed = list(scenarios(RULES[variant.generation], file.anon_orders, file.file_orders))
    calls = sum(_directed(variant, scenario) for scenario in directed)
    calls += sum(interleaving(variant, f"{seed}/{number}") for number in range(INTERLEAVINGS))
    return Summary(calls, len(directed), _threads(variant))


def _directed(variant: Variant, scenario: Scenario) -> int:
    run = Replay(variant, scenario.folios, f" of scenario {scenario.name!r}")
    for step in scenario.steps:
        run.do(step)
    return run.calls


def interleaving(variant: Variant, seed: str) -> int:
    """Random legal operations, then everything is unmapped; the number of calls. Mismatch if wrong."""
    rng = random.Random(seed)
    folios = random_folios(rng, variant.file.anon_orders, variant.file.file_orders)
    run = Replay(variant, folios, f" of random interleaving {seed}")
    legal = Legal(run, rng)
    for _ in range(rng.randint(*STEPS)):
        run.do(legal.next())
    run.do(legal.unmap_all())
    return run.calls


def _threads(variant: Variant) -> str:
    if abi.INTERPRETED:
        return "two threads only when compiled"
    from kernels.checking.threads import two_threads

    return two_threads(variant)
