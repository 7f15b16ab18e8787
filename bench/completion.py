"""What a shell offers when Tab is pressed: commands, options, calls, filter keys, variants, files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence

from bench.case import KEYS, Case, natural
from bench.errors import BenchError
from bench.lanes import LANES, lane

FILES = (
    "file", "base", "directory", "output", "html", "chart", "counts", "thresholds", "baseline", "against",
    "guest_root",
)  # fmt: skip


def asked() -> bool:
    """Does a shell ask for completions, instead of a user for an answer?"""
    return "_ARGCOMPLETE" in os.environ


def command_asked() -> str:
    """The command on the line that is being completed; empty while it is being typed."""
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0") or 0)]
    words = line.split()
    return words[1] if len(words) > 2 or (len(words) == 2 and line.endswith(" ")) else ""


def answer(parser: argparse.ArgumentParser) -> None:
    """Tell the shell, and end the program."""
    import argcomplete

    for action in _actions(parser):
        if completer := _completer(action):
            action.completer = completer  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long")


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of commands too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)


def _completer(action: argparse.Action) -> object:
    from argcomplete.completers import FilesCompleter

    if action.dest in ("filters", "words"):
        return complete_filter
    if action.dest in ("row", "col"):
        return lambda **_: list(KEYS)
    if action.dest == "lane":
        return lambda **_: list(LANES)
    if action.dest == "names":
        return lambda **_: variants()
    return FilesCompleter() if action.dest in FILES else None


def complete_filter(prefix: str, **_: object) -> list[str]:
    """Calls, levels, `key=`, or the values of a key; of several values the last one is completed."""
    key, equals, values = prefix.partition("=")
    cases = _cases()
    if not equals:
        keys = [f"{key}=" for key in KEYS if any(case.meaning(key) for case in cases)]
        return [
            word
            for word in [*sorted({w for case in cases for w in (case.op, case.level)}), *keys]
            if word.startswith(prefix)
        ]
    before, comma, _last = values.rpartition(",")
    valid = sorted({case.meaning(key) for case in cases if key in KEYS} - {""}, key=natural)
    given = before.split(",") if before else []
    return [f"{key}={before}{comma}{value}" for value in valid if value not in given]


def variants() -> list[str]:
    """The names of the variants in the tree."""
    return sorted({case.get("variant") for case in _cases()} - {""}, key=natural)


def _cases() -> Sequence[Case]:
    """The model lane's cases; a shell that asks gets no error for an answer."""
    try:
        return list(lane("model").cases({}))
    except BenchError:
        return []
