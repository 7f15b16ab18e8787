"""Scenarios as cases: what is listed, what filters make, what is refused, and measuring them for real."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from bench import results
from bench.case import Case, Filters
from bench.errors import UsageError
from bench.lanes.model import lane, sizes
from bench.lanes.model.scenarios import SCENARIOS
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_world import SceneWorld
from kernels import scene
from kernels.memmap import get
from kernels.mm_types import MM_ID, VM_MM
from tests.conftest import ROOT, Cli
from tests.live import machine_files, tree
from tests.scenes import batch, code, world

CASES = [case for case in lane.cases({}) if case.level == "scenario"]
SMALL = ("--processes", "2", "--rounds", "31", "--quiet")


def test_every_scenario_has_cases_of_order_0_and_of_every_generation() -> None:
    """But splitting a PMD, which is about order 9."""
    for what in SCENARIOS:
        found = [case for case in CASES if lane.scenario_plan.scenario_of(case) is what]
        assert {case.order for case in found} >= ({9} if what.op == "split_pmd" else {0, 2, 4, 9})
        assert {case.get("variant") for case in found} >= {"v6.8", "v6.10", "v6.12", "v6.15"}


def test_what_a_generation_lacks_is_no_case() -> None:
    """6.7 has no batched remove; there was no order-4 anonymous folio then."""
    old = [case for case in CASES if case.get("variant") == "v6.7"]
    assert not [case for case in old if case.op == "zap" and case.get("path") == "ptes"]
    assert not [
        case for case in old if case.op == "fork" and case.meaning("kind") == "anon" and case.order == 4
    ]


def test_memory_and_threads_make_cases_and_other_keys_select() -> None:
    """The values named, where they make sense, beside the cases that are always there."""
    asked = Filters.parse(["fork", "memory=1GiB", "order=4", "variant=v6.12", "path=ptes", "pattern=full"])
    names = [case.name for case in asked.select(lane.cases({}, asked))]
    assert "scenario/fork/variant=v6.12/path=ptes/order=4/memory=1GiB" in names
    assert all("memory=1GiB" in name and "pinned" not in name for name in names)
    asked = Filters.parse(["contend", "threads=1,2", "order=0", "variant=v6.12", "path=pte"])
    assert {case.meaning("threads") for case in asked.select(lane.cases({}, asked))} == {"1", "2"}


@pytest.mark.parametrize(
    "word", ["memory=much", "memory=1MiB", "memory=1GB", "threads=0", "threads=two", "threads=99999"]
)
def test_sizes_that_mean_nothing_are_refused(word: str) -> None:
    """With the form that is expected."""
    with pytest.raises(UsageError, match=word.split("=")[0]):
        lane.cases({}, Filters.parse(["fork", word]))


@pytest.mark.parametrize("memory", ["1048576GiB", "1024TiB"])
def test_more_memory_than_there_is_is_refused_with_the_size_needed(cli: Cli, memory: str) -> None:
    """Exit code 2 before anything is compiled."""
    outcome = cli("run", "fork", "order=0", "variant=v6.12", f"memory={memory}", "-o", "out.json")
    assert outcome.code == 2
    assert "needs" in outcome.err and "MiB are available" in outcome.err


@pytest.mark.parametrize(("workers", "words"), [(1, "one process"), (2, "2 processes at once")])
def test_what_a_control_group_leaves_is_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, words: str
) -> None:
    """As in a container on a machine of 8 GiB, whose limit counts."""
    monkeypatch.setattr(sizes, "ROOT", machine_files(tmp_path))
    one = [Case.of("scenario", "fork", variant="v6.12", path="pte", order=0, memory="1GiB")]
    sizes.refuse_what_does_not_fit(one, workers)
    group = {"max": f"{300 << 20}", "current": f"{100 << 20}"}
    tree(tmp_path, {f"sys/fs/cgroup/a/memory.{name}": text for name, text in group.items()})
    needed = workers * (sizes.arena_bytes(1 << 30) + sizes.SPARED) >> 20
    with pytest.raises(UsageError, match=f"needs {needed} MiB for {words}, 200 MiB are available"):
        sizes.refuse_what_does_not_fit(one, workers)


def test_more_threads_than_cpus_are_refused_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured then is the scheduler."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    few = [Case.of("scenario", "contend", kind="file", state="same", threads=3)]
    with pytest.raises(UsageError, match="threads=3: there are 2 CPUs"):
        sizes.refuse_what_does_not_fit(few, 1)
    sizes.refuse_what_does_not_fit(few, 1, oversubscribe=True)


def test_runs_with_threads_measure_in_one_process_at_a_time() -> None:
    """Two workers at once would be in each other's way."""
    one = Case.of("scenario", "contend", kind="file", state="same", variant="v6.12", path="pte", order=0)
    assert lane.workers([one], 2, False) == 2
    assert lane.workers([one.but(threads=2)], 2, True) == 1


