"""Result files of guests whose instructions are known: boots that differ by what tests say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from bench.case import Case
from bench.results import ProcessRun, Results

GUEST, QEMU = "-machine pc -cpu max,erms=off", "QEMU emulator version 7.2"
PAGES = 16384
FORK = Case.of("vm", "fork", kernel="k", path="default", order=0)
SPREAD = 0.0005  # half the range over boots, as a fraction
CONTROLS = {"twin": 1.0, "positive": 1 + 1 / 32}


def instructions(case: Case) -> float:
    """A page's."""
    batched = case.get("path") in ("ptes", "default") and case.order > 0
    return 165.0 * (0.6 if batched else 1.0) * (0.02 if case.get("path") == "pmd" else 1.0)


def booted(
    kernels: Iterable[str] = ("k",),
    paths: Iterable[str] = ("pte", "ptes", "default"),
    orders: Iterable[int] = (0, 9),
    boots: int = 6,
    seed: int = 1,
    operations: Iterable[str] = ("fork",),
    **metadata: str | int | float,
) -> Results:
    """Boots of kernels that cost all the same, in which every figure is within SPREAD of its own."""
    kernels, paths, rng = list(kernels), list(paths), np.random.default_rng(seed)
    told = {"lane": "vm", "figure": "instructions", "guest": GUEST, "qemu": QEMU, "cpu_model_name": "a CPU"}
    found = Results({}, {**told, **metadata}, {})
    for op in operations:
        for order in orders:
            plain = [
                Case.of("vm", op, kernel=kernel, path=path, order=order)
                for kernel in kernels
                for path in paths
            ]
            arm = plain[-1]
            for case in (*plain, *(arm.but(control=control) for control in CONTROLS)):
                off = rng.permutation(np.linspace(-SPREAD, SPREAD, boots)) if boots > 1 else np.zeros(1)
                cost = 1e-9 * instructions(case) * CONTROLS.get(case.get("control"), 1.0)
                metadata_of = _metadata(case, kernels[0])
                found.runs[case] = [
                    ProcessRun(n, [cost * (1 + by)] * 3, 1, metadata_of) for n, by in enumerate(off)
                ]
    return found


def _metadata(case: Case, base: str) -> Mapping[str, str | int | float]:
    told: dict[str, str | int | float] = {"pages": PAGES}
    if case.get("kernel") != base:
        told["base"] = base
    if case.get("control") == "positive":
        told["extra_pages"] = PAGES // 32
    if case.op == "munmap" and case.order == 0:
        told["not_gated"] = "depends on what the page allocator did before; see its spread"
    return told


def dearer(found: Results, factor: float, **keys: str) -> Results:
    """The same with every figure, of cases with these keys, multiplied; `op` is one."""
    runs = {
        case: [
            ProcessRun(run.process, np.asarray(run.values) * factor, run.loops, run.metadata) for run in given
        ]
        if all((case.op if key == "op" else case.get(key)) == value for key, value in keys.items())
        else given
        for case, given in found.runs.items()
    }
    return Results(runs, dict(found.metadata), dict(found.failed))


def renamed(found: Results, **names: str) -> Results:
    """The same with kernels called otherwise."""
    runs = {
        case.but(kernel=names.get(case.get("kernel"), case.get("kernel"))): r
        for case, r in found.runs.items()
    }
    return Results(runs, dict(found.metadata), dict(found.failed))
