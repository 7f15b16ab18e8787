"""The live lane before it measures: what exists, what is skipped and why, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.case import Case, Filters
from bench.errors import LaneUnavailable, UsageError
from bench.lanes.live import catalogue, lane
from bench.lanes.live.catalogue import FAMILIES
from bench.lanes.live.machine import Machine
from bench.lanes.live.workload.operations import OPERATIONS
from tests.conftest import ROOT
from tests.live import machine_files, tree, use

NO_BITS = "userfaultfd: Operation not permitted"
EVERY = [(family.kind, operation) for family in FAMILIES for operation in family.operations]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files of a machine."""
    return machine_files(tmp_path)


def unprivileged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written, which root's access(2) would not say."""
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))


def names(found: list[Case]) -> set[str]:
    return {case.name for case in found}


def test_every_size_and_path_exists(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order 0, every size the kernel offers, 2 MiB by PMD too."""
    use(monkeypatch, Machine(root))
    listed = lane.cases({})
    forks = {(case.get("path"), case.order) for case in listed if case.op == "fork" and not case.get("kind")}
    by_ptes = {(path, order) for path in ("pte", "ptes", "default") for order in (0, 4, 9)}
    assert forks == by_ptes | {("pmd", 9)}
    assert {case.order for case in listed if case.meaning("kind") == "shmem"} == {0, 1, 9}
    assert {case.get("memory") for case in listed} == {"1GiB"}


def test_without_a_filter_three_operations_are_measured(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of anonymous memory, every size and path; the lane's own name selects everything."""
    use(monkeypatch, Machine(root))
    listed = lane.cases({})
    chosen = lane.UNASKED.select(listed)
    assert {case.op for case in chosen} == {"fork", "unmap_after_fork", "munmap"}
    assert {case.meaning("kind") for case in chosen} == {"anon"}
    assert len(chosen) == 3 * len([case for case in chosen if case.op == "fork"])
    assert Filters.parse(["live"]).select(listed) == listed


def test_without_write_protection_only_the_default_path_is_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason and what would end it are said, for anon and shmem memory."""
    use(monkeypatch, Machine(root, NO_BITS, NO_BITS))
    assert {case.get("path") for case in lane.cases({})} == {"default", "pmd"}
    assert any(NO_BITS in note and "seccomp" in note for note in lane.skipped())
    assert any(note.startswith("split_pmd (anon)") for note in lane.skipped())


def test_who_may_not_choose_sizes_uses_the_enabled_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order 9 through `inherit`, and order 0; the rest is named with the command that gives it."""
    unprivileged(monkeypatch)
    use(monkeypatch, Machine(root))
    listed = lane.cases({})
    assert {case.order for case in listed if not case.get("kind")} == {0, 9}
    assert {case.order for case in listed if case.get("kind") == "shmem"} == {0}
    assert "anon folio sizes other than order=0,9: sudo $(which rmapbench) ..." in lane.skipped()
    assert lane.plan(listed, {}).setup["select"] == {
        "anon": False, "shmem": False, "file": True, "hugetlb": False,
    }  # fmt: skip


def test_pages_that_an_administrator_reserved_are_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not reserve hugetlb pages is told the command; once there are some, they can be measured."""
    pool = "sys/kernel/mm/hugepages/hugepages-2048kB"
    tree(root, {f"{pool}/nr_hugepages": "0", f"{pool}/free_hugepages": "0\n"})
    unprivileged(monkeypatch)
    use(monkeypatch, Machine(root))
    assert any("(hugetlb): root must reserve hugetlb pages: sudo sh -c" in note for note in lane.skipped())
    tree(root, {f"{pool}/nr_hugepages": "512", f"{pool}/free_hugepages": "512\n"})
    assert "hugetlb" in {case.get("kind") for case in lane.cases({})}


def test_a_kernel_before_mthp_has_orders_0_and_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one control there was."""
    thp = "sys/kernel/mm/transparent_hugepage"
    tree(tmp_path, {f"{thp}/enabled": "always [madvise] never\n", "proc/meminfo": "MemAvailable: 8388608 kB"})
    use(monkeypatch, Machine(tmp_path))
    assert {case.order for case in lane.cases({}) if not case.get("kind")} == {0, 9}


def test_without_sysfs_order_0_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container; it says so."""
    use(monkeypatch, Machine(tree(tmp_path, {"proc/meminfo": "MemAvailable: 8388608 kB"})))
    assert {case.order for case in lane.cases({})} == {0}
    assert any("/sys is not mounted" in note for note in lane.skipped())


def test_where_nothing_can_be_measured_the_exit_code_is_4(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LaneUnavailable, with the reasons: as for a user of a kernel before 6.10, who sees no folio's order."""
    unprivileged(monkeypatch)
    unknown = dict.fromkeys(("anon", "shmem"), "seeing folios takes root")
    use(monkeypatch, Machine(root, no_proof=unknown, no_files="there are none"))
    with pytest.raises(LaneUnavailable, match=r"nothing can be measured here.*seeing folios takes") as caught:
        lane.cases({})
    assert caught.value.exit_code == 4
    with pytest.raises(LaneUnavailable, match=r"fork \(anon\): seeing folios takes root"):
        lane.cases({}, Filters.parse(["fork", "kind=anon", "order=0"]))


@pytest.mark.parametrize(
    ("files", "there", "gone"),
    [
        ({}, "lazyfree", "pageout"),
        ({"proc/swaps": "Filename\n/swap file 1 0 -2\n"}, "pageout", "lazyfree"),
        ({"sys/devices/system/node/node1/cpulist": "2\n"}, "", "migrate"),  # of CPUs only
        ({"sys/devices/system/node/has_memory": "0-1\n"}, "migrate", ""),
        ({}, "", "migrate"),
        ({f"sys/kernel/mm/ksm/{n}": "0" for n in ("run", "pages_to_scan", "sleep_millisecs")}, "ksm", ""),
        ({}, "", "ksm"),
    ],
)
def test_operations_depend_on_the_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], there: str, gone: str
) -> None:
    """What is not there is skipped with its reason, and listed as that."""
    use(monkeypatch, Machine(tree(root, files)))
    ops = {case.op for case in lane.cases({})}
    assert not there or there in ops
    assert gone not in ops
    assert not gone or any(note.startswith(f"{gone} (anon): ") for note in lane.skipped())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("migrate", "migrate (anon): this machine has one memory node"),
        ("fork migrate", "migrate (anon): this machine has one memory node"),
        ("pageout", "pageout (anon): there is no swap: sudo swapon FILE; lazyfree is measured instead"),
        ("kind=file", "munmap, fault_around, fork (file): no directory was tried"),
        ("munmap kind=anon,file order=4", "munmap (file): no directory was tried"),
        ("fault kind=hugetlb", "fault (hugetlb): this kernel has no 2 MiB hugetlb pages"),
        ("uffd_continue", "uffd_continue (shmem): too old"),
        ("split_pmd", f"split_pmd (anon): {NO_BITS}"),
        ("fork exit path=ptes", f"fork (anon): {NO_BITS}"),
    ],
)
def test_what_this_machine_lacks_is_not_unknown(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    """The reason is the one that `list` has; the exit code is that of what cannot be had here."""
    use(monkeypatch, Machine(root, NO_BITS, NO_BITS, NO_BITS, no_continue="too old"))
    with pytest.raises(LaneUnavailable) as caught:
        lane.cases({}, Filters.parse(words.split()))
    assert str(caught.value).startswith(said) and caught.value.exit_code == 4


def test_what_does_not_exist_is_unknown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what does; a fault of hugetlb pages on path=pte exists nowhere."""
    use(monkeypatch, Machine(root))
    for words, said in (("fork frok", "unknown operation 'frok'"), ("fork path=both", "unknown path 'both'"),
                        ("fault path=pte", "no case has all of: fault path=pte")):  # fmt: skip
        filters = Filters.parse(words.split())
        with pytest.raises(UsageError, match=said):
            filters.select(lane.cases({}, filters))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("variant=v6.12", "variants are the model's"),
        ("state=shared", "the model's"),
        ("kernel=old", "kernels are the vm lane's"),
        ("machine=aarch64", "machines are the vm lane's"),
    ],
)
def test_keys_of_other_lanes_are_said_to_be_theirs(word: str, said: str) -> None:
    """And not an unknown value of which none is valid."""
    with pytest.raises(UsageError, match=f"^the live lane measures the running kernel; .*{said}$"):
        lane.cases({}, Filters.parse([word]))


def test_a_fork_of_huge_pages_takes_a_gibibyte(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It copies an entry for 2 MiB: with less it is skipped, with the reason, and refused if asked for."""
    tree(root, {"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0"})
    use(monkeypatch, Machine(root))
    there = {"1GiB": True, "512MiB": False}
    for memory, expected in there.items():
        listed = lane.cases({}, Filters.parse([f"memory={memory}"]))
        assert ("live/fork/kind=hugetlb/path=folio/order=9/memory=" + memory in names(listed)) == expected
        assert ("skipped: fork (hugetlb): with less than 1GiB" in "\n".join(lane.notes(listed))) != expected
    asked = ["fork", "kind=hugetlb"]
    assert len(lane.cases({}, Filters.parse([*asked, "memory=1GiB,2GiB"])))
    with pytest.raises(UsageError, match=r"^fork \(hugetlb\): with less than 1GiB .*; add memory=1GiB$"):
        lane.cases({}, Filters.parse([*asked, "memory=256MiB"]))


def test_each_block_has_its_controls(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A/A and positive, of the batched arm where there is one; an operation is one group in it."""
    use(monkeypatch, Machine(root))
    chosen = lane.cases({})
    blocks = lane.plan(chosen, {}).blocks
    assert {case for block in blocks for case in block.cases if "control" not in case} == names(chosen)
    for block in blocks:
        roles = [arm.spec["role"] for arm in block.arms]
        assert roles.count("twin") == roles.count("positive") == 1
        assert len({Case.parse(case).group.but(memory=None) for case in block.cases}) == len(
            {Case.parse(case).op for case in block.cases}
        )
    fork = next(block for block in blocks if block.name == "anon-fork/order=4/memory=1GiB")
    assert {arm.spec["path"] for arm in fork.arms if arm.spec["role"] != "case"} == {"ptes"}


def test_only_what_is_chosen_is_planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One operation on one path needs no other arm than its controls."""
    use(monkeypatch, Machine(root))
    chosen = [case for case in lane.cases({}) if case.name == "live/exit/path=pte/order=4/memory=1GiB"]
    (block,) = lane.plan(chosen, {}).blocks
    assert [arm.spec["ops"] for arm in block.arms] == [["exit"]] * 3
    assert [arm.spec["role"] for arm in block.arms] == ["case", "twin", "positive"]


def test_operations_of_the_catalogue_are_those_of_the_workload() -> None:
    """Each can be asked for, and none is forgotten."""
    assert {operation.name for _, operation in EVERY} == set(OPERATIONS)


def test_the_operations_cover_the_interface() -> None:
    """Every rmap call that a running kernel makes is exercised by some operation."""
    made = {call for _, operation in EVERY for call in operation.calls}
    expected = {"folio_add_new_anon_rmap", "folio_move_anon_rmap"}
    for stem, paths in {
        "add_anon": "pte ptes pmd", "try_dup_anon": "pte ptes pmd", "try_share_anon": "pte pmd",
        "add_file": "pte ptes pmd", "dup_file": "pte ptes", "remove": "pte ptes pmd",
    }.items():  # fmt: skip
        expected |= {f"folio_{stem}_rmap_{path}" for path in paths.split()}
    hugetlb = "add_new_anon", "add_anon", "try_dup_anon", "try_share_anon", "add_file"
    expected |= {"hugetlb_remove_rmap", *(f"hugetlb_{stem}_rmap" for stem in hugetlb)}
    assert expected - made == set()
    assert not set(catalogue.NEVER_CALLED) & made
    only = {"folio_add_file_rmap_pte"}  # faults map by folio_add_file_rmap_ptes, of one page too
    assert [op.name for _, _, op in catalogue.families() if only & set(op.calls)] == ["uffd_continue"]


def test_list_names_the_calls_of_each_operation(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says of two neighbours that they make none."""
    use(monkeypatch, Machine(root))
    notes = lane.notes(lane.cases({}))
    assert "split_pmd (anon): folio_add_anon_rmap_ptes, folio_remove_rmap_pmd" in notes
    assert "no operation: folio_dup_file_rmap_pmd, which no kernel calls" in notes
    assert "mprotect (anon): no rmap call" in notes and "mremap (anon): no rmap call" in notes
    assert any(note.startswith("skipped: ") for note in notes)


def test_variants_belong_to_the_model() -> None:
    """The running kernel has none."""
    with pytest.raises(UsageError, match="variants are the model's"):
        lane.cases({"mine": Path("mine.py")})


def test_families_that_share_memory_leave_it_whole() -> None:
    """What unmaps or changes it would spoil the next arm."""
    harmless = {"fork", "unmap_after_fork", "exit"}
    for family in FAMILIES:
        if family.shared:
            assert {operation.name for operation in family.operations} <= harmless


def test_the_readme_has_every_operation_with_its_calls() -> None:
    """The table of the manual is that of the catalogue."""
    text = (ROOT / "README.md").read_text()
    for kind, operation in EVERY:
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{operation.name}` | {kind} |"))
        named: list[str] = []
        for word in line.rpartition(" | ")[2].split("`")[1::2]:
            named.append(named[-1].rpartition("_")[0] + word if word.startswith("_") else word)
        assert named == list(operation.calls) or not operation.calls
        assert bool(operation.calls) or line.endswith("| none |")