def test_every_group_of_scenarios_has_its_controls() -> None:
    """A/A twin, positive control, yardstick, and the cost of calling on every path."""
    chosen = [case for case in CASES if case.op in ("fork", "zap") and case.order in (0, 4)]
    for block in lane.plan(chosen, {}).blocks:
        cases = [Case.parse(name) for name in block.cases]
        roles = Counter(case.get("control") for case in cases)
        assert (roles["twin"], roles["positive"], roles["yardstick"]) == (1, 1, 1)
        paths = {case.get("path") for case in cases if not case.get("control")}
        assert {case.get("path") for case in cases if case.get("variant") == "_empty"} == paths


def test_windows_of_a_large_memory_are_taken_in_turn() -> None:
    """Two arms of one arena own every other window, and pages move with the window they are in."""
    spec = SceneSpec("case", "fork/anon", 2, "v6.12", "ptes", memory="4MiB")
    arms = [SceneBatch(world(), spec, code("v6.12"), npages=256, share=(turn, 2)) for turn in (0, 1)]
    assert [list(arm.owned) for arm in arms] == [[0, 2], [1, 3]]
    arm = arms[1]
    arm.nanoseconds(1)
    assert get(arm.block + scene.WINDOW) == 3
    arm.nanoseconds(1)
    assert get(arm.block + scene.WINDOW) == 1
    first = get(arm.arena.tables + 3 * arm.arena.tables_bytes)
    assert (first >> 12 & (1 << 40) - 1) == 3 * 256
    head = arm.arena.pages + 3 * arm.arena.pages_bytes
    assert get(head + 64 + 8) == head + 1  # compound_head of the window's own first tail page


def test_scenarios_are_measured_from_the_command_line(cli: Cli, tmp_path: Path) -> None:
    """A hot one with its controls, and a cold one."""
    words = ("variant=v6.12", "order=0,4", "pattern=full", *SMALL)
    outcome = cli("run", "fork", "path=pte,ptes", "memory=4MiB,hot", *words, "-o", "out.json")
    assert outcome.code == 0, outcome.err
    loaded = results.load(cli.cwd / "out.json")
    assert loaded.failed == {}
    case = Case.of("scenario", "fork", variant="v6.12", path="ptes", order=4)
    assert case in loaded.runs and case.but(memory="4MiB") in loaded.runs
    assert "fork" in cli("report", "out.json").out
    assert cli("chart", "out.json", "-o", "charts").code == 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two threads need two CPUs")
@pytest.mark.parametrize("state", ["same", "owners", "disjoint"])
def test_two_threads_are_measured(cli: Cli, state: str) -> None:
    """Every thread on a CPU of its own; what they did is undone when they end."""
    words = ("contend", f"state={state}", "threads=2", "order=4", "path=ptes", "variant=v6.15", *SMALL)
    outcome = cli("run", *words, "-o", "out.json")
    assert outcome.code == 0, outcome.err
    loaded = results.load(cli.cwd / "out.json")
    assert (loaded.failed, len({case.get("threads") for case in loaded.runs})) == ({}, 1)


