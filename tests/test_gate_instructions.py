"""The gate on instructions: each case against itself in an older file, boot against boot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.case import Case
from bench.results import ProcessRun, Results
from bench.show.table import WIDTH
from tests.booted import FORK, QEMU, booted, dearer, renamed
from tests.conftest import Outcome
from tests.fuzzing import watched
from tests.gated import refused

Golden = Callable[[str, str], None]


def gate(found: Results, place: Path, *words: str) -> Outcome:
    """The gate's outcome on new.json."""
    results.save(found, place / "new.json", force=True)
    return Outcome(*watched("gate", str(place / "new.json"), *words))


def against(place: Path, new: Results, old: Results, *words: str) -> Outcome:
    """The gate's outcome on new.json with old.json as its baseline."""
    results.save(old, place / "old.json", force=True)
    return gate(new, place, "--baseline", str(place / "old.json"), *words)


def verdicts(place: Path, new: Results, old: Results, *words: str) -> dict[str, tuple[str, bool]]:
    """Verdict, and whether it counts, of each case of the new file."""
    pairs: list[dict[str, Any]] = json.loads(against(place, new, old, "--json", *words).out)["pairs"]
    return {pair["name"].split(" against ")[0]: (pair["verdict"], pair["judged"]) for pair in pairs}


def test_figures_are_compared_and_not_ratios_within_a_run(tmp_path: Path, golden: Golden) -> None:
    """All of a file of two kernels 30 % dearer: nothing else changed, and everything regressed."""
    old, new = booted(("old", "new")), booted(("old", "new"), seed=2)
    same = against(tmp_path, new, old)
    assert (same.code, same.err) == (0, "")
    golden("gate-instructions.txt", same.out)
    worse = against(tmp_path, dearer(new, 1.3), old)
    assert worse.code == 3 and max(map(len, worse.out.splitlines())) <= WIDTH
    assert {verdict for verdict, _ in verdicts(tmp_path, dearer(new, 1.3), old).values()} == {"REGRESSED"}


def test_one_kernel_and_its_own_path_are_enough(tmp_path: Path) -> None:
    """There is no base in the file and nothing batched beside per-page."""
    old, new = (booted(paths=("default", "pte"), seed=seed) for seed in (1, 2))
    assert against(tmp_path, new, old).code == 0
    worse = verdicts(tmp_path, dearer(new, 1.3, path="default"), old)
    assert worse[FORK.name] == ("REGRESSED", True)
    assert worse[FORK.but(path="pte").name] == ("OK", True)


@pytest.mark.parametrize(("factor", "order", "verdict"), [
    (1.008, 0, "REGRESSED"), (1.003, 0, "OK"), (1.008, 9, "OK"), (1.013, 9, "REGRESSED"), (0.98, 0, "FASTER"),
])  # fmt: skip
def test_margins_are_those_of_instructions(tmp_path: Path, factor: float, order: int, verdict: str) -> None:
    """0.5 % at order 0, 1 % above."""
    new = dearer(booted(seed=2), factor, path="default", order=str(order))
    assert verdicts(tmp_path, new, booted())[FORK.but(order=order).name] == (verdict, True)


def test_every_increase_at_order_0_is_shown(tmp_path: Path, golden: Golden) -> None:
    """Within the margin it passes; beyond what boots differ by it is marked, even among many others."""
    operations = [f"op{n}" for n in range(12)]
    old, new = (booted(operations=operations, paths=("default",), seed=seed) for seed in (1, 2))
    outcome = against(tmp_path, dearer(new, 1.003, op="op7", order="0"), old, "order=0")
    assert outcome.code == 0
    assert [line.split()[:4] for line in outcome.out.splitlines() if " *+" in line] == [
        ["op7", "165.0", "165.5", "*+0.3"]
    ]
    assert "* every boot takes more than every boot did before" in outcome.out


