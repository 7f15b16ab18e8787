"""A table of a mail before a style prints it: two arms, a row a folio size, and what casts doubt on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bench.case import Case
from bench.judge.estimate import Interval
from bench.judge.stats import Note
from bench.show.table import size, wrap

SHORT = ("base", "new")  # heads of arms whose names are too long for a column
MILD = ("", "PLACEMENT", "LEFT-OUT")  # words of remarks that cast no doubt


class Cost(NamedTuple):
    """What an arm costs."""

    value: float  # seconds a page
    spread: float  # standard deviation over processes or boots, a fraction


@dataclass(frozen=True)
class Entry:
    """A folio size: the costs, how they compare, and what is to be known of that."""

    order: int
    mapping: str  # how the folio is mapped, where neither by PTEs nor as the title says
    before: Cost | None
    after: Cost | None
    change: float | None = None
    interval: Interval | None = None  # of the change
    remarks: tuple[Note, ...] = ()

    @property
    def label(self) -> str:
        """2M pmd."""
        return f"{size(self.order)} {self.mapping}".strip()

    @property
    def kib(self) -> str:
        """2048KiB pmd."""
        return f"{4 << self.order}KiB {self.mapping}".strip()

    @property
    def doubts(self) -> list[Note]:
        """Why the change is not to be relied on."""
        return [note for note in self.remarks if note.word not in MILD]

    @property
    def sure(self) -> bool:
        """Does the interval leave out no change at all, and nothing speak against it?"""
        bounds = self.interval
        return bounds is not None and not bounds.low <= 0 <= bounds.high and not self.doubts


@dataclass(frozen=True)
class Sheet:
    """One table: the operation, its two arms, rows, and what is written below."""

    name: str
    keys: tuple[tuple[str, str], ...]  # the same as keys and values
    heads: tuple[str, str]  # names of the arms; the first is empty where nothing is compared
    unit: str
    plain: Callable[[float], str]  # writes a cost
    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]  # that it shows
    notes: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()  # notes that other tables of the mail have too

    @property
    def title(self) -> str:
        """fork, path=default, instructions a page."""
        return wrap(f"{self.name}, {self.unit}")

    @property
    def level(self) -> str:
        """Of its cases."""
        return self.cases[0].level

    @property
    def compares(self) -> bool:
        """Are there two arms?"""
        return bool(self.heads[0])

    def short(self) -> tuple[str, str]:
        """Heads for narrow columns; `legend` says what they are."""
        return SHORT if self.compares else ("", SHORT[1])

    def legend(self) -> str:
        """What short heads stand for."""
        named = (f"{short}: {name}" for short, name in zip(SHORT, self.heads) if name)
        return wrap("; ".join(named))

    def mark(self, entry: Entry) -> str:
        """References to the remarks below: [1,2]."""
        known = list(self._remarks())
        numbers = (str(known.index((note.word, note.text)) + 1) for note in entry.remarks)
        said = ",".join(dict.fromkeys(numbers))
        return f" [{said}]" if said else ""

    @property
    def mark_width(self) -> int:
        """Columns that the longest of them takes."""
        return max(map(len, map(self.mark, self.entries)), default=0)

    def below(self) -> list[str]:
        """The remarks that rows refer to, and the notes."""
        remarks = enumerate(self._remarks().items(), 1)
        lines = [f"[{n}] {_said(word, text, details)}" for n, ((word, text), details) in remarks]
        return [wrap(line) for line in (*lines, *self.notes)]

    def _remarks(self) -> dict[tuple[str, str], dict[str, str]]:
        """Each remark once, with what it adds at each size."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        for entry in self.entries:
            for note in entry.remarks:
                found.setdefault((note.word, note.text), {})[entry.label] = note.detail
        return found


def _said(word: str, text: str, details: dict[str, str]) -> str:
    """UNTRUSTED: why (512K: +3.8 %, true +2.6 %)."""
    sentence = f"{word}: {text}" if word else text
    different = dict.fromkeys(detail for detail in details.values() if detail)
    if len(different) == 1:
        return f"{sentence} ({next(iter(different))})"
    listed = "; ".join(f"{label}: {detail}" for label, detail in details.items() if detail)
    return f"{sentence} ({listed})" if listed else sentence
