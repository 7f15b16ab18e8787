"""A fake lane: results with known true costs and effects, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.case import Case
from bench.judge.generations import GENERATIONS
from bench.results import ProcessRun, Results

ORDERS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
# (call, kind, state): order-0 cost in ns, cost a page of a large batch as a part of it, paths
FAMILIES: dict[tuple[str, str, str | None], tuple[float, float, tuple[str, ...]]] = {
    ("add_new_anon", "anon", "first"): (7.9, 0.75, ("folio",)),
    ("add_anon", "anon", "first"): (12.4, 0.80, ("pte", "ptes", "pmd")),
    ("add_file", "file", "first"): (6.9, 0.55, ("pte", "ptes", "pmd")),
    ("try_dup_anon", "anon", "exclusive"): (10.6, 0.90, ("pte", "ptes", "pmd")),
    ("dup_file", "file", "shared"): (5.3, 0.95, ("pte", "ptes")),
    ("remove", "anon", "last"): (6.8, 0.50, ("pte", "ptes", "pmd")),
    ("try_share_anon", "anon", "exclusive"): (5.9, 1.0, ("pte", "pmd")),
}
MAIN = tuple(key for key in FAMILIES if key[0] != "try_share_anon")
# What a variant costs at order 0 beside v6.12.
AT_ORDER_0 = {"v6.7": 0.985, "rfc-2023-12": 1.03, "v6.8": 1.02, "v6.10": 1.0, "v6.12": 1.0, "v6.15": 1.004}
BASES = dict(zip(GENERATIONS[1:], GENERATIONS)) | {"v6.15-no-page-mapcount": "v6.15"}
SAME_CODE = ("add_anon", "add_file", "remove")  # at order 0, since v6.8
LOCKED_NS, ADDED, PAGES = 4.9, 64, 1024


@dataclass(frozen=True)
class Noise:
    """What disturbs the figures, as fractions: of a process, of a round, and how many rounds are bad."""

    process: float = 0.001
    batch: float = 0.01
    disturbed: float = 0.03
    slowdown: float = 0.10


def results(
    families: Iterable[tuple[str, str, str | None]] = MAIN,
    variants: Iterable[str] = ("v6.12", "v6.15"),
    orders: Iterable[int] = ORDERS,
    processes: int = 8,
    rounds: int = 60,
    seed: int = 1,
    noise: Noise = Noise(),
    **metadata: str | int | float,
) -> Results:
    """Results of the fake lane; costs are those of `true_ns`."""
    rng = np.random.default_rng(seed)
    found = Results({}, {"lane": "model", "hostname": "nowhere", "seed": seed, **metadata}, {})
    for family in families:
        for order in orders:
            cases = list(group_cases(family, tuple(variants), order))
            _measure(found, cases, processes, rounds, rng, noise)
    return found


def group_cases(family: tuple[str, str, str | None], variants: tuple[str, ...], order: int) -> Iterator[Case]:
    """All cases of a group, controls included; none where the kind has no folios of that order."""
    call, kind, state = family
    if kind == "anon" and order == 1:
        return
    group = Case.of("call", call, kind=kind, state=state, order=order)
    paths = [path for path in FAMILIES[family][2] if path_exists(family, path, order)]
    for variant in variants:
        for path in paths:
            if not (variant == "v6.7" and path == "ptes"):
                yield group.but(variant=variant, path=path)
    arm = group.but(variant=variants[-1], path=paths[0])
    yield from (arm.but(control=control) for control in ("twin", "positive"))
    yield from (group.but(variant="_empty", path=path) for path in paths)
    yield group.but(control="yardstick")


def path_exists(family: tuple[str, str, str | None], path: str, order: int) -> bool:
    if path == "pmd":
        return order == 9
    return path != "ptes" or order > 0 or family[0] not in SAME_CODE


def true_ns(case: Case) -> float:
    """The true cost of a base page, in nanoseconds."""
    cost, large, _ = FAMILIES[case.op, case.get("kind"), case.get("state") or None]
    pages, batched = 1 << case.order, case.get("path") in ("ptes", "folio")
    if case.get("control") == "yardstick":
        return LOCKED_NS
    if case.get("variant") == "_empty":
        return 1.3 / (pages if batched or case.get("path") == "pmd" else 1)
    if case.get("path") == "pmd":
        return cost * 1.6 / pages
    shape = AT_ORDER_0.get(case.get("variant"), 1.01)
    if pages > 1:
        shape *= large + (1 - large) / pages if batched else 1.35
        shape *= 0.2 if batched and case.get("variant").endswith("no-page-mapcount") else 1
    elif case.get("path") == "ptes":
        shape *= 1.006
    return cost * shape + (LOCKED_NS * ADDED / PAGES if case.get("control") == "positive" else 0)


def _measure(
    found: Results, cases: list[Case], processes: int, rounds: int, rng: np.random.Generator, noise: Noise
) -> None:
    for process in range(processes):
        walk = 1 + 0.0004 * np.cumsum(rng.standard_normal(rounds))
        bad = rng.random(rounds) < noise.disturbed
        for case in cases:
            drift = walk * np.where(bad, 1 + noise.slowdown * rng.random(rounds), 1)
            own = np.exp(noise.process * rng.standard_normal())
            spread = np.exp(noise.batch * np.abs(rng.standard_normal(rounds)))
            if case.get("control") == "yardstick":
                own, drift, spread = 1.0, walk * np.where(bad, 1 + noise.slowdown, 1), np.ones(rounds)
            values = 1e-9 * true_ns(case) * own * drift * spread
            run = ProcessRun(process, values, 1000, _metadata(case))
            found.runs.setdefault(case, []).append(run)


def _metadata(case: Case) -> dict[str, str | int | float]:
    told: dict[str, str | int | float] = {"pages": PAGES}
    if case.get("control") == "positive":
        told["extra_locked"] = ADDED
    if case.get("variant") and case.get("variant") != "_empty":
        told["base"] = BASES.get(case.get("variant"), "v6.12")
        if case.order == 0 and case.op in SAME_CODE and case.get("variant") != "v6.7":
            told["same_code"] = 1
    return told
