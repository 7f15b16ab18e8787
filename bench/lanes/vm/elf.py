"""What an ELF program says of itself: its machine, its loader, the libraries it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bench.errors import LaneUnavailable


@dataclass(frozen=True)
class Elf:
    """Of a 64-bit little-endian program or library."""

    machine: int  # e_machine
    loader: str | None  # PT_INTERP; None if it is static, or a library
    needed: tuple[str, ...]  # DT_NEEDED


def read(path: Path) -> Elf:
    """The facts of a file; LaneUnavailable if it is not such a program."""
    try:
        with path.open("rb") as file:
            return _facts(file)
    except OSError as error:
        raise LaneUnavailable(f"{path}: cannot be read ({error.strerror}); guests need it") from None
    except Exception as error:  # of a broken file the library raises what it happens to meet
        said = str(error) or type(error).__name__
        raise LaneUnavailable(
            f"{path}: not a 64-bit ELF program ({said}); guests cannot run this Python"
        ) from None


def _facts(file: BinaryIO) -> Elf:
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.enums import ENUM_E_MACHINE
    from elftools.elf.segments import InterpSegment

    program = ELFFile(file)
    if program.elfclass != 64 or not program.little_endian:
        raise ValueError(f"{program.elfclass} bits, another byte order")
    segments, machine = list(program.iter_segments()), program["e_machine"]
    loaders = [segment.get_interp_name() for segment in segments if isinstance(segment, InterpSegment)]
    dynamic: list[Any] = [segment for segment in segments if isinstance(segment, DynamicSegment)]
    needed = [tag.needed for segment in dynamic for tag in segment.iter_tags("DT_NEEDED")]
    return Elf(ENUM_E_MACHINE.get(machine, machine), next(iter(loaders), None), tuple(needed))
