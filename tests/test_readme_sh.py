"""The README's blocks for a shell: every rmapbench command in them is one, and judge.sh judges."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.lanes import LANES
from tests import readme
from tests.conftest import Cli
from tests.shell_commands import check, commands
from tests.vm import bzimage, fake_qemu

COMMANDS = [words for block in readme.blocks() for words in commands(block)]


def test_the_blocks_have_commands_of_every_lane() -> None:
    """That is, they are found: also those behind sudo, && and on more lines than one."""
    lanes = {words[words.index("--lane") + 1] for words in COMMANDS if "--lane" in words}
    assert lanes == set(LANES) - {"model"} and len(COMMANDS) > 20 and [] in COMMANDS
    block = (
        "A=1; x && sudo .venv/bin/rmapbench run \\\n  fork > a.txt || exit 125 # rmapbench no\nrmapbench-x y"
    )
    assert list(commands(block)) == [["run", "fork"]]


@pytest.mark.parametrize("words", COMMANDS, ids=shlex.join)
def test_every_command_is_one_that_the_program_takes(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own parser; filters, kernels and variants by the lane that would measure them."""
    monkeypatch.chdir(tmp_path)
    check(words)


@pytest.mark.parametrize(
    "command",
    [
        "run --nothing", "measure fork", "run order=0,12", "run pages=1", "run forkk", "gate order=77",
        "run --variant mine fork", "run --variant mine=mine.py variant=yours", "run --lane wm fork",
        "report a.json ordr=0", "report a.json --row orders", "report a.json --base kernal=old",
        "gate a.json forkk", "run --lane live order=12", "run --lane live memory=1XB",
        "run --lane live --kernel k fork", "run --lane vm --kernel k=k memory=2GiB", "run --lane vm fork",
        "run --lane vm --kernel k=k path=ptez", "run --lane vm --kernel k=k --cluster somewhere fork",
    ],
)  # fmt: skip
def test_a_command_that_is_none_is_noticed(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options, keys, values, operations, lanes."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        check(shlex.split(command))


@pytest.mark.parametrize(
    ("release", "code"), [("6.12-this", 0), ("6.12-new", 1), ("6.12-panics", 125), ("", 125)]
)
def test_judge_sh_is_what_git_bisect_wants(release: str, code: int, cli: Cli, tmp_path: Path) -> None:
    """0 for a kernel as good as the base, 1 for a dearer one, 125 for none, and for one that panics."""
    environment = cli.environment(fake_qemu(tmp_path, "panics:panics"))
    _program(tmp_path, "rmapbench", f'exec {shlex.quote(sys.executable)} -m bench "$@"')
    build = "mkdir -p arch/x86/boot; cp built arch/x86/boot/bzImage"
    _program(tmp_path, "make", f'case "$*" in *bzImage) {build}; esac')
    if release:
        bzimage(tmp_path / "built", release)
    script = tmp_path / "judge.sh"
    script.write_text(readme.judge_sh().replace("/var/tmp/", f"{tmp_path}/"))
    script.chmod(0o755)
    environment["BASE"] = str(bzimage(tmp_path / "base", "6.12-base"))
    (tmp_path / "bisect.json").write_text("of the commit before")
    done = subprocess.run([str(script)], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == code, done


def _program(directory: Path, name: str, does: str) -> None:
    """A program that comes first, beside the QEMU that boots nothing."""
    path = directory / "programs" / name
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
