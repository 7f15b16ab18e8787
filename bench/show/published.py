"""Figures that the mailing list published, read from results/ to be shown beside ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

FILE = Path(__file__).resolve().parents[2] / "results" / "published-fork-zap.csv"


@dataclass(frozen=True)
class Published:
    """One row of a published table: seconds of 1 GiB before and after batching."""

    op: str
    order: int
    base: float
    batched: float
    machine: str

    @property
    def ratio(self) -> float:
        """Batched over per-page."""
        return self.batched / self.base


def published(path: Path = FILE) -> list[Published]:
    """All rows; UsageError if the file is not there or not such a file."""
    try:
        with path.open(newline="") as file:
            return [
                Published(
                    row["op"],
                    int(row["order"]),
                    float(row["base_s_per_gib"]),
                    float(row["batched_s_per_gib"]),
                    row["machine"],
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(
            f"{path}: cannot be read as published figures ({error}); it comes with the source"
        ) from None
