"""A kernel around each operation of kernels.atomic, compiled or interpreted as the process is."""

from __future__ import annotations

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
    "set_bit": Prototype(("nr", "address")),
    "clear_bit": Prototype(("nr", "address")),
    "test_and_set_bit31_lock": Prototype(("address",), returns=True),
    "clear_bit31_unlock": Prototype(("address",)),
    "atomic_try_cmpxchg_0_to_1": Prototype(("v",), returns=True),
    "smp_mb": Prototype(()),
    "cpu_relax": Prototype(()),
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
