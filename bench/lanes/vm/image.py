"""Kernel images: where `--kernel [NAME=]PATH` leads, what an image is for, and which release it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.case import natural
from bench.errors import UsageError
from bench.lanes.vm.image_headers import identify

NAME = re.compile(r"[\w.+~-]+")
FILES = ("vmlinuz", "bzImage", "Image")  # how kernels in a directory are called, and what follows


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
    if not (rest if named else text):
        raise UsageError(f"--kernel {text!r}: names no image; give [NAME=]IMAGE, for example new=bzImage")
    if named and not NAME.fullmatch(name):
        raise UsageError(f"--kernel {text}: {name!r} is no name; letters, digits and . + ~ - _ are")
    path = _file(Path(rest if named else text))
    machine, release = identify(path)
    if not named and not release:
        raise UsageError(f"--kernel {text}: the image does not say its release; give it a name, NAME={path}")
    return Image(name if named else release, path.resolve(), machine, release)


def _file(path: Path) -> Path:
    """The file itself, or the newest kernel of a directory."""
    try:
        if path.is_dir():
            kernels = [entry for entry in path.iterdir() if entry.name.startswith(FILES)]
            if not kernels:
                raise UsageError(f"--kernel {path}: no vmlinuz, bzImage or Image in it; name the image")
            return max(kernels, key=lambda entry: natural(entry.name))
        if not path.is_file():
            raise UsageError(f"--kernel {path}: no such file; give an image, or a directory such as /boot")
    except OSError as error:
        raise UsageError(
            f"--kernel {path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    return path
