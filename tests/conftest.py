"""Fixtures of all tests: kernels interpreted in this process, the program in processes of its own."""

from __future__ import annotations

import difflib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# The pytest process counts and checks kernels interpreted; what they do compiled is tested through
# subprocesses. numba reads the variable when it is imported, so this stands before any test module.
assert "numba" not in sys.modules, "a pytest plugin imported numba too early; run with -p no:<plugin>"
os.environ["NUMBA_DISABLE_JIT"] = "1"

import pytest  # noqa: E402  (after the variable above, in case a plugin of it imports numba)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests of many minutes run only when asked for."""
    parser.addoption("--long", action="store_true", help="also run the tests marked long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is long, unless asked for."""
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; run it with --long"))


ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """Runs the program in a process of its own, compiled, with a cache directory private to the session."""

    cache: Path
    cwd: Path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a child: no interpreted kernels, this tree's packages first, 80 columns."""
        kept = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
        ours = {
            "RMAPBENCH_CACHE_DIR": str(self.cache),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }
        return {**kept, **ours, **(extra or {})}

    def python(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600,
        stdin: str = "",
    ) -> Outcome:
        """Run this interpreter with `arguments`; `timeout` in seconds."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.cwd,
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def __call__(
        self,
        *arguments: object,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> Outcome:
        """Run `python -m bench` with `arguments`, in a temporary directory unless `cwd` says otherwise."""
        words = [str(argument) for argument in arguments]
        return self.python("-m", "bench", *words, cwd=cwd, env=env, timeout=timeout)

    def interrupted(self, *arguments: str) -> Outcome:
        """Run a command that measures into out.json, and press Ctrl-C once it does."""
        running = subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments, "--quiet", "-o", "out.json"], cwd=self.cwd,
            env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not list(self.cwd.glob("out.json.journal/worker-*.jsonl")):
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        return Outcome(running.returncode, out, err)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The numba cache directory of this session, so that its commands compile each kernel once."""
    return tmp_path_factory.mktemp("numba-cache")


@pytest.fixture
def cli(cache_dir: Path, tmp_path: Path) -> Cli:
    """The program, started in this test's temporary directory."""
    return Cli(cache_dir, tmp_path)


def check_golden(name: str, text: str, directory: Path = GOLDEN) -> None:
    """Compare `text` with the golden file `name`; on mismatch write `<name>.got` beside it and fail."""
    expected, got = directory / name, directory / f"{name}.got"
    before = expected.read_text() if expected.exists() else ""
    if expected.exists() and text == before:
        got.unlink(missing_ok=True)
        return
    got.parent.mkdir(parents=True, exist_ok=True)
    got.write_text(text)
    changes = difflib.unified_diff(before.splitlines(), text.splitlines(), name, got.name, lineterm="")
    pytest.fail(f"{name} differs; if it should: mv {got.name} {name}\n" + "\n".join(changes), pytrace=False)


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a golden file: golden("report.txt", text)."""
    return check_golden
