"""Checks of variants: interpreted and compiled, as many processes at a time as there are CPUs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.lanes.model import processes
from kernels import abi

Answer = Future[dict[str, Any]]


def check(names: list[str], extra: Mapping[str, Path], fresh: bool) -> Iterator[str]:
    """Compare variants with the oracle, all users' variants loaded before the first; a line a variant.

    What has passed is remembered in the cache under the digest of its sources; `fresh` asks again.
    """
    processes.load(extra)
    marks = {name: _mark(name, extra) for name in names}
    with Checks(extra) as checks:
        pending = {name: checks.begin(name) for name in names if fresh or not marks[name].exists()}
        for name, mark in marks.items():
            if name in pending:
                line = _line(name, *(future.result() for future in pending[name]))
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.write_text(line)
            yield mark.read_text()


class Checks:
    """The processes that check; none is left when the context ends."""

    def __init__(self, extra: Mapping[str, Path]) -> None:
        self._extra = processes.as_text(extra)
        self._pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        self._children: list[subprocess.Popen[str]] = []
        self._ended = False

    def __enter__(self) -> Checks:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.kill()
        self._pool.shutdown()

    def begin(self, name: str) -> tuple[Answer, Answer]:
        """Queue the two checks of a variant, the compiled one, which takes longer, first."""
        return self._pool.submit(self._check, name, False), self._pool.submit(self._check, name, True)

    def _check(self, name: str, interpreted: bool) -> dict[str, Any]:
        child = processes.start("check", {"extra": self._extra, "name": name}, interpreted)
        self._children.append(child)
        if self._ended:
            child.kill()
            raise BenchError(f"{name}: its check was called off")
        answer: dict[str, Any] = processes.answer(child, name)
        return answer


def _mark(name: str, extra: Mapping[str, Path]) -> Path:
    files = [extra[name]] if name in extra else []
    return processes.cache_directory() / abi.digest(*files) / f"checked-{name}"


def _line(name: str, compiled: dict[str, Any], interpreted: dict[str, Any]) -> str:
    calls = f"{compiled['calls'] + interpreted['calls']:,} calls"
    calls += f" and {interpreted['callers']} scenarios"
    return f"{name}: agrees with the oracle in {calls}, compiled and interpreted; {compiled['threads']}"
