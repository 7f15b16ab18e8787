"""Pythons unpacked from a distribution's packages, for guests of any architecture: `--guest-root DIR`."""

from __future__ import annotations

import contextlib
import platform
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from modulefinder import Module, ModuleFinder
from pathlib import Path, PurePosixPath
from types import CodeType

from bench.case import natural
from bench.errors import LaneUnavailable, UsageError
from bench.lanes.vm import elf
from bench.lanes.vm.interpreter import VERSION, Interpreter
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.machine import Machine

PYTHON = re.compile(r"python(3\.\d+)")
STARTING = ("encodings", "encodings.utf_8")  # what Python imports before any program does
NEEDED = ("encodings", "ctypes", "os", "_ctypes")  # from both packages of the library
MOST_LINKS = 40  # symbolic links on the way to a file, as in the kernel
# What has the interpreter in Debian 12; the other packages that these name are for other modules.
PACKAGES = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "libc6", "libexpat1", "zlib1g", "libffi8",
)  # fmt: skip


@dataclass(frozen=True)
class GuestRoot:
    """A directory with the usr/ and lib/ of a machine, as `dpkg -x` leaves them."""

    path: Path
    program: Path
    machine: Machine

    @property
    def version(self) -> str:
        """Python's."""
        return self.program.name.removeprefix("python")

    def interpreter(self, directory: Path, modules: Sequence[str]) -> Interpreter:
        """Its Python with what these modules of the directory import; nothing of it is run."""
        found = dict(self._modules(directory, (*STARTING, *modules)))
        self._complete(found)
        loader = elf.read(self.program).loader
        loads = self._find([loader, f"usr/{loader.lstrip('/')}"], self.program.name) if loader else None
        extensions = [path for path in found.values() if path.suffix == ".so"]
        return Interpreter(
            self.program, self.version, found,
            (loader, loads) if loader and loads else None, self._libraries([self.program, *extensions]),
        )  # fmt: skip

    def _modules(self, directory: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
        """Modules and extensions by name; what is in neither directory is built in."""
        home = self.path / "usr/lib" / f"python{self.version}"
        finder = _Loading([str(directory), str(home)])
        for name in names:
            with contextlib.suppress(ImportError, AttributeError):  # the latter of one without __init__
                finder.import_hook(name)
        files = {name: getattr(module, "__file__", None) for name, module in finder.modules.items()}
        for name, file in files.items():
            if file and directory not in Path(file).parents:
                yield name, Path(file)
        for name in {*finder.badmodules, *names} - finder.modules.keys():
            self._readable(home / f"{name.replace('.', '/')}.py")
            for path in (home / "lib-dynload").glob(f"{name}.*so"):
                yield name, path

    def _readable(self, source: Path) -> None:
        """A source that is there and was not understood is of a newer Python."""
        if source.is_file():
            raise LaneUnavailable(
                f"{source}: not understood by Python {VERSION}; "
                f"run rmapbench with Python {self.version}, or unpack an older one"
            )

    def _complete(self, modules: Mapping[str, Path]) -> None:
        """Forgotten packages are noticed here and not in a guest."""
        if missing := [name for name in NEEDED if name not in modules]:
            raise LaneUnavailable(
                f"{self.path}: Python's module {missing[0]} is not there; {remedy(self.machine, self.path)}"
            )

    def _libraries(self, programs: Sequence[Path]) -> dict[str, Path]:
        """What the programs need, and what that needs, by name."""
        found: dict[str, Path] = {}
        waiting = [(name, program) for program in programs for name in elf.read(program).needed]
        while waiting:
            name, program = waiting.pop()
            if name not in found:
                places = [f"{above}{lib}/{name}" for above in ("", "usr/") for lib in self._lib]
                found[name] = self._find(places, program.name)
                waiting += [(more, found[name]) for more in elf.read(found[name]).needed]
        return found

    @property
    def _lib(self) -> tuple[str, ...]:
        return f"lib/{self.machine.triplet}", "lib", "lib64"

    def _find(self, places: Sequence[str], program: str) -> Path:
        """The first of these that there is, links being followed as if the directory were the root."""
        for place in places:
            if path := _inside(self.path, place):
                return path
        name = PurePosixPath(places[0]).name
        raise LaneUnavailable(
            f"{self.path}: {name}, which {program} needs, is not there; {remedy(self.machine, self.path)}"
        )


class _Loading(ModuleFinder):
    """Finds what modules import as they are loaded, and not what their functions may import later."""

    def scan_code(self, co: CodeType, m: Module) -> None:
        """Scan a module's own code only."""
        plain = (None if isinstance(const, CodeType) else const for const in co.co_consts)
        super().scan_code(co.replace(co_consts=tuple(plain)), m)


def roots(given: Iterable[str], wanted: Sequence[Machine]) -> dict[str, GuestRoot]:
    """By machine what `--guest-root` names; for the machines wanted."""
    found: dict[str, GuestRoot] = {}
    for text in given:
        root = _root(Path(text).absolute(), wanted)
        if root.machine.name in found:
            raise UsageError(f"--guest-root {text}: there is one for {root.machine.name} already; give one")
        found[root.machine.name] = root
    return found


def _root(path: Path, wanted: Sequence[Machine]) -> GuestRoot:
    pythons = [program for program in path.glob("usr/bin/python3.*") if PYTHON.fullmatch(program.name)]
    if not pythons:
        machine = next((one for one in wanted if one.name != platform.machine()), wanted[0])
        raise LaneUnavailable(f"--guest-root {path}: no usr/bin/python3.* there; {remedy(machine, path)}")
    program = max(pythons, key=lambda path: natural(path.name.removeprefix("python")))
    number = elf.read(program).machine
    for machine in MACHINES.values():
        if machine.elf == number:
            return GuestRoot(path, program, machine)
    raise UsageError(
        f"--guest-root {path}: its Python is for ELF machine {number}; guests can be {', '.join(MACHINES)}"
    )


def require(machine: Machine, found: dict[str, GuestRoot]) -> GuestRoot | None:
    """The root of a machine, none where the running Python serves; LaneUnavailable if neither does."""
    if machine.name in found or machine.name == platform.machine():
        return found.get(machine.name)
    raise LaneUnavailable(
        f"guests of {machine.name} need a Python of theirs, in a directory that --guest-root names; "
        + remedy(machine, Path("guest-root"))
    )


def remedy(machine: Machine, path: Path) -> str:
    """How to get a Python for the machine, as commands that leave this one as it is."""
    name = machine.debian
    options = (
        f'options="-o APT::Architecture={name} -o APT::Architectures={name} -o Dir::State=$PWD/apt '
        '-o Dir::State::status=/dev/null -o Dir::Cache=$PWD/apt"'
    )
    commands = (
        options, "apt-get $options update", f"apt-get $options download {' '.join(PACKAGES)}",
        f'for package in *_{name}.deb; do dpkg -x "$package" {shlex.quote(str(path))}; done',
    )  # fmt: skip
    return (
        "get it from Debian 12 (13 has python3.13), in an empty directory, with:\n"
        + "\n".join(f"  {command}" for command in commands)
    )  # fmt: skip


def _inside(root: Path, place: str) -> Path | None:
    """The file at a place of the root, which holds links as absolute as its packages have them."""
    parts, at, links = list(PurePosixPath(place.lstrip("/")).parts), root, 0
    while parts:
        here = at / parts.pop(0)
        if not here.is_symlink():
            at = here
            continue
        links += 1
        target = here.readlink()
        if links > MOST_LINKS or (".." in target.parts and root not in (at / target).resolve().parents):
            return None
        parts = [*target.relative_to("/").parts, *parts] if target.is_absolute() else [*target.parts, *parts]
        at = root if target.is_absolute() else at
    return at if at.is_file() else None
