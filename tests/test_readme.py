"""The README is true: its examples print what it shows, and it names every command, word and exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from bench import errors
from bench.case import KEYS
from bench.cli import COMMANDS
from bench.judge.verdict import Verdict
from tests.conftest import ROOT, Cli, check_golden

README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def blocks() -> list[str]:
    """The console blocks, each one or more commands with what they print."""
    return BLOCK.findall(README.read_text())


def commands(block: str) -> Iterator[str]:
    """The command lines of a block."""
    return (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


def printed(cli: Cli, block: str) -> str:
    """The block as the program would fill it now."""
    lines = []
    for command in commands(block):
        outcome = cli(*shlex.split(command)[1:], cwd=ROOT)
        text = outcome.out + outcome.err
        lines.append(f"$ {command}\n" + "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    return "".join(lines)


def test_every_example_prints_what_the_readme_shows(cli: Cli) -> None:
    """README.md.got is the README as it should be, where it differs."""
    text = README.read_text()
    assert len(blocks()) >= 5
    true = BLOCK.sub(lambda found: f"```console\n{printed(cli, found[1])}```", text)
    check_golden("README.md", true, ROOT)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    """In the table of commands."""
    assert f"`rmapbench {command}" in README.read_text()


def test_every_exit_code_is_named() -> None:
    """Those of the errors, success, and the verdicts'."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.BenchError)} | {0, 3, 5}
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README.read_text(), re.MULTILINE)}
    assert listed == codes


def test_every_word_of_the_notes_is_explained() -> None:
    """Those that the judge can say, and its verdicts."""
    source = "".join(path.read_text() for path in (ROOT / "bench/judge").glob("*.py"))
    words = {*re.findall(r'(?:Note|_differing)\(\s*"([A-Z-]+)"', source), *Verdict}
    assert words >= {"STATE", "SHAPE", "LAYOUT", "UNMEASURABLE"}
    for word in words:
        assert f"| `{word}` |" in README.read_text()


def test_every_key_that_the_model_uses_is_explained() -> None:
    """Keys of other lanes are not."""
    used = set(KEYS) - {"pattern", "kernel", "machine", "memory", "threads"}
    for key in used:
        assert f"| `{key}` |" in README.read_text()


def test_files_the_readme_links_to_exist() -> None:
    """Pictures and pages."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
