"""What the values of a result file are: seconds, or instructions that a guest took for nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping

# A guest that counts instructions takes a nanosecond of its own for each, and so do all computations here;
# in the file, and to pyperf, they are numbers of a thing, in pyperf's words integers.
INSTRUCTION = 1e-9


def counted(metadata: Mapping[str, object]) -> bool:
    """Are the values counts of instructions?"""
    return metadata.get("figure") == "instructions"


def unit(metadata: Mapping[str, object]) -> str:
    """pyperf's unit of the values."""
    return "integer" if counted(metadata) else "second"


def scale(named: str, metadata: Mapping[str, object]) -> float:
    """Seconds that a value in the unit named stands for; ValueError if it is not the file's."""
    if named != unit(metadata):
        raise ValueError(f"values in {named}s instead of {unit(metadata)}s")
    return INSTRUCTION if counted(metadata) else 1.0
