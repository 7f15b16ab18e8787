"""The kernel's memory operations on addresses: interpreted and traced here, compiled by kernels.lower.

Names are the kernel's. Every operation is a plain Python function on an int address with signed results;
in a compiling process its name is bound to the intrinsic that emits the kernel's own instruction for it
(spec section 3). Trace kinds: U and N are locked operations with and without used result, r and w plain
loads and stores, F a full fence.
"""

from __future__ import annotations

import ctypes
import time

from kernels import abi
from kernels.trace import note

_S8, _U8, _S32, _S64 = ctypes.c_int8, ctypes.c_uint8, ctypes.c_int32, ctypes.c_int64


def READ8(address: int) -> int:
    """Load a signed byte."""
    note("r", address, "READ8")
    return _S8.from_address(address).value


def READ32(address: int) -> int:
    """Load a signed 32-bit word (atomic_read)."""
    note("r", address, "READ32")
    return _S32.from_address(address).value


def READ64(address: int) -> int:
    """Load a signed 64-bit word."""
    note("r", address, "READ64")
    return _S64.from_address(address).value


def WRITE8(address: int, value: int) -> None:
    """Store a byte."""
    note("w", address, "WRITE8")
    _S8.from_address(address).value = value


def WRITE32(address: int, value: int) -> None:
    """Store a 32-bit word (atomic_set)."""
    note("w", address, "WRITE32")
    _S32.from_address(address).value = value


def WRITE64(address: int, value: int) -> None:
    """Store a 64-bit word."""
    note("w", address, "WRITE64")
    _S64.from_address(address).value = value


def _add32(kind: str, name: str, i: int, v: int) -> int:
    note(kind, v, name)
    word = _S32.from_address(v)
    word.value += i
    return word.value


def atomic_inc(v: int) -> None:
    """Locked increment, result not used."""
    _add32("N", "atomic_inc", 1, v)


def atomic_dec(v: int) -> None:
    """Locked decrement, result not used."""
    _add32("N", "atomic_dec", -1, v)


def atomic_add(i: int, v: int) -> None:
    """Locked add, result not used."""
    _add32("N", "atomic_add", i, v)


def atomic_sub(i: int, v: int) -> None:
    """Locked subtract, result not used."""
    _add32("N", "atomic_sub", -i, v)


def atomic_inc_and_test(v: int) -> bool:
    """Locked increment; is the value now 0?"""
    return _add32("U", "atomic_inc_and_test", 1, v) == 0


def atomic_dec_and_negative(v: int) -> bool:
    """Locked add of -1; is the value now negative? (atomic_add_negative(-1, v))."""
    return _add32("U", "atomic_dec_and_negative", -1, v) < 0


def atomic_add_return(i: int, v: int) -> int:
    """Locked add; the new value."""
    return _add32("U", "atomic_add_return", i, v)


def atomic_dec_and_test(v: int) -> bool:
    """Locked decrement; is the value now 0? (folio_put's test)."""
    return _add32("U", "atomic_dec_and_test", -1, v) == 0


def atomic_sub_and_test(i: int, v: int) -> bool:
    """Locked subtract; is the value now 0?"""
    return _add32("U", "atomic_sub_and_test", -i, v) == 0


def atomic64_add(i: int, v: int) -> None:
    """Locked 64-bit add, result not used."""
    note("N", v, "atomic64_add")
    _S64.from_address(v).value += i


def set_bit(nr: int, address: int) -> None:
    """Locked OR of one bit into the byte that holds it."""
    note("N", address + (nr >> 3), "set_bit")
    _U8.from_address(address + (nr >> 3)).value |= 1 << (nr & 7)


def clear_bit(nr: int, address: int) -> None:
    """Locked AND that clears one bit of the byte that holds it."""
    note("N", address + (nr >> 3), "clear_bit")
    _U8.from_address(address + (nr >> 3)).value &= ~(1 << (nr & 7))


def test_and_set_bit31_lock(address: int) -> bool:
    """Locked set of bit 31 of a 64-bit word; was it set before?"""
    note("U", address, "test_and_set_bit31_lock")
    word = _S64.from_address(address)
    before = word.value
    word.value = before | 1 << 31
    return before & 1 << 31 != 0


def clear_bit31_unlock(address: int) -> None:
    """Clear bit 31 of a 64-bit word, not locked, release order."""
    note("w", address, "clear_bit31_unlock")
    _S64.from_address(address).value &= ~(1 << 31)


def atomic_try_cmpxchg_0_to_1(v: int) -> bool:
    """Locked compare-and-exchange of a free (0) spinlock word with 1; did it succeed?"""
    note("U", v, "atomic_try_cmpxchg_0_to_1")
    word = _S32.from_address(v)
    if word.value != 0:
        return False
    word.value = 1
    return True


def xchg64(address: int, value: int) -> int:
    """Exchange a 64-bit word, always locked; the old value."""
    note("U", address, "xchg64")
    word = _S64.from_address(address)
    before, word.value = word.value, value
    return before


def atomic64_try_cmpxchg(address: int, old: int, new: int) -> bool:
    """Locked compare-and-exchange of a 64-bit word; was it `old` and is it `new` now?"""
    note("U", address, "atomic64_try_cmpxchg")
    word = _S64.from_address(address)
    if word.value != old:
        return False
    word.value = new
    return True


def smp_mb() -> None:
    """Full memory barrier; on x86 a locked add of 0 to the stack."""
    note("F", 0, "smp_mb")


def cpu_relax() -> None:
    """What a spin loop does between two looks."""


def unlikely_path() -> None:
    """Tell the compiler that control seldom comes here, as the kernel's unlikely(); no instruction."""


def clock_ns() -> int:
    """CLOCK_MONOTONIC in nanoseconds."""
    return time.monotonic_ns()


def call1(function: int, a: int) -> int:
    """Call the C function at an address that `abi.address_of` gave out."""
    return abi.interpreted_at(function)(a) or 0


def call2(function: int, a: int, b: int) -> int:
    """As call1, with two arguments."""
    return abi.interpreted_at(function)(a, b) or 0


def call3(function: int, a: int, b: int, c: int) -> int:
    """As call1, with three arguments."""
    return abi.interpreted_at(function)(a, b, c) or 0


def call4(function: int, a: int, b: int, c: int, d: int) -> int:
    """As call1, with four arguments."""
    return abi.interpreted_at(function)(a, b, c, d) or 0


def call5(function: int, a: int, b: int, c: int, d: int, e: int) -> int:
    """As call1, with five arguments."""
    return abi.interpreted_at(function)(a, b, c, d, e) or 0


def call6(function: int, a: int, b: int, c: int, d: int, e: int, f: int) -> int:
    """As call1, with six arguments."""
    return abi.interpreted_at(function)(a, b, c, d, e, f) or 0


if not abi.INTERPRETED:
    from kernels.lower import INTRINSICS

    globals().update(INTRINSICS)
