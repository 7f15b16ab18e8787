"""The running Python interpreter as files for a guest: program, shared libraries, the modules it imports."""

from __future__ import annotations

import importlib.util
import json
import marshal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import LaneUnavailable
from bench.lanes.vm import cpio

LIBRARIES = "usr/lib"  # where the guest finds shared libraries
PROGRAM = "usr/bin/python"  # not in /bin: Python looks for its modules above its own directory, not in /
TIMEOUT = 60  # seconds that starting Python may take
PT_INTERP = 3  # elf.h
# Prints which files a Python process has loaded that runs the workload; the directory is the argument.
PROBE = """
import importlib, json, sys
sys.path += sys.argv[1:2]
for name in sys.argv[2:]:
    importlib.import_module(name)
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "files": files}))
"""


@dataclass(frozen=True)
class Loaded:
    """What the interpreter has loaded once it runs the guest's programs: files by module name."""

    program: Path
    version: str
    files: dict[str, Path]


def entries(directory: Path, modules: Sequence[str]) -> list[cpio.Entry]:
    """Everything a guest needs to run Python programs that import these modules of the directory."""
    loaded = probe(directory, modules)
    extensions = [path for path in loaded.files.values() if path.suffix == ".so"]
    return [
        cpio.file(PROGRAM, loaded.program.read_bytes(), executable=True),
        *_libraries([loaded.program, *extensions]),
        *(entry for name, path in loaded.files.items() for entry in _module(loaded, name, path)),
    ]


def probe(directory: Path, modules: Sequence[str]) -> Loaded:
    """Ask a fresh process of this interpreter, outside any virtual environment, what it loads."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    command = [str(program), "-I", "-S", "-B", "-c", PROBE, str(directory), *modules]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
        said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise LaneUnavailable(
            f"{program}: cannot be started to see what a guest needs ({error}); use another Python"
        ) from None
    outside = {name: Path(path) for name, path in said["files"].items() if path}
    files = {name: path for name, path in outside.items() if directory not in path.parents}
    return Loaded(program, said["version"], files)


def _module(loaded: Loaded, name: str, path: Path) -> Iterator[cpio.Entry]:
    """A module where the guest's interpreter looks for it, with its bytecode."""
    home = f"{LIBRARIES}/python{loaded.version}"
    if path.suffix == ".so":
        yield cpio.file(f"{home}/lib-dynload/{path.name}", path.read_bytes())
    elif path.suffix == ".py" and name != "os.path":
        inside = name.replace(".", "/") + ("/__init__" if path.name == "__init__.py" else "")
        yield from source(f"{home}/{inside}.py", path.read_bytes())


def source(name: str, text: bytes) -> Iterator[cpio.Entry]:
    """A Python file and its bytecode, which is not compared with it: compiling is slow in a guest."""
    yield cpio.file(name, text)
    code = compile(text, f"/{name}", "exec", dont_inherit=True, optimize=0)
    unchecked = struct.pack("<4sI8s", importlib.util.MAGIC_NUMBER, 1, importlib.util.source_hash(text))
    place = importlib.util.cache_from_source(name, optimization="")
    # From version 3 on, what stands there depends on what else this process has loaded.
    yield cpio.file(place, unchecked + marshal.dumps(code, 2))


def _libraries(programs: Sequence[Path]) -> Iterator[cpio.Entry]:
    """The ELF loader under the name the program asks for, and what it says the programs need."""
    loader = interpreter_of(programs[0])
    if loader is None:
        return
    yield cpio.file(loader.lstrip("/"), Path(loader).read_bytes(), executable=True)
    for program in programs:
        for name, path in _needed(loader, program):
            yield cpio.file(f"{LIBRARIES}/{name}", path.read_bytes(), executable=True)


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


def interpreter_of(program: Path) -> str | None:
    """The ELF loader that a 64-bit little-endian program names (PT_INTERP); None if it is static."""
    data = program.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise LaneUnavailable(f"{program}: not a 64-bit ELF program; guests cannot run this Python")
    table, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for at in range(table, table + size * count, size):
        kind, offset, length = (
            *struct.unpack_from("<I", data, at),
            *struct.unpack_from("<Q16xQ", data, at + 8),
        )[:3]
        if kind == PT_INTERP:
            return data[offset : offset + length].rstrip(b"\0").decode()
    return None
