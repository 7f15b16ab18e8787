"""C-ABI entries: the LLVM function, callable by address, that a kernel's body is inlined into.

Note: tried numba's first-class functions and its cfunc wrapper; both store to return slots on every call,
which each locked instruction must wait for, and so hide and invent differences of a few percent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

_CACHED: dict[str, Any] = {"cache": True, "nogil": True, "no_cfunc_wrapper": True}
I64, VOID = ir.IntType(64), ir.VoidType()


def c_function(context: Any, module: Any, dispatcher: Any, name: str, result: Any) -> Any:
    """Add to an LLVM module an out-of-line function of 64-bit scalars that a kernel is inlined into."""
    argtypes = (types.int64,) * dispatcher.py_func.__code__.co_argcount
    dispatcher.compile(argtypes)
    compiled = dispatcher.overloads[argtypes]
    context.active_code_library.add_linking_library(compiled.library)
    outer = ir.Function(module, ir.FunctionType(result, [I64] * len(argtypes)), name)
    outer.attributes.add("noinline")
    body = ir.IRBuilder(outer.append_basic_block())
    inner = context.declare_function(module, compiled.fndesc)
    _, value = context.call_conv.call_function(
        body, inner, compiled.fndesc.restype, compiled.fndesc.argtypes, outer.args
    )
    body.ret_void() if result is VOID else body.ret(value)
    return outer


@intrinsic(prefer_literal=True)
def c_entry(typingctx: Any, function: Any, pad: Any) -> Any:
    """Address of a new C function with the kernel's prototype, `pad` bytes further on."""
    dispatcher = function.dispatcher
    padding = pad.literal_value

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name = f"rmapbench.{dispatcher.py_func.__name__}.{padding}"
        _pad(builder.module, name + ".pad", padding)
        result = I64 if dispatcher.prototype.returns else VOID
        return builder.ptrtoint(c_function(context, builder.module, dispatcher, name, result), I64)

    return types.int64(function, pad), generate


def out_of_line(dispatcher: Any) -> Any:
    """A void helper that kernels call out of line, as the kernel calls its statistics.

    The callee saves the registers (preserve_most), so that a caller which seldom needs it is not slowed
    down on its way past, as gcc sees to by saving them only where the call is.
    """
    name = dispatcher.py_func.__name__

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        module, symbol = builder.module, f"rmapbench.{name}"
        function = module.globals.get(symbol)
        if function is None:
            function = c_function(context, module, dispatcher, symbol, VOID)
            function.linkage = "internal"
            function.calling_convention = "preserve_mostcc"
        builder.call(function, args, cconv="preserve_mostcc")
        return context.get_dummy_value()

    arguments = dispatcher.py_func.__code__.co_varnames[: dispatcher.py_func.__code__.co_argcount]
    namespace = {"answer": (types.void(*[types.int64] * len(arguments)), generate)}
    exec(f"def {name}({', '.join(('typingctx', *arguments))}):\n    return answer", namespace)
    return intrinsic(namespace[name])


def _pad(module: Any, name: str, nbytes: int) -> None:
    """Put `nbytes` of code that nobody runs in front of what is added to the module next."""
    if nbytes == 0:
        return
    filler = ir.Function(module, ir.FunctionType(VOID, []), name)
    body = ir.IRBuilder(filler.append_basic_block())
    body.asm(ir.FunctionType(VOID, []), f".skip {nbytes - 1}, 0x90", "", [], True)
    body.ret_void()


def entry(kernel: Any, pad: int = 0) -> Any:
    """A compiled function without arguments that returns the address of the kernel's entry.

    It gets a name of its own in the kernel's file, so that numba caches it there. A process that was
    killed can leave a cache entry that does not load; it is removed and made again.
    """
    function = kernel.py_func
    name = f"entry_of_{function.__name__}_{pad}"
    lines = "\n" * (function.__code__.co_firstlineno - 1)
    source = f"{lines}def {name}():\n    return c_entry(kernel, {pad})\n"
    namespace = {"c_entry": c_entry, "kernel": kernel, "__name__": function.__module__}
    exec(compile(source, function.__code__.co_filename, "exec"), namespace)
    compiled = njit(types.int64(), **_CACHED)
    try:
        return compiled(namespace[name])
    except Exception:
        if not _forget(name):
            raise
        return compiled(namespace[name])


def _forget(name: str) -> bool:
    """Remove the cache entries of a function; were there any?"""
    directory = Path(config.CACHE_DIR)  # type: ignore[attr-defined]  # set at run time
    broken = list(directory.rglob(f"*.{name}-*"))
    for path in broken:
        path.unlink(missing_ok=True)
    return bool(broken)
