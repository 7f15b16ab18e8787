"""The README is true: its examples print what it shows, and it names every command, word and exit code."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from bench import errors
from bench.case import KEYS
from bench.cli import COMMANDS
from bench.commands import export
from bench.judge.verdict import Verdict
from bench.lanes import LANES
from bench.lanes.live import catalogue
from bench.lanes.model import families
from bench.lanes.model.patterns import PATTERNS
from bench.lanes.model.scenarios import SCENARIOS
from bench.lanes.vm import operations
from kernels.variants import discover
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
    words = {*re.findall(r'(?:Note|differing|_beyond)\(\s*"([A-Z-]+)"', source), *Verdict}
    assert words >= {"STATE", "SHAPE", "LAYOUT", "UNMEASURABLE"}
    for word in words:
        assert f"| `{word}` |" in README.read_text()


def test_every_key_is_explained() -> None:
    """Those of all lanes."""
    for key in KEYS:
        assert f"| `{key}` |" in README.read_text()


def section(title: str) -> str:
    """A section's text, without those of its own level that follow."""
    text = README.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert text, title
    return text


def test_every_variant_is_named() -> None:
    """In the list of variants, at the beginning of a line."""
    named = re.findall(r"^(\S+) +base ", section("Variants"), re.MULTILINE)
    assert named == list(discover())


def test_every_lane_is_named() -> None:
    """With the option, but for the one that needs none."""
    for lane in set(LANES) - {"model"}:
        assert f"`--lane {lane}`" in README.read_text() or f"--lane {lane} " in README.read_text(), lane


def test_every_call_of_the_model_is_named_with_its_states() -> None:
    """In the table of calls: kinds and states, and nothing else."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", section("Cases and filters"), re.MULTILINE)
    listed = {call: set(re.findall(r"\w+", states)) - {"and"} for call, states in rows}
    for call, words in _calls().items():
        assert listed.pop(call, None) == words, call
    assert not set(listed) - set(KEYS)


def _calls() -> dict[str, set[str]]:
    """Kinds and states of every call that has cases of its own."""
    found: dict[str, set[str]] = {}
    for family in families.FAMILIES:
        for case in (family.case("v6.12", "ptes", 4), family.inverse_case("v6.12", "ptes", 4)):
            if case is not None:
                words = {case.get("kind"), case.get("state")} - {None, ""}
                found.setdefault(case.op, set()).update(map(str, words))
    return found


@pytest.mark.parametrize("families", [catalogue.FAMILIES, operations.FAMILIES], ids=["live", "vm"])
def test_every_operation_on_this_or_another_kernel_is_named(families: tuple[Any, ...]) -> None:
    """In the live lane's table, with the kind of memory."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section("The running kernel"), re.MULTILINE)
    for family in families:
        names = (getattr(operation, "name", operation) for operation in family.operations)
        assert {(name, family.kind) for name in names} <= set(rows)


def test_every_format_is_named() -> None:
    """Of `export` each with what it gives."""
    parser = argparse.ArgumentParser()
    export.configure(parser)
    (formats,) = (action.choices for action in parser._actions if action.dest == "format")
    named = re.findall(r"^\| `export --format ([\w-]+)", section("Formats"), re.MULTILINE)
    assert named == list(formats or ())


def test_every_message_that_is_explained_is_one_that_the_program_says() -> None:
    """Word for word, but for names and figures."""
    said = " \n ".join(_texts())
    messages = re.findall(r"^\| `([^`]+)` \| [^|]+ \|$", section("What can go wrong"), re.MULTILINE)
    assert len(messages) > 15
    for message in messages:
        for words in filter(None, (part.strip(" (:;,") for part in message.split("..."))):
            assert words in said, message


def _texts() -> Iterator[str]:
    """Every text in the program's source; what is put into one is a blank."""
    for path in (ROOT / "bench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(getattr(part, "value", " ") if isinstance(part, ast.Constant) else " "
                              for part in node.values)  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_scenario_state_and_pattern_is_named() -> None:
    """In the section on scenarios."""
    text = section("Scenarios")
    states = {what.state for what in SCENARIOS if what.state}
    paths = {path for what in SCENARIOS for path in what.forms} - {"folio"}
    for word in {what.op for what in SCENARIOS} | states | set(PATTERNS):
        assert f"`{word}`" in text, word
    for path in paths:
        assert f"path={path}`" in text, path


def test_files_the_readme_links_to_exist() -> None:
    """Pictures and pages."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
