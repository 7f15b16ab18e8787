"""A kernel around each operation of kernels.atomic, compiled or interpreted as the process is."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

from kernels import abi, atomic
from kernels.abi import Prototype

# name -> arguments, and whether it answers. `v` and `address` are addresses, the rest are values.
OPERATIONS: dict[str, Prototype] = {
    "READ8": Prototype(("address",), returns=True),
    "READ32": Prototype(("address",), returns=True),
    "READ64": Prototype(("address",), returns=True),
    "WRITE8": Prototype(("address", "value")),
    "WRITE32": Prototype(("address", "value")),
    "WRITE64": Prototype(("address", "value")),
    "atomic_inc": Prototype(("v",)),
    "atomic_dec": Prototype(("v",)),
    "atomic_add": Prototype(("i", "v")),
    "atomic_sub": Prototype(("i", "v")),
    "atomic64_add": Prototype(("i", "v")),
    "atomic_inc_and_test": Prototype(("v",), returns=True),
    "atomic_dec_and_negative": Prototype(("v",), returns=True),
    "atomic_add_return": Prototype(("i", "v"), returns=True),
    "atomic_dec_and_test": Prototype(("v",), returns=True),
    "atomic_sub_and_test": Prototype(("i", "v"), returns=True),
    "xchg64": Prototype(("address", "value"), returns=True),
    "atomic64_try_cmpxchg": Prototype(("address", "old", "new"), returns=True),
    "set_bit": Prototype(("nr", "address")),
    "clear_bit": Prototype(("nr", "address")),
    "test_and_set_bit31_lock": Prototype(("address",), returns=True),
    "clear_bit31_unlock": Prototype(("address",)),
    "atomic_try_cmpxchg_0_to_1": Prototype(("v",), returns=True),
    "smp_mb": Prototype(()),
    "cpu_relax": Prototype(()),
    "unlikely_path": Prototype(()),
    "clock_ns": Prototype((), returns=True),
    **{f"call{n}": Prototype(("function", *"abcdef"[:n]), returns=True) for n in range(1, 7)},
}


def _kernel_of(name: str, prototype: Prototype) -> Any:
    arguments = ", ".join(prototype.args)
    body = f"return int(atomic.{name}({arguments}))" if prototype.returns else f"atomic.{name}({arguments})"
    namespace: dict[str, Any] = {"atomic": atomic, "__name__": __name__}
    exec(compile(f"def do_{name}({arguments}):\n    {body}\n", __file__, "exec"), namespace)
    return abi.kernel(prototype)(namespace[f"do_{name}"])


KERNELS = {name: _kernel_of(name, prototype) for name, prototype in OPERATIONS.items()}


def _weigh(n: int) -> Any:
    """A kernel of n arguments that answers with its arguments as decimal digits, the first one last."""
    names = "abcdef"[:n]
    digits = " + ".join(f"{10**place} * {name}" for place, name in enumerate(names))
    namespace: dict[str, Any] = {"__name__": __name__}
    source = f"def weigh{n}({', '.join(names)}):\n    return {digits}\n"
    exec(compile(source, __file__, "exec"), namespace)
    return abi.kernel(Prototype(tuple(names), returns=True))(namespace[f"weigh{n}"])


CALLED = {f"call{n}": _weigh(n) for n in range(1, 7)}
_callable = functools.cache(lambda name: abi.callable_of(KERNELS[name]))


def perform(name: str, offset: int, values: list[int], words: list[int]) -> tuple[int, list[int]]:
    """Do an operation at a byte offset into memory of eight signed words: its answer, the words after it."""
    memory, given = (ctypes.c_int64 * 8)(*words), iter(values)
    known = {"function": lambda: abi.address_of(CALLED[name])}
    known |= dict.fromkeys(("v", "address"), lambda: ctypes.addressof(memory) + offset)
    answer = _callable(name)(*[known.get(arg, given.__next__)() for arg in OPERATIONS[name].args])
    return answer, list(memory)


def main() -> None:
    """Perform the operations that lines of JSON on standard input name, answering each with a line."""
    abi.use_cache(Path(os.environ["RMAPBENCH_CACHE_DIR"]))
    for line in sys.stdin:
        print(json.dumps(perform(*json.loads(line))), flush=True)
