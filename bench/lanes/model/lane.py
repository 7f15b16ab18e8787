"""The model lane: which cases exist, how they become blocks, what must hold before they are timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.case import ALL, Case, Filters, natural
from bench.errors import UsageError, one_of
from bench.lanes.model import checks, processes, scenario_plan, sizes
from bench.lanes.model.families import EMPTY, FAMILIES, MAIN_CALLS, MAIN_VARIANTS, Family
from bench.lanes.model.targets import measurable, path_used
from bench.measure.plan import Arm, Block, Pace, Plan
from kernels import variants
from kernels.calls import resolve
from kernels.mm_types import HPAGE_PMD_ORDER
from kernels.variants import VariantFile

SESSION = "bench.lanes.model.session"
Extra = Mapping[str, Path]
DESCRIBED = ("name", "", "base", "said")  # what stands in a line about a variant
PACE = Pace()  # two workers at once were found not to disturb each other
UNASKED = Filters(("call",))  # what `run` measures where no filter is given


def found(extra: Extra) -> dict[str, VariantFile]:
    """Every variant, oldest generation first, user variants last, without `_empty`."""
    try:
        return variants.discover(dict(extra))
    except variants.VariantError as error:
        raise UsageError(str(error)) from None


def cases(extra: Extra, filters: Filters = ALL) -> list[Case]:
    """Every case of every variant, and those that filters make; no control, no `_empty`."""
    return [*call_cases(extra), *scenario_plan.cases(found(extra).values(), filters)]


def call_cases(extra: Extra) -> list[Case]:
    """Those of the calls alone."""
    listed = [case for file in found(extra).values() for case in _cases_of(file)]
    return sorted(dict.fromkeys(listed), key=_listing_order)


def main_cases() -> list[Case]:
    """What `rmapbench` without arguments measures."""
    chosen = [
        case for case in call_cases({}) if case.op in MAIN_CALLS and case.get("variant") in MAIN_VARIANTS
    ]
    return [case for case in chosen if case.get("path") != "pmd"]


def describe_variants(extra: Extra) -> list[str]:
    """A line a variant: name, base, what it is."""
    return [f"{file.name:24} base {file.base or '-':10} {file.doc}" for file in found(extra).values()]


def _listing_order(case: Case) -> tuple[object, ...]:
    calls = list(dict.fromkeys(c for family in FAMILIES for c in (family.call, family.inverse) if c))
    place = calls.index(case.op)
    return (
        place,
        case.get("kind"),
        case.get("state"),
        natural(case.get("variant")),
        case.order,
        case.get("path"),
    )


def _cases_of(file: VariantFile) -> list[Case]:
    made = []
    for family in FAMILIES:
        for order in orders(file, family.kind):
            for path in family.paths:
                if exists(file, family, path, order):
                    inverse = inverse_case(file, family, path, order)
                    made += [family.case(file.name, path, order), *([inverse] if inverse else [])]
    return made


def orders(file: VariantFile, kind: str) -> tuple[int, ...]:
    """Folio orders that existed for this kind of folio (spec section 11)."""
    return {"anon": file.anon_orders, "file": file.file_orders, "hugetlb": (HPAGE_PMD_ORDER,)}[kind]


def same_code(file: VariantFile, call: str) -> bool:
    """Is the per-page form of the call the batched one with nr_pages = 1?"""
    single = resolve(file, call, "pte")
    return single is not None and single.nr_pages_1


def exists(file: VariantFile, family: Family, path: str, order: int) -> bool:
    """Has the variant this call on this path, and is it other code than a case listed already?"""
    if not family.has_path(path, order) or not measurable(file, family, path, order):
        return False
    return not (order == 0 and path == "ptes" and same_code(file, family.call))


def inverse_case(file: VariantFile, family: Family, path: str, order: int) -> Case | None:
    """The case of the inverse that the same sweep times, if it is one."""
    if family.inverse is None or path_used(file, family.inverse, path, order) != path:
        return None
    return family.inverse_case(file.name, path, order)


def notes(chosen: list[Case]) -> list[str]:
    """What `list` says beside the names of these cases: nothing."""
    return []


def metadata() -> dict[str, str]:
    """What is kept about a run beside the machine: nothing."""
    return {}


def kept_machine() -> AbstractContextManager[None]:
    """Around measuring: this lane changes nothing about the machine."""
    return nullcontext()


def cpus(usable: list[int]) -> list[int]:
    """The CPUs to measure on, best first."""
    return usable


# From cases to blocks


def plan(chosen: list[Case], extra: Extra) -> Plan:
    """Blocks for the chosen cases, of calls and of scenarios."""
    calls = _call_blocks(chosen, found(extra))
    scenarios = scenario_plan.blocks(chosen, found(extra))
    setup = {
        "extra": {name: str(path) for name, path in extra.items()},
        "needs": _needs(calls),
        "scenes": scenario_plan.needs(scenarios),
        "threads": sizes.most_threads(case for case in chosen if case.level == "scenario"),
    }
    return Plan(SESSION, setup, (*calls, *scenarios))


def _needs(blocks: list[Block]) -> list[tuple[str, str, str, int]]:
    """What must be compiled of the calls: (family, variant, path, order)."""
    specs = [arm.spec for block in blocks for arm in block.arms if arm.spec["role"] != "yardstick"]
    return sorted({(spec["family"], spec["variant"], spec["path"], spec["order"]) for spec in specs})


def _call_blocks(chosen: list[Case], files: dict[str, VariantFile]) -> list[Block]:
    """One a family and order, with controls for each group in it."""
    wanted = {case.name for case in chosen if case.level == "call"}
    blocks = []
    for family in FAMILIES:
        every = sorted({order for file in files.values() for order in orders(file, family.kind)})
        for order in every:
            block = _block(family, order, files, wanted)
            if block:
                blocks.append(block)
    return blocks


def _block(family: Family, order: int, files: dict[str, VariantFile], wanted: set[str]) -> Block | None:
    arms = []
    for file in files.values():
        for path in family.paths if order in orders(file, family.kind) else ():
            if exists(file, family, path, order):
                arms.append(_case_arm(file, family, path, order))
    arms = [_only(arm, wanted) for arm in arms]
    arms = [arm for arm in arms if any(arm.cases)]
    if not arms:
        return None
    groups = [_group(arms, place) for place in (0, 1)]
    return Block(f"{family.name}/order={order}", (*arms, *_controls(arms, groups, family, order)))


def _group(arms: list[Arm], place: int) -> Case | None:
    """What the cases at a place of the arms (the call, its inverse) are compared within."""
    names = (arm.cases[place] for arm in arms)
    return next((Case.parse(name).group for name in names if name), None)


def _case_arm(file: VariantFile, family: Family, path: str, order: int) -> Arm:
    case = family.case(file.name, path, order)
    inverse = inverse_case(file, family, path, order)
    same = order == 0 and path == "pte" and same_code(file, family.call)
    metadata = {"base": file.base or "", "same_code": int(same)}
    spec = {"role": "case", "family": family.name, "order": order, "variant": file.name, "path": path}
    return Arm((case.name, inverse.name if inverse else None), {**spec, "metadata": metadata})


def _only(arm: Arm, wanted: set[str]) -> Arm:
    return dataclasses.replace(arm, cases=tuple(case if case in wanted else None for case in arm.cases))


def _controls(arms: list[Arm], groups: list[Case | None], family: Family, order: int) -> list[Arm]:
    """A/A twin and positive control of one arm, the cost of calling on each path, and the yardstick."""
    base = controlled_arm(arms)
    made = [
        dataclasses.replace(
            base,
            cases=tuple(Case.parse(case).but(control=role).name if case else None for case in base.cases),
            spec={**base.spec, "role": role},
        )
        for role in ("twin", "positive")
    ]
    for path in dict.fromkeys(arm.spec["path"] for arm in arms):
        spec = {"role": "case", "family": family.name, "order": order, "variant": EMPTY, "path": path}
        made.append(Arm(_in_groups(groups, variant=EMPTY, path=path), spec))
    yardstick = {"role": "yardstick", "family": family.name, "order": order}
    return [*made, Arm(_in_groups(groups, control="yardstick"), yardstick)]


def _in_groups(groups: list[Case | None], **keys: str) -> tuple[str | None, ...]:
    return tuple(group.but(**keys).name if group else None for group in groups)


def controlled_arm(arms: list[Arm]) -> Arm:
    """The arm the controls repeat: one that yields most cases, batched, of the last variant."""
    paths = {"ptes": 2, "folio": 2, "pte": 1, "pmd": 0}
    numbered = enumerate(arms)
    return max(numbered, key=lambda n: (sum(map(bool, n[1].cases)), paths[n[1].spec["path"]], n[0]))[1]


# Before measuring


def workers(chosen: list[Case], cpus: int, oversubscribe: bool) -> int:
    """Processes that may measure at once, at most `cpus`; UsageError for what this machine cannot give."""
    alone = any(case.meaning("threads") != "1" for case in chosen if case.level == "scenario")
    most = 1 if alone else cpus
    sizes.refuse_what_does_not_fit([case for case in chosen if case.level == "scenario"], most, oversubscribe)
    return most


def prepare(chosen: list[Case], extra: Extra) -> None:
    """Refuse an unusable cache directory or a wrong variant before anything is timed."""
    names = sorted({case.get("variant") for case in chosen}, key=natural)
    for _ in checks.check(names, extra, fresh=False):
        pass


def check(names: list[str], extra: Extra) -> Iterator[str]:
    """Compare variants with the oracle; a line for each, UsageError for a wrong one.

    Without names: the users' variants, or every built-in one if there is none.
    """
    files = found(extra)
    for name in names:
        if name not in files:
            raise one_of("variant", name, files)
    return checks.check(names or list(extra) or list(files), extra, fresh=True)


def count(chosen: list[Case], extra: Extra) -> dict[str, dict[str, int]]:
    """Exact operation counts of the chosen cases, a folio, in the order given."""
    blocks = plan(chosen, extra).blocks
    arms = [arm for block in blocks for arm in block.arms if is_plain(arm)]
    job = {"extra": processes.as_text(extra), "arms": [dataclasses.asdict(arm) for arm in arms]}
    counted = processes.count(job)
    return {case.name: counted[case.name] for case in chosen}


def is_plain(arm: Arm) -> bool:
    """Is it a variant's own arm, neither a control nor the cost of calling?"""
    return arm.spec["role"] == "case" and arm.spec["variant"] != EMPTY
