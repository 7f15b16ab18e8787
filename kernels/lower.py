"""How each operation of kernels.atomic becomes machine code: one LLVM builder a primitive.

x86-64 gets the kernel's own instructions (spec section 3): LLVM's atomicrmw where it selects them,
inline assembly with flag outputs where it would not. Other machines get atomicrmw throughout.
Loads and stores are monotonic atomics: LLVM would drop, merge or hoist plain ones.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

X86 = platform.machine() in ("x86_64", "AMD64")
llvm.initialize_native_asmparser()  # without it inline assembly aborts the process
for option in ("-unroll-runtime=false", "-unroll-allow-peeling=false"):  # the kernel is built with gcc -O2
    llvm.set_option("rmapbench", option)

I1, I8, I32, I64, VOID = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.VoidType()
CLOBBERS = "~{memory},~{flags},~{dirflag},~{fpsr}"
Build = Callable[..., Any]  # (builder, *argument values) -> value or None


def _pointer(b: Any, address: Any, kind: Any) -> Any:
    return b.inttoptr(address, kind.as_pointer())


def _narrow(b: Any, value: Any, kind: Any) -> Any:
    return value if kind.width == 64 else b.trunc(value, kind)


def _load(kind: Any) -> Build:
    def build(b: Any, address: Any) -> Any:
        value = b.load_atomic(_pointer(b, address, kind), "monotonic", kind.width // 8)
        return value if kind.width == 64 else b.sext(value, I64)

    return build


def _store(kind: Any) -> Build:
    def build(b: Any, address: Any, value: Any) -> None:
        b.store_atomic(_narrow(b, value, kind), _pointer(b, address, kind), "monotonic", kind.width // 8)

    return build


def _rmw(op: str, kind: Any) -> Build:
    """Locked operation whose result nobody uses: (value, address)."""

    def build(b: Any, value: Any, address: Any) -> None:
        b.atomic_rmw(op, _pointer(b, address, kind), _narrow(b, value, kind), "monotonic")

    return build


def _step(op: str) -> Build:
    def build(b: Any, address: Any) -> None:
        b.atomic_rmw(op, _pointer(b, address, I32), I32(1), "monotonic")

    return build


def _bit(op: str) -> Build:
    def build(b: Any, nr: Any, address: Any) -> None:
        byte = b.add(address, b.lshr(nr, I64(3)))
        mask = b.shl(I8(1), b.trunc(b.and_(nr, I64(7)), I8))
        mask = b.not_(mask) if op == "and" else mask
        b.atomic_rmw(op, _pointer(b, byte, I8), mask, "monotonic")

    return build


def _inc_and_test(b: Any, address: Any) -> Any:
    old = b.atomic_rmw("add", _pointer(b, address, I32), I32(1), "seq_cst")
    return b.icmp_signed("==", old, I32(-1))


def _add_return(b: Any, i: Any, address: Any) -> Any:
    delta = b.trunc(i, I32)
    old = b.atomic_rmw("add", _pointer(b, address, I32), delta, "monotonic")
    return b.sext(b.add(old, delta), I64)


def _flag(instruction: str, flag: str) -> Build:
    """Inline assembly on one address (operand 1) that answers with a CPU flag."""

    def build(b: Any, address: Any) -> Any:
        kind = ir.FunctionType(I8, [I64])
        return b.trunc(b.asm(kind, instruction, f"={{@cc{flag}}},r,{CLOBBERS}", [address], True), I1)

    return build


def _asm(instruction: str, arguments: int = 0) -> Build:
    def build(b: Any, *args: Any) -> None:
        kind = ir.FunctionType(VOID, [I64] * arguments)
        b.asm(kind, instruction, "r," * arguments + CLOBBERS, list(args), True)

    return build


def _dec_and_negative(b: Any, address: Any) -> Any:
    old = b.atomic_rmw("sub", _pointer(b, address, I32), I32(1), "seq_cst")
    return b.icmp_signed("<", b.sub(old, I32(1)), I32(0))  # not old < 1: it wraps


def _lock_bit31(b: Any, address: Any) -> Any:
    old = b.atomic_rmw("or", _pointer(b, address, I64), I64(1 << 31), "acquire")
    return b.icmp_unsigned("!=", b.and_(old, I64(1 << 31)), I64(0))


def _unlock_bit31(b: Any, address: Any) -> None:
    word = _pointer(b, address, I64)
    b.store_atomic(b.and_(b.load_atomic(word, "monotonic", 8), I64(~(1 << 31))), word, "release", 8)


def _try_lock(b: Any, address: Any) -> Any:
    pair = b.cmpxchg(_pointer(b, address, I32), I32(0), I32(1), "acquire", "monotonic")
    return b.extract_value(pair, 1)


def _fence(b: Any) -> None:
    b.fence("seq_cst")


def _clock(b: Any) -> Any:
    timespec = ir.LiteralStructType([I64, I64])
    kind = ir.FunctionType(I32, [I32, timespec.as_pointer()])
    clock_gettime = cgutils.get_or_insert_function(b.module, kind, "clock_gettime")
    now = cgutils.alloca_once(b, timespec)
    b.call(clock_gettime, [I32(1), now])
    seconds, nanoseconds = (b.load(b.gep(now, [I32(0), I32(i)])) for i in (0, 1))
    return b.add(b.mul(seconds, I64(1_000_000_000)), nanoseconds)


def _call(b: Any, function: Any, *args: Any) -> Any:
    kind = ir.FunctionType(I64, [I64] * len(args))
    return b.call(b.inttoptr(function, kind.as_pointer()), args)


# LLVM would select xadd for the sign of the result, a cmpxchg loop for the lock, andb for the unlock.
_DEC_NEGATIVE = _flag("lock addl $$-1, ($1)", "s") if X86 else _dec_and_negative
_LOCK_BIT31 = _flag("lock btsq $$31, ($1)", "c") if X86 else _lock_bit31
_UNLOCK_BIT31 = _asm("btrq $$31, ($0)", 1) if X86 else _unlock_bit31
_FENCE = _asm("lock addl $$0, -4(%rsp)") if X86 else _fence
_PAUSE = _asm("pause" if X86 else "")
# name -> (argument count, result type, builder)
LOWERING: dict[str, tuple[int, Any, Build]] = {
    "READ8": (1, types.int64, _load(I8)),
    "READ32": (1, types.int64, _load(I32)),
    "READ64": (1, types.int64, _load(I64)),
    "WRITE8": (2, types.void, _store(I8)),
    "WRITE32": (2, types.void, _store(I32)),
    "WRITE64": (2, types.void, _store(I64)),
    "atomic_inc": (1, types.void, _step("add")),
    "atomic_dec": (1, types.void, _step("sub")),
    "atomic_add": (2, types.void, _rmw("add", I32)),
    "atomic_sub": (2, types.void, _rmw("sub", I32)),
    "atomic64_add": (2, types.void, _rmw("add", I64)),
    "atomic_inc_and_test": (1, types.boolean, _inc_and_test),
    "atomic_dec_and_negative": (1, types.boolean, _DEC_NEGATIVE),
    "atomic_add_return": (2, types.int64, _add_return),
    "set_bit": (2, types.void, _bit("or")),
    "clear_bit": (2, types.void, _bit("and")),
    "test_and_set_bit31_lock": (1, types.boolean, _LOCK_BIT31),
    "clear_bit31_unlock": (1, types.void, _UNLOCK_BIT31),
    "atomic_try_cmpxchg_0_to_1": (1, types.boolean, _try_lock),
    "smp_mb": (0, types.void, _FENCE),
    "cpu_relax": (0, types.void, _PAUSE),
    "clock_ns": (0, types.int64, _clock),
    **{f"call{n}": (n + 1, types.int64, _call) for n in range(1, 7)},
}


def _intrinsic(name: str, arguments: int, result: Any, build: Build) -> Any:
    signature = result(*[types.int64] * arguments)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = build(builder, *args)
        return context.get_dummy_value() if result is types.void else value

    # numba reads the arity from the function's own signature.
    parameters = ", ".join(["typingctx", *"abcdefg"[:arguments]])
    namespace = {"answer": (signature, generate)}
    exec(f"def {name}({parameters}):\n    return answer", namespace)
    return intrinsic(namespace[name])


INTRINSICS = {name: _intrinsic(name, *how) for name, how in LOWERING.items()}
