"""C-ABI entries: the LLVM function, callable by address, that a kernel's body is inlined into.

Note: tried numba's first-class functions and its cfunc wrapper; both store to return slots on every call,
which each locked instruction must wait for, and so hide and invent differences of a few percent.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

I64 = ir.IntType(64)


@intrinsic(prefer_literal=True)
def c_entry(typingctx: Any, function: Any, pad: Any) -> Any:
    """Address of a new out-of-line C function whose body is `function`, `pad` bytes further on."""
    dispatcher = function.dispatcher
    prototype = dispatcher.prototype
    argtypes = (types.int64,) * len(prototype.args)
    padding = pad.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        dispatcher.compile(argtypes)
        compiled = dispatcher.overloads[argtypes]
        context.active_code_library.add_linking_library(compiled.library)
        name = f"rmapbench.{compiled.fndesc.unique_name}.{padding}"
        _pad(builder.module, name + ".pad", padding)
        result = I64 if prototype.returns else ir.VoidType()
        outer = ir.Function(builder.module, ir.FunctionType(result, [I64] * len(argtypes)), name)
        outer.attributes.add("noinline")
        body = ir.IRBuilder(outer.append_basic_block())
        inner = context.declare_function(builder.module, compiled.fndesc)
        _, value = context.call_conv.call_function(
            body, inner, compiled.fndesc.restype, compiled.fndesc.argtypes, outer.args
        )
        body.ret(value) if prototype.returns else body.ret_void()
        return builder.ptrtoint(outer, I64)

    return types.int64(function, pad), generate


def _pad(module: Any, name: str, nbytes: int) -> None:
    """Put `nbytes` of code that nobody runs in front of what is added to the module next."""
    if nbytes == 0:
        return
    filler = ir.Function(module, ir.FunctionType(ir.VoidType(), []), name)
    body = ir.IRBuilder(filler.append_basic_block())
    body.asm(ir.FunctionType(ir.VoidType(), []), f".skip {nbytes - 1}, 0x90", "", [], True)
    body.ret_void()


def entry(kernel: Any, pad: int = 0) -> Any:
    """A compiled function without arguments that returns the address of the kernel's entry.

    It gets a name of its own in the kernel's file, so that numba caches it there.
    """
    function = kernel.py_func
    name = f"entry_of_{function.__name__}_{pad}"
    lines = "\n" * (function.__code__.co_firstlineno - 1)
    source = f"{lines}def {name}():\n    return c_entry(kernel, {pad})\n"
    namespace = {"c_entry": c_entry, "kernel": kernel, "__name__": function.__module__}
    exec(compile(source, function.__code__.co_filename, "exec"), namespace)
    return njit(types.int64(), cache=True, nogil=True)(namespace[name])
