"""Instructions a page against those of an older file: each case with itself, boot against boot.

Counts depend on no machine's speed, so nothing is divided by anything of the same run: the figure itself is
judged, of every path, by the margins in instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.evidence import counted
from bench.judge.gate import Court, Ruling, check_same
from bench.judge.generations import is_plain
from bench.judge.guests import check_guests, counterparts, kernels_of, other_tools
from bench.judge.pairs import Pair, only_shown, own_way_first
from bench.judge.policy import Policy
from bench.judge.stats import Samples
from bench.results import Results


def judge_instructions(
    results: Results, old: Results, name: str, policy: Policy, filters: Filters | None = None
) -> Ruling:
    """The verdicts on how each case's count differs from the one in an older file called `name`."""
    check_same(results, old, name, ("lane", "figure"))
    check_guests(results, old, name)
    new, before = Samples(results), Samples(old)
    court = Court(new, policy, lambda pair, margin: counted(new, before, pair, margin), before, name)
    ruling = court.ruling(compared(results, old, name, filters))
    return replace(ruling, remarks=other_tools(results, old, name))


def compared(results: Results, old: Results, name: str, filters: Filters | None = None) -> list[Pair]:
    """Every case of the new file with that of the old one, order 0 first, `default` first.

    What only the new one has is shown, what only the old one has is missing.
    """
    here = [case for case in (*results.runs, *map(Case.parse, results.failed)) if is_plain(case)]
    chosen = filters.select(here) if filters else here
    kernels = counterparts(kernels_of(chosen), kernels_of(case for case in old.runs if is_plain(case)))
    _check_kernels(kernels_of(chosen), kernels, old, name)
    pairs = [Pair(case, case.but(kernel=kernels[case.get("kernel")]), "", name) for case in chosen]
    pairs += [pair for pair in _gone(here, kernels, old, name) if not filters or filters.match(pair.case)]
    known = [pair for pair in pairs if pair.case in results.runs or pair.base in old.runs]
    told = (replace(pair, why_not=_why_not(pair, results, old)) for pair in known)
    return sorted(told, key=lambda pair: (pair.case.order > 0, own_way_first(pair.case)))


def _gone(here: list[Case], kernels: dict[str, str], old: Results, name: str) -> Iterator[Pair]:
    """Of kernels that are compared, cases that only the old file has."""
    new = {old_name: new_name for new_name, old_name in kernels.items()}
    for base in old.runs:
        if is_plain(base) and base.get("kernel") in new:
            case = base.but(kernel=new[base.get("kernel")])
            if case not in here:
                yield Pair(case, base, "", name)


def _why_not(pair: Pair, results: Results, old: Results) -> str:
    """Why a case is shown and not judged, by what either file says of it; empty if it is judged."""
    if pair.base not in old.runs:
        return f"not in {pair.file}"
    return only_shown(results, pair.case) or only_shown(old, pair.base)


def _check_kernels(new: set[str], kernels: dict[str, str], old: Results, name: str) -> None:
    """Refuse a kernel that has none to be compared with: a gate that passes it over would call it good."""
    alone = sorted(new - kernels.keys())
    if alone:
        there = ", ".join(sorted(kernels_of(case for case in old.runs if is_plain(case))))
        raise UsageError(
            f"{name}: has no kernel {', '.join(alone)}, only {there}; compare files of one kernel each, "
            "or choose a kernel of both with kernel=NAME"
        )
