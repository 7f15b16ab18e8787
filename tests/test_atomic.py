"""Every primitive does the same interpreted and compiled, whichever instructions the machine has for it."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import abi, trace
from tests.conftest import ROOT, Cli
from tests.primitives import KERNELS, OPERATIONS, perform

# How a process that compiles begins; `portable` compiles what machines other than x86-64 get.
START = {
    "native": "from tests import primitives; primitives.main()",
    "portable": "import numba, platform; platform.machine = lambda: 'other'; "
    "from tests import primitives; primitives.main()",
}
# What an operation counts as (spec section 3): U and N are locked with and without used result.
KINDS = {
    "READ8": "r", "READ32": "r", "READ64": "r", "WRITE8": "w", "WRITE32": "w", "WRITE64": "w",
    "atomic_inc": "N", "atomic_dec": "N", "atomic_add": "N", "atomic_sub": "N", "atomic64_add": "N",
    "atomic_inc_and_test": "U", "atomic_dec_and_negative": "U", "atomic_add_return": "U",
    "atomic_dec_and_test": "U", "atomic_sub_and_test": "U", "xchg64": "U", "atomic64_try_cmpxchg": "U",
    "set_bit": "N", "clear_bit": "N", "test_and_set_bit31_lock": "U", "clear_bit31_unlock": "w",
    "atomic_try_cmpxchg_0_to_1": "U", "smp_mb": "F",
}  # fmt: skip
# (operation, values, the 64-bit word before, answer, the word after)
EXAMPLES: list[tuple[str, tuple[int, ...], int, int, int]] = [
    ("READ8", (), 0x11111111_11111180, -0x80, 0x11111111_11111180),
    ("READ8", (), 0x11111111_1111117F, 0x7F, 0x11111111_1111117F),
    ("READ32", (), 0x11111111_80000000, -0x80000000, 0x11111111_80000000),
    ("READ32", (), 0x11111111_FFFFFFFF, -1, 0x11111111_FFFFFFFF),
    ("READ64", (), 0x80000000_00000000, -0x80000000_00000000, 0x80000000_00000000),
    ("WRITE8", (-1,), 0x11111111_11111111, 0, 0x11111111_111111FF),
    ("WRITE8", (0x1234,), 0, 0, 0x34),
    ("WRITE32", (-1,), 0x11111111_11111111, 0, 0x11111111_FFFFFFFF),
    ("WRITE32", (0x1_0000_0002,), 0x11111111_11111111, 0, 0x11111111_00000002),
    ("WRITE64", (-2,), 0, 0, 0xFFFFFFFF_FFFFFFFE),
    ("atomic_inc", (), 0x11111111_7FFFFFFF, 0, 0x11111111_80000000),
    ("atomic_inc", (), 0x11111111_FFFFFFFF, 0, 0x11111111_00000000),
    ("atomic_dec", (), 0x11111111_00000000, 0, 0x11111111_FFFFFFFF),
    ("atomic_dec", (), 0x11111111_80000000, 0, 0x11111111_7FFFFFFF),
    ("atomic_add", (512,), 0x11111111_FFFFFFFF, 0, 0x11111111_000001FF),
    ("atomic_add", (0x1_0000_0001,), 0x11111111_00000000, 0, 0x11111111_00000001),
    ("atomic_sub", (512,), 0x11111111_000001FF, 0, 0x11111111_FFFFFFFF),
    ("atomic_sub", (-0x8000_0000,), 0x11111111_80000000, 0, 0x11111111_00000000),
    ("atomic64_add", (1,), 0x7FFFFFFF_FFFFFFFF, 0, 0x80000000_00000000),
    ("atomic64_add", (-1,), 0, 0, 0xFFFFFFFF_FFFFFFFF),
    ("atomic64_add", (1,), 0x11111111_FFFFFFFF, 0, 0x11111112_00000000),
    ("atomic_inc_and_test", (), 0x11111111_FFFFFFFF, 1, 0x11111111_00000000),
    ("atomic_inc_and_test", (), 0x11111111_00000000, 0, 0x11111111_00000001),
    ("atomic_inc_and_test", (), 0x11111111_FFFFFFFE, 0, 0x11111111_FFFFFFFF),
    ("atomic_inc_and_test", (), 0x11111111_7FFFFFFF, 0, 0x11111111_80000000),
    ("atomic_dec_and_negative", (), 0x11111111_00000000, 1, 0x11111111_FFFFFFFF),
    ("atomic_dec_and_negative", (), 0x11111111_00000001, 0, 0x11111111_00000000),
    ("atomic_dec_and_negative", (), 0x11111111_FFFFFFFF, 1, 0x11111111_FFFFFFFE),
    ("atomic_dec_and_negative", (), 0x11111111_80000000, 0, 0x11111111_7FFFFFFF),
    ("atomic_add_return", (-3,), 0x11111111_00000003, 0, 0x11111111_00000000),
    ("atomic_add_return", (-3,), 0x11111111_00000002, -1, 0x11111111_FFFFFFFF),
    ("atomic_add_return", (0x800000,), 0x11111111_00000010, 0x800010, 0x11111111_00800010),
    ("atomic_add_return", (1,), 0x11111111_7FFFFFFF, -0x80000000, 0x11111111_80000000),
    ("atomic_dec_and_test", (), 0x11111111_00000001, 1, 0x11111111_00000000),
    ("atomic_dec_and_test", (), 0x11111111_00000000, 0, 0x11111111_FFFFFFFF),
    ("atomic_dec_and_test", (), 0x11111111_80000001, 0, 0x11111111_80000000),
    ("atomic_sub_and_test", (16,), 0x11111111_00000010, 1, 0x11111111_00000000),
    ("atomic_sub_and_test", (16,), 0x11111111_00000011, 0, 0x11111111_00000001),
    ("atomic_sub_and_test", (0x1_0000_0002,), 0x11111111_00000002, 1, 0x11111111_00000000),
    ("xchg64", (-2,), 0x80000000_00000001, -0x7FFFFFFF_FFFFFFFF, 0xFFFFFFFF_FFFFFFFE),
    ("xchg64", (0,), 7, 7, 0),
    ("atomic64_try_cmpxchg", (7, -2), 7, 1, 0xFFFFFFFF_FFFFFFFE),
    ("atomic64_try_cmpxchg", (7, -2), 0x1_00000007, 0, 0x1_00000007),
    ("atomic64_try_cmpxchg", (-1, 0), 0xFFFFFFFF_FFFFFFFF, 1, 0),
    ("set_bit", (11,), 0, 0, 0x800),
    ("set_bit", (63,), 0, 0, 0x80000000_00000000),
    ("set_bit", (17,), 0x20000, 0, 0x20000),
    ("clear_bit", (16,), 0xFFFFFFFF_FFFFFFFF, 0, 0xFFFFFFFF_FFFEFFFF),
    ("clear_bit", (0,), 0, 0, 0),
    ("test_and_set_bit31_lock", (), 0x80000000_00000007, 0, 0x80000000_80000007),
    ("test_and_set_bit31_lock", (), 0x00000001_80000000, 1, 0x00000001_80000000),
    ("clear_bit31_unlock", (), 0x80000001_80000007, 0, 0x80000001_00000007),
    ("clear_bit31_unlock", (), 0x80000001_00000007, 0, 0x80000001_00000007),
    ("atomic_try_cmpxchg_0_to_1", (), 0x11111111_00000000, 1, 0x11111111_00000001),
    ("atomic_try_cmpxchg_0_to_1", (), 0x11111111_00000001, 0, 0x11111111_00000001),
    ("atomic_try_cmpxchg_0_to_1", (), 0x11111111_80000000, 0, 0x11111111_80000000),
    ("smp_mb", (), 0x11111111_22222222, 0, 0x11111111_22222222),
    ("call1", (7,), 0, 7, 0),
    ("call2", (1, 2), 0, 21, 0),
    ("call3", (1, 2, 3), 0, 321, 0),
    ("call4", (1, 2, 3, 4), 0, 4321, 0),
    ("call5", (1, 2, 3, 4, 5), 0, 54321, 0),
    ("call6", (1, 2, 3, 4, 5, -6), 0, -545679, 0),
]  # fmt: skip
EDGES = [
    sign * (1 << bits) + step for bits in (0, 7, 8, 31, 32, 63) for sign in (1, -1) for step in (-1, 0, 1)
]
VALUES = st.sampled_from([v for v in EDGES if -(1 << 63) <= v < 1 << 63]) | st.integers(
    -(1 << 63), (1 << 63) - 1
)
BITS = st.integers(0, 63)
IN_MEMORY = [name for name, prototype in OPERATIONS.items() if {"v", "address"} & set(prototype.args)]


@dataclass(frozen=True)
class Worker:
    """A process that performs operations compiled."""

    process: subprocess.Popen[str]

    def perform(self, *what: object) -> tuple[int, list[int]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(what), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"the process died with {self.process.wait()}"
        answer, words = json.loads(line)
        return answer, words


@pytest.fixture(scope="module", params=sorted(START))
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A process that compiles each operation when it is first asked for."""
    cli = Cli(tmp_path_factory.mktemp("cache"), ROOT)
    process = subprocess.Popen(
        [sys.executable, "-c", START[request.param]],
        env=cli.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def signed(word: int) -> int:
    """A 64-bit pattern as a signed number."""
    return ctypes.c_int64(word).value


def around(word: int, offset: int) -> list[int]:
    """Eight words: this one at an offset of bytes, another pattern elsewhere."""
    words = [signed(0x5A5A5A5A_A5A5A5A5)] * 8
    words[offset // 8] = signed(word)
    return words


@pytest.mark.parametrize(("name", "values", "before", "answer", "after"), EXAMPLES)
def test_an_operation_does_what_the_kernel_s_does(
    name: str, values: tuple[int, ...], before: int, answer: int, after: int
) -> None:
    """Interpreted: answer, the word, and no other byte."""
    assert perform(name, 24, list(values), around(before, 24)) == (answer, around(after, 24))


def test_every_operation_has_an_example() -> None:
    """But the clock, the pause and the hint, which have nothing to compare."""
    assert {name for name, *_ in EXAMPLES} == set(OPERATIONS) - {"clock_ns", "cpu_relax", "unlikely_path"}


def test_a_compiled_operation_does_the_same(compiled: Worker) -> None:
    """Each example, as the machine has it and as other machines have it."""
    for name, values, before, answer, after in EXAMPLES:
        assert compiled.perform(name, 24, values, around(before, 24)) == (answer, around(after, 24)), name


@pytest.mark.parametrize("name", IN_MEMORY)
def test_interpreted_and_compiled_agree_on_any_value(compiled: Worker, name: str) -> None:
    """Answer and memory, for values at and beside the edges of 8, 32 and 64 bits."""
    count = len(OPERATIONS[name].args) - 1
    values = st.lists(BITS if name.endswith("_bit") else VALUES, min_size=count, max_size=count)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(range(0, 64, 8)), values, st.lists(VALUES, min_size=8, max_size=8))
    def agree(offset: int, values: list[int], words: list[int]) -> None:
        assert compiled.perform(name, offset, values, words) == perform(name, offset, values, words)

    agree()


def test_the_clock_is_the_one_python_has(compiled: Worker) -> None:
    """CLOCK_MONOTONIC in nanoseconds, compiled and interpreted."""
    times = [time.monotonic_ns()]
    for read in (compiled.perform, perform):
        times += [read("clock_ns", 0, [], [0] * 8)[0], time.monotonic_ns()]
    assert times == sorted(times)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if not name.startswith("call")])
def test_an_interpreted_operation_is_noted_once_if_it_counts(name: str) -> None:
    """As what it counts, at the byte it changes; the clock, the pause and the hint are not counted."""
    memory = (ctypes.c_int64 * 8)()
    address = ctypes.addressof(memory) + 8
    values = {"v": address, "address": address, "nr": 17}
    with trace.recording() as events:
        abi.callable_of(KERNELS[name])(*[values.get(arg, 1) for arg in OPERATIONS[name].args])
    place = address + 2 if name.endswith("_bit") else 0 if name == "smp_mb" else address
    expected = [(KINDS[name], place, "", name)] if name in KINDS else []
    assert [tuple(event) for event in events] == expected
