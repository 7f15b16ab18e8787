"""A Python interpreter as files for a guest: program, shared libraries, the modules it imports."""

from __future__ import annotations

import importlib.util
import marshal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.lanes.vm import cpio

LIBRARIES = "usr/lib"  # where the guest finds shared libraries
PROGRAM = "usr/bin/python"  # not in /bin: Python looks for its modules above its own directory, not in /
VERSION = "{}.{}".format(*sys.version_info[:2])


@dataclass(frozen=True)
class Interpreter:
    """What a guest needs of one: the files that it loads once it runs the guest's programs."""

    program: Path
    version: str
    modules: dict[str, Path]  # by the name they are imported by
    loader: tuple[str, Path] | None  # the ELF loader, as the program calls it; none if it is static
    libraries: dict[str, Path]  # by the name they are asked for

    def entries(self) -> Iterator[cpio.Entry]:
        """Everything, where the guest looks for it."""
        yield cpio.file(PROGRAM, self.program.read_bytes(), executable=True)
        if self.loader:
            name, path = self.loader
            yield cpio.file(name.lstrip("/"), path.read_bytes(), executable=True)
        for name, path in self.libraries.items():
            yield cpio.file(f"{LIBRARIES}/{name}", path.read_bytes(), executable=True)
        for name, path in self.modules.items():
            yield from self._module(name, path)

    def _module(self, name: str, path: Path) -> Iterator[cpio.Entry]:
        home = f"{LIBRARIES}/python{self.version}"
        if path.suffix == ".so":
            yield cpio.file(f"{home}/lib-dynload/{path.name}", path.read_bytes())
        elif path.suffix == ".py" and name != "os.path":
            inside = name.replace(".", "/") + ("/__init__" if path.name == "__init__.py" else "")
            yield from self.source(f"{home}/{inside}.py", path.read_bytes())

    def source(self, name: str, text: bytes) -> Iterator[cpio.Entry]:
        """A Python file and its bytecode, which is not compared with it: compiling is slow in a guest.

        Bytecode is this Python's; a guest with another version compiles for itself.
        """
        yield cpio.file(name, text)
        if self.version != VERSION:
            return
        code = compile(text, f"/{name}", "exec", dont_inherit=True, optimize=0)
        unchecked = struct.pack("<4sI8s", importlib.util.MAGIC_NUMBER, 1, importlib.util.source_hash(text))
        place = importlib.util.cache_from_source(name, optimization="")
        # From version 3 on, what stands there depends on what else this process has loaded.
        yield cpio.file(place, unchecked + marshal.dumps(code, 2))
