"""Processes beside the measuring ones: checks and counts, and the cache of compiled kernels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UsageError
from kernels import abi

Lines = Iterator[str]
CACHE_VARIABLE = "RMAPBENCH_CACHE_DIR"
TIMEOUT = 600  # seconds a check may take; it takes a few
WRONG = 2  # exit code of a child that found its input wrong


def cache_root() -> Path:
    """Where compiled kernels are kept between runs."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rmapbench"


def cache_directory() -> Path:
    """The cache, made if need be; UsageError if it cannot be written."""
    root = cache_root()
    probe = root / f".probe-{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"{root}: cannot keep compiled kernels there ({error.strerror}); set {CACHE_VARIABLE} to a "
            "directory that can be written"
        ) from None
    return root


def start(task: str, job: Mapping[str, Any], interpreted: bool) -> subprocess.Popen[str]:
    """Start bench.lanes.model.child on a job."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
    if interpreted:
        environment["NUMBA_DISABLE_JIT"] = "1"
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.lanes.model.child", task],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    child.stdin.write(json.dumps(job))
    child.stdin.close()
    child.stdin = None
    return child


def answer(child: subprocess.Popen[str], what: str) -> str:
    """What the child printed; the error it ended with, as ours."""
    try:
        out, err = child.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{what}: gave no answer in {TIMEOUT} s; does a kernel of it loop for ever?"
        ) from None
    finally:
        child.kill()
        child.wait()
    if child.returncode == WRONG:
        raise UsageError(err.strip())
    if child.returncode != 0:
        last = (err.strip().splitlines() or ["no message"])[-1]
        raise BenchError(f"{what}: its process died with exit code {child.returncode}: {last}")
    return out


def check(names: list[str], extra: Mapping[str, Path], fresh: bool) -> Lines:
    """Compare variants with the oracle, interpreted and compiled at once; a line a variant.

    What has passed is remembered in the cache under the digest of its sources; `fresh` asks again.
    """
    for name in names:
        files = [extra[name]] if name in extra else []
        mark = cache_directory() / abi.digest(*files) / f"checked-{name}"
        if fresh or not mark.exists():
            job = {"extra": {key: str(path) for key, path in extra.items()}, "name": name}
            children = [start("check", job, interpreted) for interpreted in (True, False)]
            counts = [answer(child, name).strip() for child in children]
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(f"{name}: interpreted {counts[0]}, compiled {counts[1]}\n")
        yield mark.read_text().strip()


def count(job: Mapping[str, Any]) -> Any:
    """Counts for the job's cases (see bench.lanes.model.counting)."""
    return json.loads(answer(start("count", job, interpreted=True), "count"))
