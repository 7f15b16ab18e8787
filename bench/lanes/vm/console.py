"""What a guest says on its serial console: checked records between whatever the kernel prints."""

from __future__ import annotations

import json
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MARK = "@@rmapbench"
STAMP = re.compile(r"\[ *\d+\.\d{6}\]")  # that the kernel puts before what it prints
RECORD = re.compile(rf"{MARK} (\d+) ([0-9a-f]{{8}}) (.*)", re.DOTALL)
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
MEMORY = re.compile(r"Out of memory: Killed process.*")
LAST_LINES = 12  # kept for error messages
MOST_PIECES = 50  # lines that a record may be torn into
LONGEST_LINE = 1 << 16


@dataclass
class Console:
    """Takes bytes as they come and gives the records that are whole; pure, it reads and writes nothing."""

    records: list[dict[str, Any]] = field(default_factory=list)
    garbled: int = 0  # records that cannot be restored
    ended: bool = False  # has the guest said that it is done?
    panic: str = ""
    out_of_memory: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _rest: str = ""
    _torn: str = ""  # beginning of a record that was interrupted
    _pieces: int = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The records that these bytes complete."""
        before = len(self.records)
        text = self._rest + data.decode("utf-8", "replace").replace("\r", "")
        *lines, self._rest = text.split("\n")
        self._rest = self._rest[-LONGEST_LINE:]
        for line in lines:
            self._line(line)
        return self.records[before:]

    def _line(self, line: str) -> None:
        at = line.find(MARK)
        if at >= 0:
            self._give_up()
            self._try(line[at:])
        elif self._torn:
            self._continue(line)
        else:
            self._note(line)

    def _note(self, line: str) -> None:
        """Keep what the kernel says, for those who want to know why."""
        if not line.strip():
            return
        self.tail.append(line.strip())
        if found := PANIC.search(line):
            self.panic = self.panic or found[1].strip()
        if found := MEMORY.search(line):
            self.out_of_memory = found[0]

    def _try(self, text: str) -> None:
        """Take a record if it is whole; else remember what of it is not the kernel's."""
        if self._take(text):
            return
        stamp = STAMP.search(text)
        self._torn, self._pieces = (text[: stamp.start()] if stamp else text), 1
        if stamp:
            self._note(text[stamp.start() :])

    def _continue(self, line: str) -> None:
        """The next piece of a torn record, unless it is a line of the kernel's."""
        stamp = STAMP.search(line)
        piece = line[: stamp.start()] if stamp else line
        self._torn += piece
        self._pieces += 1
        if self._take(self._torn):
            self._torn = ""
        elif self._pieces > MOST_PIECES:
            self._give_up()
        if self._torn or stamp:
            self._note(line[len(piece) :] if stamp else line)

    def _give_up(self) -> None:
        if self._torn:
            self.garbled += 1
            self._torn = ""

    def _take(self, text: str) -> bool:
        """Is it a whole record? Then it is one."""
        found = RECORD.fullmatch(text)
        if not found or zlib.crc32(f"{found[1]} {found[3]}".encode()) != int(found[2], 16):
            return False
        record = _decoded(found[3])
        if record is None:
            return False
        self.ended = self.ended or "end" in record
        self.records.append(record)
        return True


def _decoded(text: str) -> dict[str, Any] | None:
    """The record, which the check says is as it was written; None if no guest of ours wrote it."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def parse(log: bytes) -> Console:
    """A whole log."""
    console = Console()
    console.feed(log + b"\n")
    return console


def said(console: Console) -> str:
    """The last lines, on one."""
    return " | ".join(console.tail) or "nothing"


def answers(console: Console) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number of the job and answer, for each that came."""
    for record in console.records:
        if isinstance(record.get("answer"), dict) and isinstance(record.get("job"), int):
            yield record["job"], record["answer"]
