"""The scenarios' share of the model lane: their cases, and the blocks that measure them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.case import Case, Filters, natural
from bench.lanes.model.families import EMPTY
from bench.lanes.model.scenarios import BY_NAME, ON_REQUEST, SCENARIOS, Scenario, sensible
from bench.lanes.model.sizes import check_value
from bench.measure.plan import Arm, Block
from kernels.variants import VariantFile

# Keys whose values make cases, beside those that are always listed.
MAKING = ("memory", "threads")


def cases(files: Iterable[VariantFile], filters: Filters | None = None) -> list[Case]:
    """Every case, and those with the memory and threads that filters name."""
    made = [case for file in files for case in _cases_of(file)]
    for key in MAKING:
        values = [
            value for value in (filters.values(key) if filters else ()) if value not in ("", "1", "hot")
        ]
        for value in values:
            check_value(key, value)
        made += [case.but(**{key: value}) for value in values for case in made if _can(case, key)]
    return sorted(dict.fromkeys(made), key=_listing_order)


def _can(case: Case, key: str) -> bool:
    """Does the key make sense with the case? Threads share one hot window each, memory is for one thread."""
    what = scenario_of(case)
    if key == "threads":
        return what.threads and not case.get("memory") and case.meaning("pattern") == "full"
    return not what.pinned and not what.undoes_itself


def _cases_of(file: VariantFile) -> Iterator[Case]:
    for what in SCENARIOS:
        for order in what.orders(file):
            for pattern in what.patterns:
                for path, form in what.forms.items():
                    if sensible(pattern, order, path) and form.exists(file, order):
                        yield what.case(file.name, path, order, pattern)


def scenario_of(case: Case) -> Scenario:
    """The scenario of a case."""
    return BY_NAME["/".join(part for part in (case.op, case.meaning("kind"), case.get("state")) if part)]


def _listing_order(case: Case) -> tuple[object, ...]:
    return (
        list(BY_NAME).index(scenario_of(case).name),
        natural(case.get("memory")),
        natural(case.get("threads")),
        case.get("pattern"),
        natural(case.get("variant")),
        case.order,
        case.get("path"),
    )


# From cases to blocks


def blocks(chosen: Iterable[Case], files: Mapping[str, VariantFile]) -> list[Block]:
    """One block a group: all variants and paths chosen of a scenario, pattern, order, memory and threads."""
    groups: dict[Case, list[Case]] = {}
    for case in chosen:
        if case.level == "scenario":
            groups.setdefault(case.group, []).append(case)
    return [_block(group, members, files) for group, members in groups.items()]


def _block(group: Case, members: list[Case], files: Mapping[str, VariantFile]) -> Block:
    paths = list(dict.fromkeys(case.get("path") for case in members))
    arms = len(members) + 2 + len(paths)
    made = [_arm(case, arms, files[case.get("variant")]) for case in members]
    base = next((arm for arm in reversed(made) if arm.spec["path"] == "ptes"), made[-1])
    for role in ("twin", "positive"):
        name = Case.parse(str(base.cases[0])).but(control=role).name
        made.append(Arm((name,), {**base.spec, "role": role}))
    for path in paths:
        made.append(_arm(group.but(variant=EMPTY, path=path), arms, None))
    yardstick = {**_shape(group, arms), "role": "yardstick"}
    made.append(Arm((group.but(control="yardstick").name,), yardstick))
    return Block(group.name, tuple(made))


def _shape(case: Case, arms: int) -> dict[str, Any]:
    return {
        "scenario": scenario_of(case).name,
        "order": case.order,
        "pattern": case.meaning("pattern"),
        "memory": case.get("memory"),
        "threads": int(case.meaning("threads")),
        "arms": arms,
    }


def _arm(case: Case, arms: int, file: VariantFile | None) -> Arm:
    spec = {**_shape(case, arms), "role": "case", "variant": case.get("variant"), "path": case.get("path")}
    if file is None:
        return Arm((case.name,), spec)
    what = scenario_of(case)
    metadata: dict[str, Any] = {"base": file.base or "", "same_code": 0}
    metadata |= {"on_request": 1} if case.get("path") in ON_REQUEST else {}
    metadata |= {"prototype": what.prototype} if what.prototype and case.get("path") == "ptes" else {}
    return Arm((case.name,), {**spec, "metadata": metadata})


def needs(made: Iterable[Block]) -> list[tuple[bool, str, str, str]]:
    """What must be compiled: (moved?, scenario, variant, path)."""
    specs = [arm.spec for block in made for arm in block.arms if arm.spec["role"] != "yardstick"]
    return sorted({(s["role"] == "twin", s["scenario"], s["variant"], s["path"]) for s in specs})
