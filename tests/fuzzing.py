"""What fuzz tests share: the program in this process, watched, and ways to spoil what it reads."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cli import main

FEW, MANY = 60, 2500  # inputs of each test; there are six, so that all long ones are 15,000
AMOUNTS = [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.long])]
MOST_SECONDS = 30  # of one input; more is a hang
CODES = (0, 2, 3, 4, 5, 6)  # an error inside the program is 1
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from([0, -1, 1e308, 10**40, "", "0", "call/remove/kind=anon/order=x", "a/b", "\0", "1.0"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def fuzz(amount: int, strategy: st.SearchStrategy[Any], check: Callable[[Any], int]) -> None:
    """Run `check` on so many inputs; prints how many of them had which exit code (pytest -rP shows it)."""
    codes, started = Counter[int](), time.monotonic()

    def one(found: Any) -> None:
        codes[check(found)] += 1

    quiet = settings(
        max_examples=amount, deadline=None, suppress_health_check=list(HealthCheck), database=None,
        derandomize=amount == FEW,
    )  # fmt: skip
    quiet(given(strategy)(one))()
    by_code = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    print(f"{codes.total()} inputs in {time.monotonic() - started:.0f} s; exit codes {by_code}")
    assert len(codes) > 1, "all inputs end alike: they do not reach far"


def watched(*words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command; what no input may do is asserted."""
    out, err = io.StringIO(), io.StringIO()
    with limit(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:  # of --help and --version
            code = int(end.code or 0)
    said = err.getvalue()
    assert "Traceback" not in said, f"{words}: {said}"
    allowed = (0, 1, 125) if words[:1] == ("gate",) and "--bisect" in words else CODES
    assert code in allowed, f"{words}: exit code {code}: {said}"
    if code == 2:
        assert said.startswith("rmapbench: ") and said.endswith("\n") and len(said) > 20, f"{words}: {said!r}"
    return code, out.getvalue(), said


@contextlib.contextmanager
def limit() -> Iterator[None]:
    """Raises in the block after MOST_SECONDS."""

    def late(*_: object) -> None:
        raise AssertionError(f"still running after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@st.composite
def spoiled_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """A few bytes changed, removed, doubled or put in; or the end cut off."""
    spoiled = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(spoiled) - 1)))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(["change", "remove", "double", "insert", "cut"]))
        piece = {
            "change": draw(st.binary(min_size=1, max_size=3)), "remove": b"", "cut": b"",
            "double": bytes(spoiled[at : at + length]) * 2,
            "insert": draw(st.text(max_size=8)).encode("utf-8", "surrogatepass"),
        }[kind]  # fmt: skip
        end = len(spoiled) if kind == "cut" else at + (len(piece) if kind == "change" else length)
        spoiled[at : at if kind == "insert" else end] = piece
    return bytes(spoiled)


@st.composite
def spoiled_json(draw: st.DrawFn, text: str) -> bytes:
    """A few values somewhere in the tree replaced, removed or renamed."""
    tree = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, tree)
    return json.dumps(tree).encode()


def _spoil(draw: st.DrawFn, tree: Any) -> None:
    """Walk down to some place and change it."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        deeper = tree[key]
        if isinstance(deeper, dict | list) and deeper and draw(st.integers(0, 9)):
            tree = deeper
            continue
        kind = draw(st.sampled_from(["replace", "remove", "rename"]))
        if kind == "replace":
            tree[key] = draw(VALUES)
        elif kind == "rename" and isinstance(tree, dict):
            tree[draw(st.text(max_size=8))] = tree.pop(key)
        else:
            del tree[key]
        return


def write(path: Path, data: bytes) -> str:
    """The file's name, for a command line."""
    path.write_bytes(data)
    return str(path)
