"""The rmapbench commands in a text for a shell: found, and refused if the program would refuse them."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.case import Case, Filters
from bench.cli import parser_of
from bench.commands import before_after, gate
from bench.lanes import LANES, extra, lane
from bench.lanes.live import catalogue
from tests.conftest import ROOT
from tests.vm import arm64_image, bzimage, guest_root

PROGRAM = "rmapbench"
ENDS = re.compile(r"[;&|()]+")  # of a command
REDIRECTION = re.compile(r"[<>]+")


def commands(block: str) -> Iterator[list[str]]:
    """The arguments of every call of rmapbench in a block; comments and redirections are none."""
    for line in block.replace("\\\n", " ").splitlines():
        for words in _split(_uncommented(line)):
            at = next((n for n, word in enumerate(words) if word.rpartition("/")[2] == PROGRAM), None)
            if at is not None and all(word == "sudo" for word in words[:at]):
                yield words[at + 1 :]


def _uncommented(line: str) -> list[str]:
    """The words of a line; a # that begins a word begins a comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in lexer:
        if word.startswith("#"):
            break
        words.append(word)
    return words


def _split(words: list[str]) -> Iterator[list[str]]:
    """Commands of a line."""
    command: list[str] = []
    rest = iter(words)
    for word in rest:
        if ENDS.fullmatch(word):
            yield command
            command = []
        elif REDIRECTION.fullmatch(word):
            next(rest)  # the file
        else:
            command.append(word)
    yield command


def check(words: list[str]) -> None:
    """Refuse what the program would refuse if everything was there that the command names."""
    words = words or ["run"]
    args = parser_of(words[0]).parse_args(words)
    for kernel in getattr(args, "kernel", ()):
        _make_kernel(Path(kernel.partition("=")[2] or kernel))
    for root in getattr(args, "guest_root", ()):
        guest_root(Path(root))
    for variant in getattr(args, "variant", ()):
        shutil.copy(ROOT / "kernels/rmap/_template.py", variant.partition("=")[2] or "none.py")
    if words[0] == "report":
        before_after.files_of(args)
        _check_projection(args)
    file, filters = _given(args)
    if file:
        filters.select(_anything(filters))
    elif words[0] in ("run", "list", "count", "gate"):
        filters.select(_cases(args, filters))


def _make_kernel(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    release = path.name.partition("vmlinuz-")[2] or "6.12.1-test"
    (arm64_image if release.endswith("arm64") else bzimage)(path, release)


def _given(args: argparse.Namespace) -> tuple[Path | None, Filters]:
    """The file that is read, and the filters."""
    if hasattr(args, "words"):
        return gate._words(args.words)
    return getattr(args, "file", None), Filters.parse(getattr(args, "filters", ()))


def _cases(args: argparse.Namespace, filters: Filters) -> list[Case]:
    """What the lane would choose from; of the live lane what some machine can measure."""
    module = lane(getattr(args, "lane", "model"))
    added = extra(module, args)
    if module.__name__ != LANES["live"]:
        return list(module.cases(added, filters))
    for memory in filters.values("memory"):
        catalogue.parse_memory(memory)
    return [case for memory in filters.values("memory") or ("1GiB",) for case in catalogue.every_case(memory)]


def _anything(filters: Filters) -> list[Case]:
    """Cases that a result file can hold; of kernels and variants it can have any."""
    cases = [*lane("model").cases({}, filters), *catalogue.every_case("1GiB")]
    named = filters.values("kernel")
    return cases + [case.but(kernel=name) for case in catalogue.every_case("1GiB") for name in named]


def _check_projection(args: argparse.Namespace) -> None:
    for key in filter(None, (getattr(args, "row", None), getattr(args, "col", None))):
        Filters.parse([f"{word}=x" for word in key.split(",") if word != "op"])
    if isinstance(args.base, str):
        Filters.parse([args.base])
