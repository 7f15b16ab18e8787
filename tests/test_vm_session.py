"""The vm lane's session: what guests are asked in which order, and what becomes of their answers."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from bench.lanes.vm import session
from bench.lanes.vm.answers import Answers
from bench.lanes.vm.session import Request, Session
from bench.measure.journal import Reader, Writer
from bench.measure.plan import Arm, Block, Plan

JOB = {"blocks": [0, 1], "rounds": 2, "skip": [], "seed": 7, "number": 3, "timeout": 5.0}


def spec(kernel: str = "a", path: str = "ptes", **more: Any) -> dict[str, Any]:
    """An arm's words."""
    given = {"role": "case", "kernel": kernel, "memory": "anon", "path": path, "order": 4}
    return {**given, "shared": False, "bytes": 8 << 20, "ops": ["fork"], **more}


def made(*blocks: list[dict[str, Any]]) -> tuple[Session, Plan]:
    """A session and a plan of arms."""
    kernels = {one["kernel"]: {"name": one["kernel"], "path": "k", "machine": "x86_64", "release": "6.12"}
               for block in blocks for one in block}  # fmt: skip
    setup = {"kernels": kernels, "accelerator": "tcg", "at_once": 2}
    arms = (tuple(Arm((f"vm/fork/order={i}",), one) for i, one in enumerate(block)) for block in blocks)
    return Session(setup), Plan("", setup, tuple(Block(str(n), block) for n, block in enumerate(arms)))


def asked(given: Session, plan: Plan, **job: Any) -> dict[str, list[Request]]:
    """The requests of a boot."""
    return given.requests(plan, {**JOB, **job})


def test_every_arm_is_asked_once_a_round_in_an_order_of_the_boots_own() -> None:
    """The same seed and number give the same order, another boot another one."""
    given, plan = made([spec(path=p) for p in ("pte", "ptes", "default")], [spec(path="pmd", order=9)])
    first, again, other = asked(given, plan), asked(given, plan), asked(given, plan, number=4)
    assert first == again != other
    places = [(r.block, r.arm, r.turn) for r in first["a"]]
    assert sorted(places) == sorted({(b, a, t) for b, a in ((0, 0), (0, 1), (0, 2), (1, 0)) for t in (0, 1)})


def test_arms_that_share_a_memory_stay_together_and_say_its_token() -> None:
    """PMD-mapped memory is another one, and comes last."""
    given, plan = made([spec(path=p, shared=True) for p in ("pte", "pmd", "ptes")], [spec(order=5)])
    requests = asked(given, plan)["a"]
    tokens = [request.as_job(counts=True).get("keep") for request in requests if request.block == 0]
    assert tokens in (["0/0/ptes"] * 2 + ["0/0/pmd"] + ["0/1/ptes"] * 2 + ["0/1/pmd"],
                      ["0/1/ptes"] * 2 + ["0/1/pmd"] + ["0/0/ptes"] * 2 + ["0/0/pmd"])  # fmt: skip
    assert all("keep" not in request.as_job(counts=True) for request in requests if request.block == 1)


def test_a_positive_control_has_more_memory() -> None:
    """As an addition to one that is shared, else as a larger one."""
    lone, shared = (
        Request(0, 0, 0, spec(role="positive", shared=s)).as_job(counts=True) for s in (False, True)
    )
    assert lone["bytes"] == (8 << 20) + (256 << 10)
    assert (shared["bytes"], shared["extra"]) == (8 << 20, 256 << 10)


@pytest.mark.parametrize(("accelerator", "counts"), [("tcg", True), ("kvm", False)])
def test_guests_are_told_whether_their_nanoseconds_are_instructions(accelerator: str, counts: bool) -> None:
    """Of which the least of several stands, and of times the median."""
    given, plan = made([spec()], [spec(path="pmd", order=9)])
    given.setup["accelerator"] = accelerator
    archive = given.archive("a", asked(given, plan)["a"], dict.fromkeys(("x86_64", "aarch64"), b""))
    assert archive.count(f'"counts": {json.dumps(counts)}'.encode()) == len(asked(given, plan)["a"])


def test_arms_that_failed_before_are_not_asked_again() -> None:
    """A kernel of which nothing is left to ask is not booted."""
    given, plan = made([spec("a"), spec("b")], [spec("a")])
    assert {name: len(found) for name, found in asked(given, plan, skip=[[0, 1]]).items()} == {"a": 4}


def test_a_full_disk_is_the_reason_of_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is booted and nothing crashes."""

    def full(requests: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(session.initramfs, "base", lambda root: b"")
    monkeypatch.setattr(session.initramfs, "jobs", full)
    given, plan = made([spec()])
    out = tmp_path / "worker-001.jsonl"
    given.measure(plan, {**JOB, "blocks": [0], "out": str(out)}, Writer(out))
    (failed,) = [record for record in Reader(out)() if record[0] == "failed"]
    assert "cannot be written (No space left on device)" in failed[3]


def test_values_are_net_and_told_with_the_worst_proof() -> None:
    """Nanoseconds of the guest's over base pages, and medians over rounds."""
    block = Block("b", (Arm(("vm/fork/order=4",), spec()),))
    answers = {
        (0, turn): {
            "values": {"fork": {"gross": gross, "empty": 48, "proof": {"order_share": share, "vmas": 1}}}
        }
        for turn, gross, share in ((0, 2048 * 100 + 48, 1.0), (1, 2048 * 110 + 48, 0.99))
    }
    found = Answers(block, answers)
    assert [found.values(turn) for turn in (0, 1)] == [[pytest.approx(100e-9)], [pytest.approx(110e-9)]]
    (told,) = found.told(0)
    assert told["order_share"] == 0.99 and told["gross"] == pytest.approx(105e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "the workload died: signal 9"}, "the workload died"),
        ({"values": {}, "unmeasurable": {"fork": "no such folios"}}, "no such folios"),
        ({"values": {"fork": {"gross": 5, "empty": 9, "proof": {}}}}, "no more than without pages"),
        (None, "no answer that could be read"),
    ],
)
def test_what_has_no_value_has_a_reason(answer: dict[str, Any] | None, why: str) -> None:
    """Never a number without proof."""
    found = Answers(Block("b", (Arm(("vm/fork/order=4",), spec()),)), {(0, 0): answer} if answer else {})
    assert found.values(0) == [None]
    assert why in found.told(0)[0]["unmeasurable"]
