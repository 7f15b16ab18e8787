"""What a shell offers when Tab is pressed: commands, options, calls, filter keys, variants, files.

What is offered needs no kernel, no machine and no file to be looked into: Tab answers at once.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.case import KEYS, Case, natural
from bench.errors import BenchError
from bench.lanes import LANES, extra, lane


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
        if found := completer(action):
            action.completer = found  # type: ignore[attr-defined]
    nothing = argcomplete.completers.SuppressCompleter()  # a number, say, is no file
    argcomplete.autocomplete(parser, always_complete_options="long", default_completer=nothing)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of commands too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)


def completer(action: argparse.Action) -> Completer | None:
    """What an option or argument takes; none of what argparse knows itself, and of numbers."""
    if found := COMPLETERS.get(action.dest):
        return found
    if action.metavar == "DIR":
        return _directories
    return _files if action.type is Path else None


def _files(prefix: str, **_: object) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return FilesCompleter()(prefix)


def _directories(prefix: str, **_: object) -> list[str]:
    from argcomplete.completers import DirectoriesCompleter

    return list(DirectoriesCompleter()(prefix))


def _named_file(prefix: str, **_: object) -> list[str]:
    """A file, or NAME= and a file."""
    name, equals, path = prefix.rpartition("=")
    return [f"{name}{equals}{found}" for found in _files(path)]


def complete_filter(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Calls, levels, `key=`, or the values of a key; of several values the last one is completed."""
    key, equals, values = prefix.partition("=")
    lanes = _lanes(parsed_args)
    cases = _cases(lanes, parsed_args)
    if not equals:
        keys = [f"{key}=" for key in KEYS if _values(key, cases, lanes)]
        return _beginning(prefix, [*sorted({w for case in cases for w in (case.op, case.level)}), *keys])
    return [f"{key}={words}" for words in _last(values, _values(key, cases, lanes))]


def complete_word(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Of `gate`: a result file first, and filters."""
    files = [] if parsed_args.words else [path for path in _files(prefix) if path.endswith(RESULTS)]
    return files + complete_filter(prefix, parsed_args)


def complete_base(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Result files, or an arm as `key=value`."""
    words = complete_filter(prefix, parsed_args)
    return _files(prefix) + [word for word in words if "=" in word and "," not in word]


def complete_keys(prefix: str, **_: object) -> list[str]:
    """Keys of a projection, several with commas."""
    return _last(prefix, ("op", *KEYS))


def _last(text: str, valid: Iterable[str]) -> list[str]:
    """The text with each of the valid words as its last one, those before it being given already."""
    before, comma, last = text.rpartition(",")
    given = before.split(",") if before else []
    return [f"{before}{comma}{word}" for word in _beginning(last, valid) if word not in given]


def _beginning(prefix: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(prefix)]


def _values(key: str, cases: Iterable[Case], lanes: Iterable[str]) -> list[str]:
    """The values of a key; of memory also some that would make cases."""
    if key not in KEYS:
        return []
    found = {case.meaning(key) for case in cases} - {""}
    more = {amount for name in lanes for amount in MEMORIES[name]} if key == "memory" else set()
    return sorted(found | more, key=natural)


def variants(**_: object) -> list[str]:
    """The names of the variants in the tree."""
    return sorted({case.get("variant") for case in lane("model").cases({})} - {""}, key=natural)


def _lanes(args: argparse.Namespace) -> list[str]:
    """The lane that the line names; a result file can be of any."""
    read = hasattr(args, "file") or hasattr(args, "directory")
    if read or any(word.endswith(RESULTS) for word in getattr(args, "words", ())[:1]):
        return list(LANES)
    named = getattr(args, "lane", "model")
    return [named] if named in LANES else []


def _cases(lanes: Iterable[str], args: argparse.Namespace) -> list[Case]:
    """What the lanes can measure; a shell that asks gets no error for an answer."""
    return [case for name in lanes for case in CASES[name](args)]


def _model(args: argparse.Namespace) -> list[Case]:
    """With the user's variants, as far as the line names any that can be read."""
    module = lane("model")
    try:
        return list(module.cases(extra(module, args)))
    except (BenchError, AttributeError):
        return list(module.cases({}))


def _live(args: argparse.Namespace) -> list[Case]:
    """What some machine can measure: asking this one would take a process."""
    from bench.lanes.live import catalogue

    return catalogue.every_case(MEMORIES["live"][0])


def _vm(args: argparse.Namespace) -> list[Case]:
    """Those of the kernels on the line, or else of one that has everything."""
    from bench.lanes.vm import image, operations

    try:
        found = list(image.images(args.kernel).values())
    except (BenchError, AttributeError):
        found = []
    some = image.Image("", Path(), platform.machine(), "")
    return [case for one in found or [some] for case in operations.cases_of(one, None)]


def _accelerators(**_: object) -> list[str]:
    from bench.lanes.vm import qemu

    return list(qemu.ACCELERATORS)


def _clusters(**_: object) -> list[str]:
    vm = lane("vm")
    return [vm.LOCAL, *vm.ADDRESSES]


Completer = Callable[..., list[str]]
RESULTS = (".json", ".json.gz", "/")  # how result files end, and what may hold some
MEMORIES = {"model": ("64MiB", "1GiB"), "live": ("256MiB", "1GiB"), "vm": ("32MiB", "64MiB", "128MiB")}
CASES: dict[str, Callable[[argparse.Namespace], list[Case]]] = {"model": _model, "live": _live, "vm": _vm}
COMPLETERS: dict[str, Completer] = {
    "filters": complete_filter, "words": complete_word, "names": variants, "base": complete_base,
    "row": complete_keys, "col": complete_keys, "kernel": _named_file, "variant": _named_file,
    "by": lambda **_: list(KEYS), "lane": lambda **_: list(LANES),
    "accel": _accelerators, "cluster": _clusters,
}  # fmt: skip
