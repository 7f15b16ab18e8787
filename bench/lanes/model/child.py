"""A process beside the measuring ones: `python -m bench.lanes.model.child check|count`, job on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.lanes.model import processes
from kernels import abi, check, variants


def main() -> int:
    """Do the job; a wrong variant is one sentence on standard error."""
    job = json.loads(sys.stdin.read())
    try:
        print(_TASKS[sys.argv[1]](job))  # noqa: T201  (standard output is how the parent gets the answer)
    except (variants.VariantError, check.Mismatch, abi.KernelError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return processes.WRONG
    return 0


def _check(job: dict[str, Any]) -> str:
    extra = {name: Path(path) for name, path in job["extra"].items()}
    abi.use_cache(processes.cache_directory(), *extra.values())
    found = variants.discover(extra)
    return str(check.check(found[job["name"]], seed=job.get("seed", 1)))


def _count(job: dict[str, Any]) -> str:
    from bench.lanes.model import counting

    return json.dumps(counting.count(job))


_TASKS = {"check": _check, "count": _count}

if __name__ == "__main__":
    sys.exit(main())