def test_order_0_comes_first_and_what_a_kernel_does_by_itself_before_the_rest(tmp_path: Path) -> None:
    """In every machine-readable form."""
    told = list(verdicts(tmp_path, booted(), booted()))
    assert [(Case.parse(name).order, Case.parse(name).get("path")) for name in told] == [
        (0, "default"), (0, "ptes"), (0, "pte"), (9, "default"), (9, "ptes"), (9, "pte"),
    ]  # fmt: skip


def test_what_is_not_gated_is_shown_and_not_judged(tmp_path: Path) -> None:
    """Order-0 munmap tells of the page allocator; twice as dear, it fails nothing and has no verdict."""
    old, new = (booted(operations=("fork", "munmap"), seed=seed) for seed in (1, 2))
    outcome = against(tmp_path, dearer(new, 2.0, op="munmap", order="0"), old)
    shown = outcome.out.partition("shown, not judged")[2]
    assert outcome.code == 0
    assert "munmap" in shown and "+100.0 %" in shown and "REGRESSED" not in outcome.out
    assert "page allocator" in shown
    judged = verdicts(tmp_path, new, old)
    assert judged[FORK.name][1] and not judged[Case.parse(FORK.name.replace("fork", "munmap")).name][1]


def test_kernels_of_files_with_one_each_are_compared_whatever_their_names(tmp_path: Path) -> None:
    """An old build and a new one; files of several kernels by name."""
    old, new = booted(), renamed(booted(seed=2), k="k-dirty")
    same = against(tmp_path, new, old)
    assert same.code == 0 and "order 0: k-dirty against k of old.json" in same.out
    told = [json.loads(against(tmp_path, new, base, "--json").out)["pairs"][0]["name"] for base in (old, new)]
    name = FORK.but(kernel="k-dirty").name
    assert told == [f"{name} against kernel=k in old.json", f"{name} against old.json"]
    assert against(tmp_path, dearer(new, 1.02), old).code == 3
    both = booted(("a", "k"))
    assert against(tmp_path, dearer(booted(seed=2), 1.02), both).code == 3
    assert "order 0: k against old.json" in against(tmp_path, booted(seed=2), both).out
    # A new kernel must not be passed over: it was not shown to be good.
    refused(against(tmp_path, new, both), "old.json: has no kernel k-dirty, only a, k")
    refused(against(tmp_path, both, old), "has no kernel a")
    assert against(tmp_path, both, old, "kernel=a").code == 0


def test_another_guest_is_refused_and_another_qemu_is_said(tmp_path: Path) -> None:
    """Counts are of what the guest's CPU offers; the host's is no matter."""
    old, new = booted(), booted(seed=2)
    refused(
        against(tmp_path, booted(guest="-machine pc -cpu qemu64"), old), "guest", "qemu64", "the same guest"
    )
    refused(against(tmp_path, booted(guest="-machine virt -cpu neoverse-n1"), old), "guest")
    refused(against(tmp_path, booted(figure="time"), old), "figure")
    assert against(tmp_path, booted(cpu_model_name="another", seed=2), old).code == 0
    two = booted(guest="-machine virt -cpu neoverse-n1; -machine pc -cpu max,erms=off", seed=2)
    assert against(tmp_path, two, old).code == 0
    other = against(tmp_path, booted(qemu="QEMU emulator version 9.0", seed=2), old)
    assert other.code == 0 and f"! QEMU, old.json: {QEMU}; now: QEMU emulator" in " ".join(other.out.split())
    assert "! " not in against(tmp_path, new, old).out
    other = against(tmp_path, booted(workload=2, seed=2), old)
    assert other.code == 0 and "! workload, old.json: 1; now: 2." in other.out


def test_a_verdict_takes_four_boots_of_either_kernel(tmp_path: Path) -> None:
    """With fewer nothing can be said, and that is not taken for good."""
    assert against(tmp_path, dearer(booted(boots=4, seed=2), 1.02), booted(boots=4)).code == 3
    assert against(tmp_path, booted(boots=4, seed=2), booted(boots=4)).code == 0
    few = against(tmp_path, dearer(booted(boots=1), 1.3), booted())
    assert (few.code, few.out) == (6, "")
    assert "a verdict takes 4 boots in either file, not 6 and 1" in few.err


