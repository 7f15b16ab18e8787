"""Completion: what a shell is told when Tab is pressed."""

from __future__ import annotations

import pytest

from bench.cli import COMMANDS
from tests.conftest import Cli


def offered(cli: Cli, line: str) -> list[str]:
    """What argcomplete's protocol hands to the shell for a line."""
    env = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(cli.cwd / "answer"),
        "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9",
    }  # fmt: skip
    outcome = cli.python("-m", "bench", env=env)
    assert outcome.err == "", outcome
    return [word.strip() for word in (cli.cwd / "answer").read_text().split("\n")]


def test_every_command_is_offered(cli: Cli) -> None:
    """Also by its first letters."""
    assert set(COMMANDS) <= set(offered(cli, "rmapbench "))
    assert offered(cli, "rmapbench hist") == ["history"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rmapbench run rem", {"remove"}),
        ("rmapbench run ord", {"order="}),
        ("rmapbench run order=0,8", {"order=0,8"}),
        ("rmapbench run variant=v6.1", {"variant=v6.10", "variant=v6.12", "variant=v6.15"}),
        ("rmapbench check v6.1", {"v6.10", "v6.12", "v6.15"}),
        ("rmapbench report --style ", {"mail", "mmtests", "lkp"}),
        ("rmapbench report --htm", {"--html"}),
        ("rmapbench report x --row pa", {"path", "pattern"}),
        ("rmapbench run --lane m", {"model"}),
    ],
)
def test_words_are_completed(cli: Cli, line: str, words: set[str]) -> None:
    """Calls, keys, values, variants, options and what they take."""
    assert words <= set(offered(cli, line))


def test_a_value_given_is_not_offered_again(cli: Cli) -> None:
    """After a comma the others are."""
    assert {"order=0,4", "order=0,9"} <= set(offered(cli, "rmapbench run order=0,")) - {"order=0,0"}


def test_nonsense_is_completed_by_nothing(cli: Cli) -> None:
    """And is no error."""
    assert offered(cli, "rmapbench fly remo") == [""]
    assert offered(cli, "rmapbench run nokey=") == [""]
