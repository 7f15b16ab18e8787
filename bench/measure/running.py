"""A worker process from its start to its end, as the engine sees it."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure.journal import Reader

LAST_WORDS = 300  # characters kept of what a dying worker said


@dataclass
class Worker:
    """A running worker process and what it was last heard of."""

    number: int
    mode: str
    cpu: int | None
    process: subprocess.Popen[bytes]
    reader: Reader
    stderr: Path
    blocks: set[int]  # not finished yet
    begun: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    at: tuple[int, int] = (-1, -1)
    ended: bool = False

    def last_words(self) -> str:
        """What it said last and how it ended, once it is over."""
        lines = self.stderr.read_text(errors="replace").strip().splitlines()
        code = self.process.returncode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"{lines[-1][:LAST_WORDS]} ({how})" if lines else f"worker died ({how})"
