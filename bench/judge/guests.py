"""Guests of two files: whether their counts can be compared, and which kernel with which."""

from __future__ import annotations

from collections.abc import Iterable

from bench.case import Case
from bench.errors import UsageError
from bench.results import Results

BOARD = "-machine"
APART = "; "  # between guests, in a file that has kernels of several machines


def kernels_of(cases: Iterable[Case]) -> set[str]:
    """The kernels that the cases are of."""
    return {case.get("kernel") for case in cases}


def counterparts(new: set[str], old: set[str]) -> dict[str, str]:
    """Kernels of a newer file by name, each with the one of an older file that it is compared with.

    Two files of one kernel each are of an old and a new build, whatever they are called.
    """
    if len(new) == len(old) == 1:
        return dict(zip(new, old))
    return {name: name for name in new & old}


def check_guests(results: Results, old: Results, name: str) -> None:
    """UsageError unless both files' guests are the same machines; `name` is the older file's."""
    here, there = _boards(results), _boards(old)
    common = here.keys() & there.keys()
    if not common or any(here[board] != there[board] for board in common):
        one, other = (str(file.metadata.get("guest", "unknown")) for file in (results, old))
        raise UsageError(
            f"{name}: its guest is {other!r}, not {one!r}: instructions of the two cannot be compared; "
            "measure both kernels on the same guest"
        )


def _boards(results: Results) -> dict[str, str]:
    """QEMU's arguments for CPU and board, by board."""
    guests = str(results.metadata.get("guest", "")).split(APART)
    return {guest.removeprefix(BOARD).split(" -")[0].strip(): guest for guest in guests}


FIRST_WORKLOAD = "1"  # of files that do not say
# What the older file may have been counted by otherwise, where that is kept, and what it means.
TOOLS = (
    ("qemu", "QEMU", "of unknown version", "What it gives a guest to see may differ, and so counts"),
    (
        "workload",
        "workload",
        FIRST_WORKLOAD,
        "Counts of one kernel differ by some tenths of an instruction a page",
    ),
)


def other_tools(results: Results, old: Results, name: str) -> tuple[str, ...]:
    """What to know where the older file, called `name`, was counted by others; nothing if by the same."""
    said = []
    for key, tool, unknown, meaning in TOOLS:
        one, other = (str(file.metadata.get(key, unknown)) for file in (results, old))
        if one != other:
            said.append(f"! {tool}, {name}: {other}; now: {one}. {meaning}")
    return tuple(said)
