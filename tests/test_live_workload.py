"""The live lane's workload: what it reads of /proc and /sys, what it takes for proof, how it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.lanes.live.workload import memory, proof
from bench.lanes.live.workload.system import Unmeasurable
from tests.conftest import ROOT

START = 64 << 20
WP, PRESENT = 1 << 57, 1 << 63
HEAD, TAIL = proof.COMPOUND_HEAD, proof.COMPOUND_TAIL
GOOD = {"order_share": 1.0, "present": 1.0, "vmas": 1, "wp_even": 0.0, "wp_odd": 0.0}


def words(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


class Proc:
    """A /proc with one mapping of 16 pages, whose page numbers and flags a test chooses."""

    def __init__(self, directory: Path, entries: Sequence[int], flags: dict[int, int], order: int) -> None:
        self.mapping: Any = SimpleNamespace(
            kind="anon", order=order, start=START, size=len(entries) * 4096, nominal=len(entries) * 4096,
            pages=len(entries), folio=4096 << order,
        )  # fmt: skip
        self.path = str(directory)
        own = directory / "self"
        own.mkdir()
        with (own / "pagemap").open("wb") as file:
            file.seek(START // 4096 * 8)
            file.write(words(entries))
        (directory / "kpageflags").write_bytes(words([flags.get(number, 0) for number in range(256)]))
        end = START + self.mapping.size
        self.maps = (
            f"1000-2000 r-xp 0 00:00 0\n{START:x}-{end:x} rw-p 0 00:00 0\n{end:x}-{end + 4096:x} ---p 0\n"
        )
        (own / "maps").write_text(self.maps)

    def take(self) -> proof.Proof:
        return proof.take(self.mapping, self.path)


def folio(first: int, pages: int) -> dict[int, int]:
    """Flags of a large folio."""
    return {first: HEAD, **dict.fromkeys(range(first + 1, first + pages), TAIL)}


def test_folios_of_the_order_are_recognised(tmp_path: Path) -> None:
    """Four folios of four pages, wherever they lie."""
    firsts = (16, 64, 32, 128)
    flags = {page: flag for first in firsts for page, flag in folio(first, 4).items()}
    entries = [PRESENT | first + i for first in firsts for i in range(4)]
    found = Proc(tmp_path, entries, flags, order=2).take()
    assert found == GOOD
    assert proof.doubts(found, "default") == ""


@pytest.mark.parametrize(
    ("flags", "first"),
    [
        (folio(16, 2), 16),  # smaller
        (folio(16, 8), 16),  # larger
        (folio(12, 8), 16),  # the middle of another
        ({}, 16),  # single pages
        (folio(18, 4), 18),  # not aligned, so not a folio of this size
    ],
)
def test_other_folios_are_not_taken_for_the_order(tmp_path: Path, flags: dict[int, int], first: int) -> None:
    """Half of the folios are of four pages, the others are what the test says; there is no number then."""
    good = folio(64, 4)
    entries = [PRESENT | first + i for i in range(4)] + [PRESENT | 64 + i for i in range(4)]
    found = Proc(tmp_path, entries, {**flags, **good}, order=2).take()
    assert found["order_share"] == 0.5
    assert "only 50.0% of the folios have the order" in proof.doubts(found, "default")


def test_single_pages_are_not_part_of_a_folio(tmp_path: Path) -> None:
    """At order 0 a page of a large folio does not count."""
    entries = [PRESENT | 16, PRESENT | 17, PRESENT | 40, PRESENT | 41]
    assert Proc(tmp_path, entries, folio(16, 2), order=0).take()["order_share"] == 0.5


def test_the_order_is_unknown_to_who_may_not_see_page_numbers(tmp_path: Path) -> None:
    """pagemap gives zeros for them; then there is no value, unless per-size statistics prove the order."""
    found = Proc(tmp_path, [PRESENT] * 8, {}, order=2).take()
    assert "order_share" not in found
    assert "takes root or per-size statistics" in proof.doubts(found, "default")
    assert proof.moved({"allocated": 5}, {"allocated": 7}, 2) == {"allocated_share": 1.0}
    assert proof.moved({"allocated": 5}, {"allocated": 6}, 2) == {"allocated_share": 0.5}


def test_order_0_is_proven_by_the_counters_of_larger_folios(thp: Path) -> None:
    """They do not move while its pages are allocated; if they do, so many pages are not of order 0."""
    for size, count in (("64", "3"), ("2048", "1")):
        stats = thp / f"hugepages-{size}kB/stats"
        stats.mkdir()
        (stats / "anon_fault_alloc").write_text(count)
    before = proof.statistics("anon", 0, str(thp))
    assert before == {"larger": 3 * 16 + 512}
    assert proof.moved(before, before, 64) == {"allocated_share": 1.0}
    assert proof.moved(before, {"larger": before["larger"] + 16}, 64) == {"allocated_share": 0.75}
    assert proof.statistics("anon", 0, str(thp / "missing")) == {}


def test_bits_and_presence_are_counted(tmp_path: Path) -> None:
    """Even and odd pages apart."""
    entries = [PRESENT | WP | 16, PRESENT | 17, PRESENT | WP | 18, 0]
    found = Proc(tmp_path, entries, {}, order=0).take()
    assert (found["wp_even"], found["wp_odd"], found["present"]) == (1.0, 0.0, 0.75)


@pytest.mark.parametrize(
    ("path", "changed", "words_of_doubt"),
    [
        ("pte", {"wp_even": 1.0}, ""),
        ("pte", {"wp_even": 1.0, "wp_odd": 1.0}, "of odd pages are write-protected, on path pte"),
        ("pte", {}, "0.0% of even"),
        ("ptes", {"wp_even": 1.0, "wp_odd": 1.0}, ""),
        ("ptes", {"wp_even": 1.0}, "on path ptes"),
        ("default", {"wp_odd": 0.5}, "on path default"),
        ("default", {"vmas": 2}, "consists of 2 VMAs"),
        ("default", {"present": 0.9}, "only 90.0% of the pages are mapped"),
        ("default", {"by_pmd": 1.0}, "100.0% of the memory is mapped by PMDs, on path default"),
        ("pmd", {"by_pmd": 1.0}, ""),
        ("pmd", {"by_pmd": 0.5}, "on path pmd"),
    ],
)
def test_each_path_has_its_own_proof(path: str, changed: dict[str, float], words_of_doubt: str) -> None:
    """What is right for one path is a doubt on another."""
    found = proof.doubts({**GOOD, **changed}, path)
    assert words_of_doubt in found and bool(found) == bool(words_of_doubt)


def test_the_share_mapped_by_pmds_is_that_of_this_mapping(tmp_path: Path) -> None:
    """Other mappings of the process have huge pages too."""
    proc = Proc(tmp_path, [PRESENT] * 512, {}, order=9)
    entry = "{:08x}-{:08x} rw-p\nAnonHugePages: {} kB\nShmemPmdMapped: 0 kB\nVmFlags: rd\n"
    smaps = entry.format(4096, 8192, 4096) + entry.format(START, START + (2 << 20), 2048)
    (tmp_path / "self/smaps").write_text(smaps)
    assert proof.by_pmd(proc.mapping, proc.path) == 1.0


@pytest.fixture
def thp(tmp_path: Path) -> Path:
    """Controls of two sizes, and the one of kernels before 6.8."""
    for size in ("64", "2048"):
        control = tmp_path / f"hugepages-{size}kB"
        control.mkdir()
        (control / "enabled").write_text("always inherit madvise [never]\n")
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    return tmp_path


def test_one_size_is_allowed_and_the_others_are_not(thp: Path) -> None:
    """Each by its own control; the common one stays."""
    assert list(memory.sizes(False, str(thp))) == [4, 9]
    memory.select_order("anon", 4, str(thp))
    assert (thp / "hugepages-64kB/enabled").read_text() == "madvise"
    assert (thp / "hugepages-2048kB/enabled").read_text() == "never"
    assert "[madvise]" in (thp / "enabled").read_text()


def test_a_kernel_before_mthp_has_one_size(tmp_path: Path) -> None:
    """Order 9, allowed by the common control; an order it does not have is refused."""
    (tmp_path / "enabled").write_text("always madvise [never]\n")
    memory.select_order("anon", 9, str(tmp_path))
    assert (tmp_path / "enabled").read_text() == "madvise"
    with pytest.raises(Unmeasurable, match="no anon folios of order 4"):
        memory.select_order("anon", 4, str(tmp_path))


def test_order_0_changes_no_setting(thp: Path) -> None:
    """Its memory is advised not to be huge."""
    memory.select_order("anon", 0, str(thp / "missing"))


def test_a_control_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(Unmeasurable, match=r"cannot be written \(Is a directory\)"):
        memory.write(str(tmp_path), "madvise")


def test_hugetlb_pages_are_given_back(tmp_path: Path) -> None:
    """The pool has its size again afterwards; one that does not grow is said with what it gave."""
    (tmp_path / "nr_hugepages").write_text("3")
    (tmp_path / "free_hugepages").write_text("1")
    with pytest.raises(Unmeasurable, match="gave 2 MiB of 8"), memory.reserved(8 << 20, True, str(tmp_path)):
        pass
    assert (tmp_path / "nr_hugepages").read_text() == "3"
    (tmp_path / "free_hugepages").write_text("4")
    with memory.reserved(8 << 20, True, str(tmp_path)):
        assert (tmp_path / "nr_hugepages").read_text() == "3"


def test_who_may_not_change_the_hugetlb_pool_uses_what_is_free(tmp_path: Path) -> None:
    """Nothing is written; too few pages are a reason, as touching one more would kill the process."""
    for name, text in (("nr_hugepages", "5"), ("free_hugepages", "4")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o444)
    with memory.reserved(8 << 20, False, str(tmp_path)):
        pass
    with (
        pytest.raises(Unmeasurable, match="gave 8 MiB of 10"),
        memory.reserved(10 << 20, False, str(tmp_path)),
    ):
        pass
    assert (tmp_path / "nr_hugepages").read_text() == "5"


def asked(*lines: str) -> list[dict[str, Any]]:
    """Answers of a workload started as the lane starts it."""
    command = [sys.executable, "-I", "-S", str(ROOT / "bench/lanes/live/workload")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_request_has_an_answer() -> None:
    """What cannot be understood is answered with an error, and the next request is served."""
    *refused, hello = asked("garbage", "[1]", '{"do": "measure", "kind": "anon"}', '{"do": "hello"}')
    assert all(list(answer) == ["error"] for answer in refused)
    assert hello["page_size"] == 4096 and "anon" in hello["orders"]


def test_order_0_is_measured_or_the_reason_said() -> None:
    """Every operation has either a time with its proof, or a reason; never neither, never both."""
    ops = ["fork", "unmap_after_fork", "exit", "munmap"]
    request = {"do": "measure", "kind": "anon", "path": "default", "order": 0, "bytes": 8 << 20, "ops": ops}
    (answer,) = asked(json.dumps(request))
    assert sorted([*answer["values"], *answer["unmeasurable"]]) == sorted(ops)
    for value in answer["values"].values():
        assert value["gross"] > 0 and value["proof"]["order_share"] == 1.0


def test_memory_that_cannot_be_had_is_a_reason() -> None:
    """hugetlb memory beyond what a machine can have."""
    request = {"do": "measure", "kind": "hugetlb", "path": "folio", "order": 9, "select": False}
    (answer,) = asked(json.dumps({**request, "bytes": 1 << 50, "ops": ["munmap"]}))
    assert answer["values"] == {} and answer["unmeasurable"]["munmap"]
