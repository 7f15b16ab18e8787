"""The gate's own quality: how often it alarms where nothing is slower, and sees what is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.judge.estimate import Interval
from bench.judge.stats import Samples
from bench.judge.stats_margin import ALPHA
from bench.judge.stats_rank import mann_whitney_p_above
from bench.judge.stats_rate import rate_interval

SAME = "same code"


@dataclass(frozen=True)
class Trial:
    """One gate over a copied variant, of which it is known what it costs more."""

    target: str  # the call that costs more; SAME if none does
    size: float  # percent it was meant to cost more
    seed: int
    seconds: float
    processes: int
    judged: int  # pairs
    alarms: tuple[str, ...]  # pairs called REGRESSED
    case: str = ""  # of the target, without its variant
    verdict: str = ""
    change: float = 0.0  # a fraction
    why: tuple[str, ...] = ()  # words of the notes of a verdict that is not clear
    unusable: int = 0  # pairs without a verdict to be trusted
    mann_whitney: tuple[str, ...] = ()  # cases that this plain test calls slower
    pyperf: tuple[str, ...] = ()  # cases that `pyperf compare_to` calls slower


@dataclass(frozen=True)
class Injection:
    """How a target is made dearer by about `size` percent."""

    target: str
    size: float
    extra: int  # folios of 1024 that cost more
    true: float  # percent, as it was measured


@dataclass(frozen=True)
class Rate:
    """How many of how many, with the exact 95 % interval of the share."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """As a fraction."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> Interval:
        """Clopper and Pearson's."""
        return rate_interval(self.hits, self.of)


def pooled_mann_whitney(samples: Samples, pairs: Iterable[tuple[Any, Any]]) -> tuple[str, ...]:
    """Cases that a plain two-sided test at 5 % over all values calls slower than their base."""
    slower = []
    for case, base in pairs:
        ours, theirs = (np.concatenate(list(samples[one].values.values())) for one in (case, base))
        if mann_whitney_p_above(list(ours), list(theirs), 0.0) <= ALPHA / 2:
            slower.append(case.but(variant=None).name)
    return tuple(slower)


class Record:
    """A file of trials and injections, one JSON line each, that only ever grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials: list[Trial] = []
        self.injections: dict[tuple[str, float], Injection] = {}
        for number, line in enumerate(self._lines(), 1):
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UsageError(
                    f"{path}:{number}: is no record of `rmapbench try-gate`; choose another -o"
                ) from None

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text().splitlines() if self.path.exists() else []
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{self.path}: cannot be read; choose another -o") from None

    def _take(self, entry: dict[str, Any]) -> None:
        kind = entry.pop("record")
        if kind == "trial":
            lists = {name: tuple(entry[name]) for name in ("alarms", "why", "mann_whitney", "pyperf")}
            self.trials.append(Trial(**{**entry, **lists}))
        elif kind == "injection":
            self.injections[entry["target"], entry["size"]] = Injection(**entry)

    def add(self, item: Trial | Injection | dict[str, Any]) -> None:
        """Append one; what was there stays whatever happens."""
        kind = {Trial: "trial", Injection: "injection"}.get(type(item), "machine")
        entry = item if isinstance(item, dict) else asdict(item)
        try:
            with self.path.open("a") as file:
                file.write(json.dumps({"record": kind, **entry}) + "\n")
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be written ({error.strerror}); choose another -o"
            ) from None
        if isinstance(item, Trial):
            self.trials.append(item)
        elif isinstance(item, Injection):
            self.injections[item.target, item.size] = item

    def of(self, target: str, size: float) -> Sequence[Trial]:
        """The trials of one kind."""
        return [trial for trial in self.trials if (trial.target, trial.size) == (target, size)]
