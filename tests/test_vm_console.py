"""The console parser: records are found whatever the kernel prints between, within and after them."""

from __future__ import annotations

import signal
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lanes.vm.boot import reason_of
from bench.lanes.vm.console import Console, answers, parse
from tests.vm import record

GOLDEN = Path(__file__).parent / "golden" / "console"
KILLED = -signal.SIGKILL


def test_the_guest_and_the_parser_agree_on_the_form_of_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """What init says is what is heard."""
    from bench.lanes.vm.guest import init

    written: list[bytes] = []

    def write(fd: int, data: bytes) -> int:
        written.append(data)
        return len(data)

    monkeypatch.setattr(init.os, "write", write)
    console = init.Console()
    console.say({"job": 0, "answer": {"values": {}}})
    console.say({"end": True})
    heard = parse(b"".join(written))
    assert heard.records == [{"job": 0, "answer": {"values": {}}}, {"end": True}]
    assert heard.ended and not heard.garbled


@pytest.mark.parametrize(
    ("log", "code", "records", "garbled", "reason"),
    [
        ("good", 0, 4, 0, ""),
        ("panic", 0, 2, 0, "kernel panic: VFS: Unable to mount root fs on unknown-block(0,0); last"),
        ("hang", KILLED, 2, 0, "hung: silent for 9 s; last on its console: [   21.000000] rcu: INFO"),
        ("truncated", 0, 2, 0, "the guest ended before it was done; last on its console: [    0.000000]"),
        ("interleaved", 0, 3, 1, ""),
        ("memory", 0, 2, 0, "the guest ended before it was done; Out of memory: Killed process 77 (python)"),
        ("empty", KILLED, 0, 0, "nothing on the console for 9 s; has the kernel a driver for the serial"),
        ("qemu", 1, 0, 0, "QEMU ended with exit code 1; last on its console: qemu-system-x86_64: Error"),
        ("fatal", 0, 1, 0, "the guest's first process failed: OSError: [Errno 19] mount of /proc"),
    ],
)
def test_a_log_has_its_own_reason(log: str, code: int, records: int, garbled: int, reason: str) -> None:
    """Each way of going wrong is told from the others, with the last lines of the console."""
    console = parse((GOLDEN / f"{log}.txt").read_bytes())
    assert (len(console.records), console.garbled) == (records, garbled)
    said = reason_of(console, code, silence=9)
    assert said.startswith(reason) and bool(said) == bool(reason)


def test_a_record_torn_by_the_kernels_lines_is_mended() -> None:
    """A line of printk within it, with or without a rest on the same line."""
    whole = record(0, {"job": 3, "answer": {"values": {"fork": {"gross": 12}}}})
    torn = f"{whole[:30]}[    1.000000] a\n[    1.100000] b\n{whole[30:50]}[    2.000000] c\n{whole[50:]}\n"
    console = parse(torn.encode())
    assert list(answers(console)) == [(3, {"values": {"fork": {"gross": 12}}})]
    assert list(console.tail) == ["[    1.000000] a", "[    1.100000] b", "[    2.000000] c"]


@pytest.mark.parametrize("said", ["[1, 2]", "7", "{not json}", "[" * 99_999])
def test_what_is_no_record_is_none_whatever_its_checksum(said: str) -> None:
    """A guest that wrote it was not ours; nothing is raised."""
    console = parse(f"@@rmapbench 0 {zlib.crc32(f'0 {said}'.encode()):08x} {said}\n".encode())
    assert (console.records, list(answers(console))) == ([], [])


@pytest.mark.parametrize("job", [{}, {"job": "first"}, {"job": None}])
def test_an_answer_to_no_question_is_left_out(job: dict[str, object]) -> None:
    """Without a job's number nobody knows what it answers."""
    assert list(answers(parse((record(0, {**job, "answer": {}}) + "\n").encode()))) == []


@given(st.lists(st.binary(max_size=80)), st.integers(0, 300), st.integers(1, 7))
def test_no_bytes_confuse_the_parser(noise: list[bytes], cut: int, step: int) -> None:
    """Whole records among any lines are found, in pieces of any size; nothing else is taken for one."""
    lines = [record(0, {"job": 0, "answer": {}}).encode(), record(1, {"end": True}).encode()]
    log = b"\n".join([*noise, lines[0], *noise, lines[1], *noise]) + b"\n" + lines[0][:cut]
    console = Console()
    got = [record for at in range(0, len(log), step) for record in console.feed(log[at : at + step])]
    assert got == console.records == parse(log).records[: len(got)]
    assert {"end": True} in got and got.count({"end": True}) == 1
    assert all(record in ({"job": 0, "answer": {}}, {"end": True}) for record in got)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    """The check covers number and text."""
    good = record(0, {"job": 0, "answer": {"values": {"fork": {"gross": 1234, "empty": 99}}}}).encode()
    at %= len(good)
    bad = good[:at] + bytes([good[at] ^ change]) + good[at + 1 :]
    assert parse(bad).records in ([], parse(good).records)
