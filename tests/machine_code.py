"""The machine code of compiled kernels as text: `python -m tests.machine_code NAME...` writes it as JSON.

A name is a variant's, or `primitives` (tests.primitives), or `driver` (the timed loops). The text is what
LLVM writes of the optimised module, so it is valid only where nothing came from numba's cache.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "rmapbench."
LABEL = re.compile(r'"?([^\s":]+)"?:')
SYMBOL = re.compile(r"(?<![\w.%$@])\$?([A-Za-z_.][\w.$]*)")
BITWISE = ("orb", "andb", "btsq")  # their first operand tells which bit
STEPS = ("$0", "$-1")  # added to memory: a fence, or the test for below zero
SAME = {"addl $1": "incl", "subl $1": "decl"}  # chosen for CPUs where inc is slow


@dataclass(frozen=True)
class Function:
    """A function's name, without `rmapbench.`, and its instructions in AT&T syntax with single blanks."""

    name: str
    instructions: tuple[str, ...]

    def locked(self) -> set[str]:
        """What is locked, fences included: mnemonics, with the operand that tells what they do."""
        return {word for word in map(_locked, self.instructions) if word}

    def symbols(self) -> set[str]:
        """Every name outside this function that an instruction mentions."""
        operands = (text.removeprefix("lock ").partition(" ")[2] for text in self.instructions)
        found = {name for text in operands for name in SYMBOL.findall(text)}
        return {name for name in found if not name.startswith(".L")}

    def calls(self) -> set[str]:
        """Names of the symbols as in the sources, without prefix and numbers that LLVM gave to copies."""
        return {re.sub(r"\.\d+$", "", name.removeprefix(PREFIX)) for name in self.symbols()}


def _locked(instruction: str) -> str:
    """The locked instruction in short, empty if it is none; exchanging with memory is always locked."""
    mnemonic, _, operands = instruction.removeprefix("lock ").partition(" ")
    if not instruction.startswith("lock "):
        exchanges = mnemonic.startswith("xchg") and "(" in operands
        return mnemonic if exchanges or mnemonic.endswith("fence") else ""
    first = operands.split(",")[0]
    word = f"{mnemonic} {first}"
    telling = first in STEPS or (mnemonic in BITWISE and first.startswith("$"))
    return SAME.get(word, word if telling else mnemonic)


def functions(assembly: str) -> dict[str, Function]:
    """The project's functions in an assembly text: the C entry of a kernel and what it calls out of line."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in assembly.splitlines():
        label, text = LABEL.match(line), " ".join(line.split())
        if label and not label[1].startswith(".L"):
            current = found.setdefault(label[1], [])
        elif line.startswith(".Lfunc_end"):
            current = []
        elif line.startswith("\t") and not text.startswith((".", "#")):
            current.append(text)
    ours = {name.removeprefix(PREFIX): body for name, body in found.items() if name.startswith(PREFIX)}
    return {name: Function(name, tuple(body)) for name, body in ours.items()}


def kernels_named(name: str) -> Mapping[str, Any]:
    """The kernels of a variant (a `_pte` that is its `_ptes` left out), the primitives or the driver."""
    from kernels import driver
    from kernels.abi import INTERFACE, Single
    from kernels.variants import discover, load
    from tests import primitives

    if name == "primitives":
        return primitives.KERNELS
    if name == "driver":
        sweeps = {sweep.py_func.__name__: sweep for sweep in driver.SWEEPS.values()}
        others = ("sweep_yardstick", "prepare_exclusive", "prepare_unmapped", "batch")
        return sweeps | {other: getattr(driver, other) for other in others}
    module = load(discover(hidden=True)[name])
    found = {function: getattr(module, function, None) for function in INTERFACE}
    return {function: k for function, k in found.items() if k is not None and not isinstance(k, Single)}


def assembly_of(kernel: Any) -> str:
    """LLVM's text of the module that the kernel's entry is compiled in."""
    from kernels import abi

    abi.address_of(kernel)
    (text,) = abi._entries[kernel, 0].inspect_asm().values()
    return str(text)


def main() -> None:
    """Write {name: {kernel: assembly}}."""
    from kernels import abi

    abi.use_cache(Path(os.environ["RMAPBENCH_CACHE_DIR"]))
    found = {name: kernels_named(name) for name in sys.argv[1:]}
    json.dump({name: {k: assembly_of(found[name][k]) for k in found[name]} for name in found}, sys.stdout)


if __name__ == "__main__":
    main()
