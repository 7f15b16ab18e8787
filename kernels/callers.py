"""How callers reach a variant's rmap calls: one prototype a call, whatever the generation's interface.

A scenario passes folio, page, nr_pages and vmas in one order. Where a generation's function takes others
(6.7's `compound`, a `_pte` form without nr_pages), an entry with the scenario's prototype has it inlined.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from kernels import abi
from kernels.abi import ANON_PTES, NEW_ANON, PMD, PTES, TRY_DUP_PTES, TRY_SHARE, Prototype
from kernels.calls import Resolved, resolve
from kernels.mm_types import RMAP_COMPOUND
from kernels.scene import ADDS_FOR_NEW, KEEPS_LOOKUP, LOOKS_BEYOND, MAPS_WHOLE
from kernels.variants import VariantFile

# Word of a scene -> (call, path, prototype the scenario calls it with).
WANTED: dict[str, tuple[str, str, Prototype]] = {
    "TRY_DUP": ("try_dup_anon", "ptes", TRY_DUP_PTES),
    "TRY_DUP_ONE": ("try_dup_anon", "pte", TRY_DUP_PTES),
    "DUP": ("dup_file", "ptes", PTES),
    "DUP_ONE": ("dup_file", "pte", PTES),
    "REMOVE": ("remove", "ptes", PTES),
    "REMOVE_ONE": ("remove", "pte", PTES),
    "ADD_ANON": ("add_anon", "ptes", ANON_PTES),
    "ADD_ANON_ONE": ("add_anon", "pte", ANON_PTES),
    "ADD_FILE": ("add_file", "ptes", PTES),
    "ADD_FILE_ONE": ("add_file", "pte", PTES),
    "ADD_NEW": ("add_new_anon", "folio", NEW_ANON),
    "TRY_SHARE": ("try_share_anon", "pte", TRY_SHARE),
    "REMOVE_PMD": ("remove", "pmd", PMD),
}  # fmt: skip
# What the callers of each generation do (spec 9.1, 9.3-9.5): the batched forms are those of 6.9 and later.
RULES_OF = {
    "v6.7": LOOKS_BEYOND,
    "rfc-2023-12": LOOKS_BEYOND | ADDS_FOR_NEW,
    "v6.8": LOOKS_BEYOND | ADDS_FOR_NEW,
    "v6.10": LOOKS_BEYOND | ADDS_FOR_NEW,
    "v6.12": ADDS_FOR_NEW,
    "v6.15": ADDS_FOR_NEW | KEEPS_LOOKUP | MAPS_WHOLE,
    "v6.15-no-page-mapcount": ADDS_FOR_NEW | KEEPS_LOOKUP | MAPS_WHOLE,
}


def entries(file: VariantFile, module: Any) -> dict[str, Any]:
    """The kernels behind each word of a scene; words that the variant has no function for are left out."""
    found = {}
    for word, (call, path, prototype) in WANTED.items():
        resolved = resolve(file, call, path)
        if resolved is not None:
            found[word] = _with_prototype(getattr(module, resolved.function), resolved, prototype)
    return found


def _with_prototype(function: Any, resolved: Resolved, wanted: Prototype) -> Any:
    """The function itself if its arguments are the wanted ones, else one that hands them on."""
    kernel = function.ptes if isinstance(function, abi.Single) else function
    if len(kernel.prototype.args) == len(wanted.args) and "compound" not in kernel.prototype.args:
        return kernel
    return _handing_on(kernel, resolved, wanted)


@cache
def _handing_on(kernel: Any, resolved: Resolved, wanted: Prototype) -> Any:
    """A kernel of the wanted prototype that calls `kernel`, which is inlined into it."""
    values = {name: name for name in wanted.args}
    values |= {"compound": str(int(resolved.whole)), "dst_vma": _destination(wanted)}
    if resolved.call == "try_dup_anon":
        values |= {"vma": "src_vma"}
    if resolved.whole and resolved.path == "pmd":
        values |= {"flags": f"flags | {RMAP_COMPOUND}"}
    return _compiled_in_its_file(kernel, values, wanted)


def _destination(wanted: Prototype) -> str:
    return "dst_vma" if "dst_vma" in wanted.args else "vma"


def _compiled_in_its_file(kernel: Any, values: Mapping[str, str], wanted: Prototype) -> Any:
    """In the kernel's own file, and under a name of its own, for numba's cache."""
    inner = getattr(kernel, "py_func", kernel)
    name = f"hand_on_to_{inner.__name__}_{len(wanted.args)}"
    call = f"call({', '.join(values[arg] for arg in kernel.prototype.args)})"
    body = f"return {call}" if wanted.returns else call
    lines = "\n" * (inner.__code__.co_firstlineno - 1)
    source = f"{lines}def {name}({', '.join(wanted.args)}):\n    {body}\n"
    namespace = {"call": kernel, "__name__": inner.__module__}
    exec(compile(source, inner.__code__.co_filename, "exec"), namespace)
    return abi.kernel(wanted)(namespace[name])
