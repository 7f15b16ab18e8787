"""The workflows to copy: what they run is what the program takes, and the vm gate judges two kernels."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Cli
from tests.shell_commands import check, commands
from tests.vm import bzimage, fake_qemu

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COUNTED = {"ci.yml": 0, "perf-gate.yml": 2, "vm-gate.yml": 4}  # rmapbench commands
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, Any]:
    """The jobs of a workflow."""
    return yaml.safe_load(path.read_text())["jobs"]


def runs(job: dict[str, Any]) -> Iterator[str]:
    """What a job has a shell do, a step each."""
    return (step["run"] for step in job["steps"] if "run" in step)


@every_workflow
def test_every_command_is_one_that_the_program_takes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed and checked like those of the README."""
    monkeypatch.chdir(tmp_path)
    found = [words for job in jobs(path).values() for text in runs(job) for words in commands(text)]
    assert len(found) == COUNTED[path.name]
    for words in found:
        check(words)


@every_workflow
def test_jobs_and_steps_are_whole(path: Path) -> None:
    """Jobs run in a limited time, after jobs that exist; a step runs or uses something, of a version."""
    for job in jobs(path).values():
        assert {*filter(None, [job.get("needs")])} <= set(jobs(path))
        assert job["runs-on"] == "ubuntu-latest" and 0 < job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            assert re.fullmatch(r"actions/[a-z-]+@v\d", step.get("uses", "actions/checkout@v4")), step


@every_workflow
def test_scripts_have_no_syntax_error(path: Path) -> None:
    """As bash reads them, expressions filled in."""
    for job in jobs(path).values():
        for text in runs(job):
            subprocess.run(["bash", "-n", "-c", EXPRESSION.sub("x", text)], check=True)


@every_workflow
def test_what_is_kept_is_what_was_written(path: Path) -> None:
    """Every file that a job uploads is named in one of its commands."""
    for job in jobs(path).values():
        written = " ".join(runs(job))
        for step in job["steps"]:
            if "upload-artifact" in step.get("uses", ""):
                for name in step["with"]["path"].split("\n"):
                    assert name.partition(".journal/")[0] in written, name


def test_the_whole_check_runs_as_it_does_by_hand() -> None:
    """On the oldest Python there is support for."""
    (job,) = jobs(ROOT / ".github/workflows/ci.yml").values()
    assert ".ci/run" in [text.strip() for text in runs(job)] and os.access(ROOT / ".ci/run", os.X_OK)
    assert [step["with"] for step in job["steps"] if "setup-python" in step.get("uses", "")] == [
        {"python-version": "3.11"}
    ]


@pytest.mark.parametrize(("head", "code"), [("6.12-head", 0), ("6.12-new", 3)])
def test_the_vm_gate_is_red_for_a_dearer_kernel_only(head: str, code: int, cli: Cli, tmp_path: Path) -> None:
    """Its commands in a shell, as the runner gives them to it: the verdict, the summary and what is kept."""
    environment = {
        **cli.environment(fake_qemu(tmp_path)),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    program = tmp_path / ".venv/bin/rmapbench"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bench "$@"\n')
    program.chmod(0o755)
    bzimage(tmp_path / "bzImage.base", "6.12-base")
    bzimage(tmp_path / "bzImage.head", head)
    codes = {}
    for text in runs(jobs(ROOT / ".github/workflows/vm-gate.yml")["gate"]):
        if "rmapbench" in text:
            done = subprocess.run(["bash", "-e", "-c", text], cwd=tmp_path, env=environment, text=True,
                                  capture_output=True)  # fmt: skip
            codes[text.split()[1]] = done.returncode
            assert done.returncode in (0, code), done
    assert codes["gate"] == code
    summary = (tmp_path / "summary.md").read_text()
    assert "## gate: " in summary and "| 4K" in summary and ("REGRESSED" in summary) == (code == 3)
    assert {path.name for path in tmp_path.glob("vm.*")} >= {"vm.json.gz", "vm.xml", "vm.html"}
