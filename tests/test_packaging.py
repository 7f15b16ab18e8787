"""What is installed under which name, and that CI runs the command the README gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import bench
import kernels
from tests import house
from tests.conftest import Cli
from tests.house import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
CI = ROOT / ".ci" / "run"


def test_distribution_and_command_are_called_rmapbench() -> None:
    """One name for what pip lists and what a user types."""
    assert PROJECT["project"]["name"] == "rmapbench"
    assert PROJECT["project"]["scripts"] == {"rmapbench": "bench.cli:console"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_the_distribution_cannot_be_uploaded_by_mistake() -> None:
    """Its names belong to others in the Python world."""
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_the_licence_is_mit() -> None:
    """Named in the metadata, with its text and its holders."""
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["project"]["license"] == "MIT"
    assert text.startswith("MIT License\n") and "the rmapbench developers" in text


def test_every_dependency_has_a_lower_bound() -> None:
    """pip may not pick a version older than what was tried."""
    wanted = [*PROJECT["project"]["dependencies"], *EXTRAS["test"], *EXTRAS["cluster"]]
    assert [word for word in wanted if not re.fullmatch(r"[a-z.]+(\[[a-z]+\])?[>~]=[\d.]+", word)] == []


def test_every_imported_library_is_a_dependency() -> None:
    """What bench and kernels import comes with them or an extra; llvmlite with numba, which pins it."""
    wanted = PROJECT["project"]["dependencies"] + EXTRAS["cluster"]
    declared = {re.split(r"\W", word)[0] for word in wanted}
    declared |= {"llvmlite"} | ({"elftools"} if "pyelftools" in declared else set())  # what that installs
    assert libraries(house.modules("bench", "kernels")) - declared == set()


def test_what_an_extra_brings_is_tested_too() -> None:
    """The environment of the tests has it, with the same bound."""
    assert set(EXTRAS["cluster"]) <= set(EXTRAS["test"])


def libraries(modules: list[house.Module]) -> set[str]:
    """The top-level names imported that are neither of the standard library nor ours."""
    tops = {name.split(".")[0] for module in modules for _, name in house.imports(module)}
    return tops - set(sys.stdlib_module_names) - {"bench", "kernels", ""}


def test_an_undeclared_library_is_noticed() -> None:
    """The check above sees imports inside functions too."""
    sample = house.Module.of("bench.x", "import os\ndef f():\n    from requests.api import get")
    assert libraries([sample]) == {"requests"}


def test_every_folder_of_sources_is_a_package() -> None:
    """setuptools installs folders that have an __init__.py, and no other."""
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    assert found == {"include": ["bench*", "kernels*"], "namespaces": False}
    folders = {path.parent for name in ("bench", "kernels") for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_imported_packages_are_ours() -> None:
    """Other distributions have packages called bench and kernels: these come from this tree."""
    assert [Path(package.__path__[0]) for package in (bench, kernels)] == [ROOT / "bench", ROOT / "kernels"]


def test_the_installed_packages_are_ours(cli: Cli) -> None:
    """The same from another directory, where only the installation decides."""
    try:
        version = metadata.version("rmapbench")
    except metadata.PackageNotFoundError:
        pytest.skip("rmapbench is not installed in this environment (pip install -e .)")
    code = "import bench, kernels; print(bench.__path__[0], kernels.__path__[0], sep='\\n')"
    done = cli.python("-c", code, env={"PYTHONPATH": ""})
    assert done.out.splitlines() == [str(ROOT / "bench"), str(ROOT / "kernels")], done.err
    assert version == PROJECT["project"]["version"]


def test_ci_runs_the_readmes_test_command() -> None:
    """The command a reader types and the one CI runs are the same, word for word."""
    (command,) = re.findall(r'^TEST_COMMAND="(.*)"$', CI.read_text(), re.MULTILINE)
    assert command in (ROOT / "README.md").read_text()


def test_ci_is_a_script_that_bash_can_read() -> None:
    """It is executable and has no syntax error."""
    assert os.access(CI, os.X_OK)
    subprocess.run(["bash", "-n", str(CI)], check=True)


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy", "rmapbench check"])
def test_ci_runs_linters_and_gates_after_the_tests(command: str) -> None:
    """Each step runs from the environment that the test command made."""
    assert re.search(rf"^step \w+ \.venv/bin/{re.escape(command)}$", CI.read_text(), re.MULTILINE)
