"""What tests read in README.md: its blocks for a shell, and the rmapbench commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.conftest import ROOT

PROGRAM = "rmapbench"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
ENDS = re.compile(r"[;&|()]+")  # of a command
REDIRECTION = re.compile(r"[<>]+")


def blocks() -> list[str]:
    """The blocks that a reader pastes into a shell."""
    return BLOCK.findall((ROOT / "README.md").read_text())


def judge_sh() -> str:
    """The script for `git bisect run`."""
    (found,) = (block for block in blocks() if "# judge.sh:" in block)
    return found


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
