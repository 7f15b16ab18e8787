"""The running interpreter, for guests of this machine's architecture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.vm import elf
from bench.lanes.vm.interpreter import Interpreter

TIMEOUT = 60  # seconds that starting Python may take
# Prints which files a Python process has loaded that runs the workload; the directory is the argument.
PROBE = """
import importlib, json, sys
sys.path += sys.argv[1:2]
for name in sys.argv[2:]:
    importlib.import_module(name)
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "files": files}))
"""


def running(directory: Path, modules: Sequence[str]) -> Interpreter:
    """This interpreter, as it is once it has imported these modules of the directory."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version, files = _probe(program, directory, modules)
    loader = elf.read(program).loader
    if loader is None:
        return Interpreter(program, version, files, None, {})
    extensions = [path for path in files.values() if path.suffix == ".so"]
    libraries = {name: path for user in (program, *extensions) for name, path in _needed(loader, user)}
    return Interpreter(program, version, files, (loader, Path(loader)), libraries)


def _probe(program: Path, directory: Path, modules: Sequence[str]) -> tuple[str, dict[str, Path]]:
    """Ask a fresh process, outside any virtual environment, what it is and loads."""
    command = [str(program), "-I", "-S", "-B", "-c", PROBE, str(directory), *modules]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
        said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise LaneUnavailable(
            f"{program}: cannot be started to see what a guest needs ({error}); use another Python"
        ) from None
    outside = {name: Path(path) for name, path in said["files"].items() if path}
    return said["version"], {name: path for name, path in outside.items() if directory not in path.parents}


def _needed(loader: str, program: Path) -> Iterator[tuple[str, Path]]:
    """What the loader itself would load: names and files."""
    listed = subprocess.run(
        [loader, "--list", str(program)], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    for line in listed.stdout.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        path = rest.rpartition(" (0x")[0]
        if arrow and path.startswith("/"):
            yield Path(name).name, Path(path)