JOINT = """
import os, sys
from pathlib import Path
from tests.races import break_primitive
state, variant, threads, *broken = sys.argv[1:]
for name in broken:
    break_primitive(name)
from kernels import abi
abi.use_cache(Path(os.environ["RMAPBENCH_CACHE_DIR"]) / "-".join(["joint", *broken]))
from bench.lanes.model import threaded
from bench.lanes.model.scene import SceneSpec
from bench.lanes.model.scene_batch import SceneBatch
from bench.lanes.model.scene_world import SceneWorld
from bench.lanes.model.scene_world import SceneWorld
from tests import scenes
world, cpus = SceneWorld(int(threads)), range(int(threads))
for path in ("ptes", "pte"):
    spec = SceneSpec("case", f"contend/file/{state}", 4, variant, path)
    arms = [SceneBatch(world, spec, scenes.code(variant), 64, cpu=cpu) for cpu in cpus]
    joint = threaded.ThreadedScene(arms)
    threaded.JOINT_PASSES = 20_000 if broken else 200 // len(cpus)
    joint.verify()
print("as they were")
"""


@pytest.mark.parametrize("state", ["same", "owners", "disjoint"])
def test_folios_are_as_they_were_after_threads_worked_on_them_together(cli: Cli, state: str) -> None:
    """Two threads, in one state with more mms than a folio has slots for; twenty with folios of their own."""
    for variant, threads in (("v6.15", 2), ("v6.12", 2), *[("v6.15", 20)] * (state == "disjoint")):
        outcome = cli.python("-c", JOINT, state, variant, str(threads), cwd=ROOT)
        assert (outcome.code, outcome.out) == (0, "as they were\n"), outcome.err


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two threads need two CPUs")
def test_an_update_that_threads_lose_is_noticed_after_the_joint_pass(cli: Cli) -> None:
    """A reference count that is a load and a store."""
    outcome = cli.python("-c", JOINT, "same", "v6.12", "2", "atomic_add", cwd=ROOT)
    assert "contend/file/same of v6.12 on path ptes did not undo itself (2 threads at once)" in outcome.err


def test_a_world_has_room_for_as_many_threads_as_may_be_asked_for() -> None:
    """mms, vmas and per-CPU areas of their own, and none beyond the machine's memory."""
    large = SceneWorld(sizes.MOST_THREADS)
    assert max(256, len(os.sched_getaffinity(0))) <= sizes.MOST_THREADS
    vmas = [large.vma(name, 0, False, cpu) for cpu in range(sizes.MOST_THREADS) for name in "ABC"]
    mms = [get(vma + VM_MM) for vma in vmas]
    assert len({get(mm + MM_ID) for mm in mms}) == len(set(vmas)) == 3 * sizes.MOST_THREADS
    first = large.machine.memory.address
    assert all(first <= at < first + large.machine.memory.nbytes - 64 for at in (*vmas, *mms))
    case = Case.of("scenario", "contend", kind="file", state="same", variant="v6.12", path="pte", order=0)
    assert lane.plan([case, case.but(threads=200)], {}).setup["threads"] == 200


@pytest.mark.parametrize("variant", ["v6.8", "v6.12", "v6.15", "v6.15-no-page-mapcount"])
@pytest.mark.parametrize("state", ["disjoint", "same", "owners"])
def test_contending_leaves_everything_as_it_was(variant: str, state: str) -> None:
    """Also with more mms than a folio has slots for."""
    for path in ("pte", "ptes"):
        batch(f"contend/file/{state}", variant, path, 2).verify()


def test_the_pyperf_script_measures_scenarios(cli: Cli) -> None:
    """As model_call does calls."""
    words = ("fork", "order=0", "variant=v6.12", "path=ptes", "pattern=full", "kind=anon")
    outcome = cli.python("-m", "bench.lanes.model_scenario", *words, "--debug-single-value", "-o", "out.json")
    assert outcome.code == 0, outcome.err
    assert results.load(cli.cwd / "out.json").unpaired
