"""Kernel images: where `--kernel [NAME=]PATH` leads, what an image is for, and which release it holds."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.case import natural
from bench.errors import UsageError
from bench.lanes.vm.machines import MACHINES

NAME = re.compile(r"[\w.+~-]+")
HEADER, VERSION_AT = 0x202, 0x20E  # of a bzImage, Documentation/arch/x86/boot.rst
BANNER = re.compile(rb"Linux version (\S+) ")
LONGEST_VERSION = 200
LEAST_BYTES = 0x1000  # no kernel is smaller


@dataclass(frozen=True)
class Image:
    """A kernel to boot: the name its cases get, the file, the machine it is for, its release if it says."""

    name: str
    path: Path
    machine: str
    release: str


def images(texts: Iterable[str]) -> dict[str, Image]:
    """The images of `--kernel` arguments by name; UsageError for what cannot be one, or names given twice."""
    found: dict[str, Image] = {}
    for text in texts:
        image = parse(text)
        if image.name in found:
            raise UsageError(
                f"--kernel {text}: there is a kernel {image.name} already; tell them apart with NAME=PATH"
            )
        found[image.name] = image
    return found


def parse(text: str) -> Image:
    """The image of `[NAME=]PATH`; a path that exists as it stands is one, whatever it holds."""
    name, equals, rest = text.partition("=")
    named = bool(equals) and not Path(text).exists()
    path = _file(Path(rest if named else text))
    if named and not NAME.fullmatch(name):
        raise UsageError(f"--kernel {text}: {name!r} is no name; letters, digits and . + ~ - _ are")
    machine, release = _identify(path)
    if not named and not release:
        raise UsageError(f"--kernel {text}: the image does not say its release; give it a name, NAME={path}")
    return Image(name if named else release, path.resolve(), machine, release)


def _file(path: Path) -> Path:
    """The file itself, or the newest kernel of a directory."""
    try:
        if path.is_dir():
            kernels = [entry for entry in path.iterdir() if entry.name.startswith(("vmlinuz", "bzImage"))]
            if not kernels:
                raise UsageError(f"--kernel {path}: no vmlinuz or bzImage in this directory; name the image")
            return max(kernels, key=lambda entry: natural(entry.name))
        if not path.is_file():
            raise UsageError(f"--kernel {path}: no such file; give a bzImage, or a directory such as /boot")
    except OSError as error:
        raise UsageError(f"--kernel {path}: cannot be read ({error.strerror})") from None
    return path


def _identify(path: Path) -> tuple[str, str]:
    """Machine and release of an image, from its own headers; UsageError if it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--kernel {path}: cannot be read ({error.strerror})") from None
    if len(data) < LEAST_BYTES:
        raise UsageError(f"--kernel {path}: not a kernel image, it has {len(data)} bytes")
    if data[HEADER : HEADER + 4] == b"HdrS":
        return "x86_64", _bzimage_release(data)
    if data[:5] == b"\x7fELF\x02":
        return _elf_machine(path, data), _banner(data)
    if data[56:60] == b"ARM\x64":  # Documentation/arch/arm64/booting.rst
        return _known(path, "aarch64"), _banner(data)
    raise UsageError(
        f"--kernel {path}: not a kernel image that QEMU boots (no bzImage, vmlinux or arm64 Image); "
        "unpack it, or build arch/x86/boot/bzImage"
    )


def _bzimage_release(data: bytes) -> str:
    (at,) = struct.unpack_from("<H", data, VERSION_AT)
    text = data[at + 0x200 : at + 0x200 + LONGEST_VERSION].partition(b"\0")[0] if at else b""
    return text.partition(b" ")[0].decode("ascii", "replace")


def _banner(data: bytes) -> str:
    found = BANNER.search(data)
    return found[1].decode("ascii", "replace") if found else ""


def _elf_machine(path: Path, data: bytes) -> str:
    (number,) = struct.unpack_from("<H", data, 18)
    for machine in MACHINES.values():
        if machine.elf == number:
            return machine.name
    return _known(path, f"ELF machine {number}")


def _known(path: Path, machine: str) -> str:
    if machine not in MACHINES:
        raise UsageError(
            f"--kernel {path}: a kernel for {machine}; guests can be {', '.join(MACHINES)} so far"
        )
    return machine
