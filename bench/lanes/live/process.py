"""The workload as a process of its own: started small, asked, ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.measure.facts import find, read

WORKLOAD = Path(__file__).with_name("workload")


class Workload:
    """A running workload; it ends with this process, or with the `with` block."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WORKLOAD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Workload:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer; BenchError if it did not understand, or died."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        line = self._process.stdout.readline()
        if not line:
            raise self._death()
        answer = json.loads(line)
        if "error" in answer:
            raise BenchError(f"the workload refused {request}: {answer['error']}")
        return answer

    def holds(self) -> int:
        """Bytes of anonymous memory that it has now."""
        status = read(Path("/proc"), f"{self._process.pid}/status")
        return int(find(r"^RssAnon:\s*(\d+) kB", status) or 0) << 10

    def _death(self) -> BenchError:
        said = self._process.communicate()[1].strip().splitlines()
        last = said[-1] if said else "no message"
        return BenchError(f"the workload died with exit code {self._process.returncode}: {last}")


def hello(directories: Sequence[str] = ()) -> dict[str, Any]:
    """What the workload finds this kernel able to do, with files in these directories too."""
    with Workload() as workload:
        return workload.ask(do="hello", directories=list(directories))
