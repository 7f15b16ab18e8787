"""A process beside the measuring ones: `python -m bench.lanes.model.child load|check|count`, job on stdin."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.lanes.model import processes
from bench.measure.affinity import die_with_parent
from kernels import abi, check, variants
from kernels.checking.replay import generation_of


def main() -> int:
    """Do the job; a wrong variant is one sentence on standard error."""
    job = json.loads(sys.stdin.read())
    die_with_parent(job["parent"])
    extra = {name: Path(path) for name, path in job["extra"].items()}
    abi.use_cache(processes.cache_directory(), *extra.values())
    try:
        answer = _TASKS[sys.argv[1]](job, variants.discover(extra))
    except (variants.VariantError, check.Mismatch, abi.KernelError) as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201
        return processes.WRONG
    print(json.dumps(answer), flush=True)  # noqa: T201  (this is how the parent gets the answer)
    return 0


def _load(job: dict[str, Any], found: dict[str, variants.VariantFile]) -> None:
    for name in job["extra"]:
        variants.load(found[name])


def _check(job: dict[str, Any], found: dict[str, variants.VariantFile]) -> dict[str, Any]:
    file, seed = found[job["name"]], job.get("seed", 1)
    done = dataclasses.asdict(check.check(file, seed=seed))
    return {**done, "callers": _check_scenarios(file, seed) if abi.INTERPRETED else 0}


def _check_scenarios(file: variants.VariantFile, seed: int) -> int:
    """Interpreted only: compiling every scenario would take longer than everything else."""
    from bench.lanes.model.scene_check import check as check_scenarios
    from bench.lanes.model.scene_session import Code, entries
    from bench.lanes.model.scene_world import SceneWorld

    module = variants.load(file)
    code = Code(entries(file, module), module.LAYOUT, generation_of(file, module.LAYOUT))
    return check_scenarios(SceneWorld(), file, code, seed)


def _count(job: dict[str, Any], found: dict[str, variants.VariantFile]) -> Any:
    from bench.lanes.model import counting

    return counting.count(job)


_TASKS = {"load": _load, "check": _check, "count": _count}

if __name__ == "__main__":
    os._exit(main())  # a thread that waits for a lock for ever would keep the interpreter from ending
