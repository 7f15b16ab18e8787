"""Result files of guests for tests: two kernels with known costs, controls, and one control that fails."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.case import Case
from bench.results import ProcessRun, Results

KERNELS = {"old": "6.1.0-56-cloud-amd64", "new": "6.12.117+deb12-cloud-amd64"}
OLD_ORDERS, ORDERS = (0, 9), (0, 2, 4, 9)
# What a page costs in the new kernel at order 0, and at larger orders by path.
COSTS: dict[str, tuple[float, dict[str, float]]] = {
    "fork": (165.0, {"pte": 329.0, "ptes": 98.0, "default": 98.0}),
    "munmap": (1100.0, {"pte": 650.0, "ptes": 130.0, "default": 130.0}),
}
OLDER = {"fork": 125.0, "munmap": 1050.0}  # at every order: there are no batches
PAGES = 8192
WRONG = 9  # at this order nobody sees the positive control of forks
COMMAND = (
    "rmapbench run --lane vm --kernel old=kernels/linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64/boot/"
    "vmlinuz-6.1.0-56-cloud-amd64 --kernel new=kernels/linux-image-6.12.117+deb12-cloud-amd64_6.12.117-1~"
    "deb12u1_amd64/boot/vmlinuz-6.12.117+deb12-cloud-amd64 fork munmap kind=anon -o vm.json"
)


def booted(
    boots: int = 6, rounds: int = 3, names: tuple[str, ...] = ("old", "new"), seed: int = 1,
    figure: str = "instructions",
) -> Results:  # fmt: skip
    """A file of the vm lane; `names` are what the two kernels are called, or the new one alone."""
    rng = np.random.default_rng(seed)
    found = Results({}, _metadata(names, figure), {})
    for order in ORDERS:
        for operation in COSTS:
            for case in _group(operation, order, names):
                _measure(found, case, names, (boots, rounds), rng)
    return found


def _metadata(names: tuple[str, ...], figure: str) -> dict[str, str | int | float]:
    releases = zip(names, list(KERNELS.values())[-len(names) :])
    return {
        "lane": "vm", "figure": figure, "accelerator": "tcg" if figure == "instructions" else "kvm",
        "guest": "-machine pc -cpu max,erms=off", "qemu": "QEMU emulator version 7.2.22",
        **{f"kernel_{name}": f"{release}, vmlinuz-{release}" for name, release in releases},
        "cpu_model_name": "Host CPU 4210", "cpu_count": 2, "hostname": "host", "seed": 7,
        "kernel_release": "6.18.44-host", "git_commit": "0123456789abcdef", "command": COMMAND,
    }  # fmt: skip


def _group(operation: str, order: int, names: tuple[str, ...]) -> Iterator[Case]:
    for name in names:
        if name == names[-1] or order in OLD_ORDERS:
            for path in ("pte", "ptes", "default", *(("pmd",) if order == 9 else ())):
                yield Case.of("vm", operation, kernel=name, path=path, order=order)
    arm = Case.of("vm", operation, kernel=names[-1], path="ptes", order=order)
    yield from (arm.but(control=control) for control in ("twin", "positive"))


def _cost(case: Case, newest: bool) -> float:
    small, large = COSTS[case.op]
    if case.get("path") == "pmd":
        return 3.0
    cost = OLDER[case.op] if not newest else small if case.order == 0 else large[case.get("path")]
    added = 1.1 if case.op == "fork" and case.order == WRONG else 1 + 1 / 32
    return cost * (added if case.get("control") == "positive" else 1)


def _measure(
    found: Results, case: Case, names: tuple[str, ...], shape: tuple[int, int], rng: np.random.Generator
) -> None:
    newest = case.get("kernel") == names[-1]
    cost, (boots, rounds) = _cost(case, newest), shape
    told: dict[str, str | int | float] = {"pages": PAGES, "gross": 3e-9 + cost * 1e-9, "empty": 3e-9}
    if newest and len(names) > 1:
        told["base"] = names[0]
    if case.get("control") == "positive":
        told["extra_pages"] = PAGES // 32
    if case.op == "munmap" and case.order < 4:
        told["not_gated"] = "depends on what the page allocator did before; see its spread"
    for boot in range(boots):
        values = cost * math.exp(rng.normal(0, 0.0005)) * np.exp(rng.normal(0, 0.0001, rounds)) * 1e-9
        found.runs.setdefault(case, []).append(ProcessRun(boot, values, 1, told))
