"""Completion: what a shell is told when Tab is pressed."""

from __future__ import annotations

import argparse
import importlib
import shutil
from types import ModuleType

import pytest

from bench import completion, options
from bench.case import KEYS
from bench.cli import COMMANDS
from bench.lanes.live import catalogue as live
from bench.lanes.vm import operations as vm
from tests.conftest import ROOT, Cli
from tests.house import HEAVY
from tests.vm import bzimage

NUMBERS = ("N", "S", "CPUS", "PERCENT[,...]")  # what stands for them in --help


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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rmapbench run --lane live un", {"unmap_after_fork"}),
        ("rmapbench run --lane=vm un", {"unmap_after_fork"}),
        ("rmapbench gate fork --lane vm unm", {"unmap_after_fork"}),
        ("rmapbench run un", {"unmap_migrate"}),
        ("rmapbench list --lane vm path=d", {"path=default"}),
        ("rmapbench run --lane live kind=", {"kind=anon", "kind=file", "kind=hugetlb", "kind=shmem"}),
        ("rmapbench run --lane live memory=2", {"memory=256MiB"}),
        ("rmapbench run --lane vm kind=anon,h", {"kind=anon,hugetlb"}),
        ("rmapbench run --lane live vari", {""}),
        ("rmapbench run --lane none fo", {""}),
        ("rmapbench report a.json un", {"unmap_after_fork", "unmap_migrate"}),
        ("rmapbench gate a.json un", {"unmap_after_fork", "unmap_migrate"}),
        ("rmapbench list --lane vm --kernel a=bzImage --kernel b=bzImage kernel=", {"kernel=a", "kernel=b"}),
        ("rmapbench list --lane vm --kernel missing kernel=", {""}),
        ("rmapbench run --variant mine=mine.py variant=m", {"variant=mine"}),
        ("rmapbench run --accel ", {"tcg", "kvm"}),
        ("rmapbench run --cluster ", {"local", "tcp://", "tls://"}),
        ("rmapbench export a.json --by va", {"variant"}),
        ("rmapbench report a.json --row ", {"op", *KEYS}),
        ("rmapbench report a.json --row order,me", {"order,memory"}),
        ("rmapbench report a.json --base kin", {"kind="}),
        ("rmapbench run --seed ", {""}),
    ],
)
def test_what_is_offered_is_what_the_line_can_mean(cli: Cli, line: str, words: set[str]) -> None:
    """Of the lane that it names, of any lane where a file is read; and nothing that would be refused."""
    bzimage(cli.cwd / "bzImage")
    shutil.copy(ROOT / "kernels/rmap/_template.py", cli.cwd / "mine.py")
    assert set(offered(cli, line)) == words


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("rmapbench gate a", {"a.json", "a.json.gz", "a/"}),
        ("rmapbench gate --strict a", {"a.json", "a.json.gz", "a/"}),
        ("rmapbench gate a.json a", set()),
        ("rmapbench run -o a", {"a.json", "a.json.gz", "a.img", "a/"}),
        ("rmapbench run --kernel old=a", {"old=a.json", "old=a.json.gz", "old=a.img", "old=a/"}),
        ("rmapbench run --kernel a.i", {"a.img"}),
        ("rmapbench report --base a.j", {"a.json", "a.json.gz"}),
        ("rmapbench run --resume a", {"a/"}),
        ("rmapbench run --guest-root a", {"a/"}),
        ("rmapbench history a", {"a/"}),
    ],
)
def test_files_are_offered_where_a_file_is_meant(cli: Cli, line: str, files: set[str]) -> None:
    """Directories where one of those is; beside filters, result files only, and one."""
    (cli.cwd / "a").mkdir()
    for name in ("a.json", "a.json.gz", "a.img"):
        (cli.cwd / name).touch()
    assert {word for word in offered(cli, line) if "." in word or "/" in word} == files


@pytest.mark.parametrize("lane", [live, vm])
def test_the_catalogue_is_what_the_lane_has(lane: ModuleType) -> None:
    """Every operation of its families."""
    args = argparse.Namespace(lane=lane.__name__.split(".")[-2])
    words = completion.complete_filter("", parsed_args=args)
    assert {name for family in lane.FAMILIES for name in map(name_of, family.operations)} <= set(words)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_takes_a_file_is_completed_with_files(command: str) -> None:
    """No option is forgotten: what takes a word has a completer, choices, or takes a number."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"bench.commands.{command.replace('-', '_')}").configure(parser)
    for action in parser._actions:
        number = action.metavar in NUMBERS or action.type in (int, options.positive)
        assert action.nargs == 0 or action.choices or number or completion.completer(action), action.dest


def name_of(operation: object) -> str:
    """Of either lane's."""
    return getattr(operation, "name", str(operation))


@pytest.mark.parametrize("line", ["run --lane vm un", "run --lane live path=", "gate a.json un", "run un"])
def test_a_tab_loads_no_heavy_library(cli: Cli, line: str) -> None:
    """And starts no process of a lane."""
    answering = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": str(cli.cwd / "answer")}
    answering |= {"COMP_LINE": f"rmapbench {line}", "COMP_POINT": "99", "COMP_TYPE": "9"}
    code = (
        "import os, subprocess, sys\n"
        f"heavy = {sorted(set(HEAVY) - {'argcomplete', 'numpy', 'scipy'})}\n"  # commands judge
        "def end(code):\n"
        "    print(*(name for name in heavy if name in sys.modules), flush=True)\n"
        "    stop(0)\n"
        "stop, os._exit = os._exit, end\n"
        "subprocess.Popen = None\n"
        "from bench.cli import main; main([])"
    )
    done = cli.python("-c", code, env=answering)
    assert (done.out.strip(), done.err, done.code) == ("", "", 0)
    assert (cli.cwd / "answer").read_text()


def test_a_value_given_is_not_offered_again(cli: Cli) -> None:
    """After a comma the others are."""
    assert {"order=0,4", "order=0,9"} <= set(offered(cli, "rmapbench run order=0,")) - {"order=0,0"}


def test_nonsense_is_completed_by_nothing(cli: Cli) -> None:
    """And is no error."""
    assert offered(cli, "rmapbench fly remo") == [""]
    assert offered(cli, "rmapbench run nokey=") == [""]