def test_a_case_that_is_gone_is_missing_and_a_new_one_is_shown(tmp_path: Path) -> None:
    """With the reason of one that failed."""
    old, fewer = booted(), booted(orders=(0,), seed=2)
    assert against(tmp_path, fewer, old).code == 6
    assert against(tmp_path, fewer, old, "order=0").code == 0
    assert against(tmp_path, old, fewer).code == 0
    assert verdicts(tmp_path, old, fewer)[FORK.but(order=9).name][1] is False
    fewer.failed = {FORK.but(order=9).name: "kernel panic: not syncing"}
    assert "kernel panic: not syncing" in against(tmp_path, fewer, old).out


def test_controls_are_asked_as_by_every_gate(tmp_path: Path) -> None:
    """The same code twice that is not equal, or none: no verdict on the group."""
    worse = dearer(booted(seed=2), 1.3)
    assert against(tmp_path, dearer(worse, 1.01, control="twin"), booted()).code == 6
    alone = Results({case: r for case, r in worse.runs.items() if not case.get("control")}, worse.metadata)
    assert against(tmp_path, alone, booted()).code == 6


# Bisecting


def wide(found: Results) -> Results:
    """The same, where half the boots take 1 % more: whether 0.5 % more on average, nobody can say."""
    runs = {
        case: [
            ProcessRun(
                run.process, [v * (1.01 if run.process % 2 else 1) for v in run.values], 1, run.metadata
            )
            for run in given
        ]
        for case, given in found.runs.items()
    }
    return Results(runs, dict(found.metadata), {})


def unbooted() -> Results:
    """A run whose new kernel did not come to its end."""
    found = booted(("base", "k"), paths=("default",))
    lost = [case for case in found.runs if case.get("kernel") == "k"]
    failed = {case.name: "kernel panic: attempted to kill init" for case in lost}
    return Results({c: r for c, r in found.runs.items() if c not in lost}, found.metadata, failed)


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda: booted(seed=2), 0, "OK"),
        (lambda: renamed(booted(seed=2), k="this"), 0, "OK"),
        (lambda: dearer(booted(seed=2), 1.02, order="0"), 1, "REGRESSED"),
        (lambda: wide(booted(seed=2)), 125, "INCONCLUSIVE under --strict"),
        (unbooted, 125, ""),
        (lambda: booted(boots=1), 125, ""),
        (lambda: booted(guest="-machine virt -cpu neoverse-n1"), 125, ""),
    ],
    ids=["good", "good, of another name", "bad", "inconclusive", "not booted", "one boot", "another guest"],
)  # fmt: skip
def test_bisecting_by_a_file_of_counts(
    tmp_path: Path, make: Callable[[], Results], code: int, said: str
) -> None:
    """0 good, 1 bad, 125 wherever nothing can be said; to git, 125 is `skip`."""
    outcome = against(tmp_path, make(), booted(), "--bisect")
    assert outcome.code == code, outcome
    assert said in outcome.out


def test_bisecting_by_the_kernel_of_a_run_that_did_not_boot(tmp_path: Path) -> None:
    """Whether the file is judged by itself or by an older one; the base that booted makes nothing good."""
    assert gate(unbooted(), tmp_path, "kernel=k", "--bisect").code == 125
    said = against(tmp_path, unbooted(), booted(), "kernel=k", "--bisect")
    assert said.code == 125 and "kernel panic: attempted to kill init" in " ".join(said.out.split())


def test_files_that_are_no_files_of_counts_stay_with_their_ratios(tmp_path: Path) -> None:
    """Under KVM the vm lane takes the time, which another machine takes otherwise."""
    old, new = booted(figure="time"), booted(figure="time", seed=2)
    outcome = against(tmp_path, dearer(new, 1.3), old)
    assert outcome.code == 0 and "Ratios within this run" in outcome.out
