"""How far a run is: a bar with the time left on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the engine says how far it is, and is not needed to show that
    from bench.measure.engine import Progress

EVERY = 10.0  # seconds between two plain lines


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """The progress display that suits standard error."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield _Lines()


class _Silent:
    def update(self, stage: str, done: int, total: int) -> None:
        """Say nothing."""


class _Lines:
    def __init__(self) -> None:
        self._stage, self._began, self._said = "", 0.0, 0.0

    def update(self, stage: str, done: int, total: int) -> None:
        """A line when a stage begins, and then every few seconds."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._said = stage, now, 0.0
        if now - self._said < EVERY:
            return
        self._said = now
        left = (now - self._began) / done * (total - done) if done else None
        remaining = "" if left is None else f", about {left:.0f} s left"
        print(f"{stage}: {done} of {total}{remaining}", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Seldom: the cores belong to the workers.
    with Bar(*columns, console=Console(stderr=True), refresh_per_second=2, transient=True) as bar:
        yield _Rich(bar)


class _Rich:
    def __init__(self, bar: object) -> None:
        self._bar, self._tasks = bar, {}  # type: ignore[var-annotated]

    def update(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar."""
        bar = self._bar
        if stage not in self._tasks:
            self._tasks[stage] = bar.add_task(stage, total=total)  # type: ignore[attr-defined]
        bar.update(self._tasks[stage], completed=done, total=total)  # type: ignore[attr-defined]
