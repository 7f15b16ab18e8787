"""Processes beside the measuring ones, which do a job and answer, and the cache of compiled kernels."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UsageError
from bench.measure import own

CACHE_VARIABLE = "RMAPBENCH_CACHE_DIR"
MOST_CPU = 180  # seconds of processor time a job may take; it takes some ten
TIMEOUT = 10 * MOST_CPU  # seconds: on a busy machine little of the time is the job's
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
    environment = {key: value for key, value in own.environment().items() if key != "NUMBA_DISABLE_JIT"}
    if interpreted:
        environment["NUMBA_DISABLE_JIT"] = "1"
    child = subprocess.Popen(
        own.command("bench.lanes.model.child", task),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    resource.prlimit(child.pid, resource.RLIMIT_CPU, (MOST_CPU, MOST_CPU + 1))
    assert child.stdin is not None
    child.stdin.write(json.dumps({**job, "parent": os.getpid()}))
    child.stdin.close()
    child.stdin = None
    return child


def answer(child: subprocess.Popen[str], what: str) -> Any:
    """What the child answered; the error it ended with, as ours."""
    try:
        out, err = child.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{what}: gave no answer in {TIMEOUT} s; try again on a quieter machine") from None
    finally:
        child.kill()
        child.wait()
    if child.returncode == -signal.SIGXCPU:
        raise UsageError(
            f"{what}: gave no answer in {MOST_CPU} s of processor time; does a kernel of it loop for ever?"
        )
    if child.returncode == WRONG:
        raise UsageError(err.strip())
    if child.returncode != 0:
        last = (err.strip().splitlines() or ["no message"])[-1]
        raise BenchError(f"{what}: its process died with exit code {child.returncode}: {last}")
    return json.loads(out)


def load(extra: Mapping[str, Path]) -> None:
    """Import users' variants once; UsageError for the first that breaks a rule of the interface."""
    if extra:
        answer(start("load", {"extra": as_text(extra)}, interpreted=True), "loading the variants")


def as_text(extra: Mapping[str, Path]) -> dict[str, str]:
    """Users' variants for a job."""
    return {name: str(path) for name, path in extra.items()}


def count(job: Mapping[str, Any]) -> Any:
    """Counts for the job's cases (see bench.lanes.model.counting)."""
    return answer(start("count", job, interpreted=True), "count")
