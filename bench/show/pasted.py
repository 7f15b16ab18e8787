"""Commands in a mail: at most 72 columns, broken so that a shell joins what is pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from bench.show.table import WIDTH

INDENT, DEEPER = "  ", "    "  # of the first line, and of those that go on
ROOM = WIDTH - len(" \\")  # of a line that goes on
SPECIAL = re.compile(r"([^\w@%+=:,./-])", re.ASCII)  # what a shell does not take for itself


def continued(command: str) -> str:
    """A command, broken between words; a word longer than a line goes on at the left margin."""
    lines, line = list[str](), INDENT
    for word in _words(command):
        quoted = shlex.quote(word)
        if len(DEEPER) + len(quoted) > ROOM and "\n" not in word:
            *pieces, last = _broken(word)
            lines += [f"{line} \\", f"{DEEPER}{pieces[0]}\\", *(f"{piece}\\" for piece in pieces[1:])]
            line = last
        elif not line.strip():
            line += quoted
        elif len(line) + 1 + len(quoted) <= ROOM:
            line += f" {quoted}"
        else:
            lines.append(f"{line} \\")
            line = DEEPER + quoted
    return "\n".join([*lines, line])


def _words(command: str) -> list[str]:
    """Plain, though names of machines and files may hold anything."""
    plain = command.encode("ascii", "replace").decode()
    try:
        return shlex.split(plain)
    except ValueError:
        return plain.split()


def _broken(word: str) -> Iterator[str]:
    """Pieces of a long word, its special characters escaped; at slashes where that wastes little."""
    rest = SPECIAL.sub(r"\\\1", word)
    room = WIDTH - len(DEEPER) - len("\\")
    while True:
        cut = rest.rfind("/", room // 2, room) + 1 or room
        cut -= (len(rest[:cut]) - len(rest[:cut].rstrip("\\"))) % 2  # a backslash stays with what it escapes
        yield rest[:cut]
        rest = rest[cut:]
        if len(rest) <= room:
            yield rest
            return
