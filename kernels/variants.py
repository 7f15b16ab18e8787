"""Finding and loading variants: files of rmap calls, in kernels/rmap and wherever a user keeps one.

Finding reads files with ast only; numba and the files themselves are not imported before `load`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from kernels.abi import INTERFACE, KernelError
from kernels.variant_file import NEWEST, RMAP, VariantError, VariantFile, functions_of, parse, tree_of

# Kernel generations, oldest first; every variant descends from one of them through BASE.
GENERATIONS = ("v6.7", "rfc-2023-12", "v6.8", "v6.10", "v6.12", "v6.15", "v6.15-no-page-mapcount")
NAME = re.compile(r"[A-Za-z0-9._-]+")


def discover(extra: Mapping[str, Path] | None = None, hidden: bool = False) -> dict[str, VariantFile]:
    """Variants by name: generations oldest first, other built-in files, then the user's (name -> path).

    `hidden` adds `_empty` and `_template`. VariantError for a name or file that cannot be used.
    """
    paths = {name_of(path.stem): path for path in sorted(RMAP.glob("*.py")) if path.stem != "__init__"}
    known = {name: paths[name] for name in sorted(paths, key=_rank)}
    for name, path in (extra or {}).items():
        _check_name(name, Path(path), known)
        known[name] = Path(path)
    files = {name: parse(name, path) for name, path in known.items()}
    files = {name: _inherit(file, files) for name, file in files.items()}
    return {name: file for name, file in files.items() if hidden or not name.startswith("_")}


def name_of(stem: str) -> str:
    """The variant's name for a file of kernels/rmap: v6_15_no_page_mapcount is v6.15-no-page-mapcount."""
    if stem.startswith("_"):
        return stem
    return re.sub(r"^v(\d+)_", r"v\1.", stem).replace("_", "-")


def _rank(name: str) -> tuple[int, str]:
    return (GENERATIONS.index(name) if name in GENERATIONS else len(GENERATIONS), name)


def _check_name(name: str, path: Path, known: Mapping[str, Path]) -> None:
    if not NAME.fullmatch(name) or name.startswith("_"):
        raise VariantError(
            f"{name!r} cannot name a variant; use letters, digits, dots and dashes, "
            f"as in --variant mine={path}"
        )
    if name in known:
        raise VariantError(
            f"{path}: the name {name} is taken by {known[name]}; choose another, "
            f"as in --variant my-{name}={path}"
        )


# What comes from BASE


def _inherit(file: VariantFile, files: Mapping[str, VariantFile]) -> VariantFile:
    """The file with orders and generation of its ancestors; VariantError if BASE leads nowhere."""
    if file.base is None and not (file.name in GENERATIONS or file.name.startswith("_")):
        raise VariantError(
            f'{file.path}:1: says no BASE; add the variant it is compared with, as in BASE = "{NEWEST}"'
        )
    line = list(_ancestry(file, files))
    return dataclasses.replace(
        file,
        anon_orders=next((f.anon_orders for f in line if f.anon_orders), ()),
        file_orders=next((f.file_orders for f in line if f.file_orders), ()),
        generation=_generation(file, line),
    )


def _generation(file: VariantFile, line: list[VariantFile]) -> str:
    """The nearest generation among the file's ancestors that has its interface."""
    found = next((f.name for f in line if f.name in GENERATIONS), "")
    legacy = found == GENERATIONS[0] and file.name != found
    return "v6.8" if legacy and "page_remove_rmap" not in file.functions else found


def _ancestry(file: VariantFile, files: Mapping[str, VariantFile]) -> Iterator[VariantFile]:
    """The file, its BASE, the BASE of that, ..."""
    seen = [file]
    yield file
    while (base := seen[-1].base) is not None:
        if base not in files:
            valid = ", ".join(name for name in files if not name.startswith("_"))
            raise VariantError(f"{seen[-1].path}: BASE {base!r} is no variant; use one of: {valid}")
        if files[base] in seen:
            circle = " -> ".join([*(f.name for f in seen), base])
            raise VariantError(f"{file.path}: BASE goes round in a circle ({circle}); name an older variant")
        seen.append(files[base])
        yield files[base]


# Loading


def load(file: VariantFile) -> ModuleType:
    """Import the variant; VariantError if that fails or if it breaks a rule of the interface."""
    module = _import(file)
    _check_layout(file, module)
    for name in required(file):
        if not hasattr(module, name):
            raise VariantError(
                f"{file.path}: has no {name}; define it, import it from its base's file, "
                f"or say {name} = None if there is none"
            )
    for name in INTERFACE:
        if getattr(module, name, None) is not None:
            _check_prototype(file, name, getattr(module, name))
    return module


def required(file: VariantFile) -> tuple[str, ...]:
    """Functions the variant must have: those of the built-in generation that it descends from."""
    if file.name in GENERATIONS or not file.generation:
        return ()
    source = RMAP / f"{file.generation.replace('.', '_').replace('-', '_')}.py"
    return tuple(functions_of(tree_of(source), source))


def _import(file: VariantFile) -> ModuleType:
    try:
        if file.builtin:
            return importlib.import_module(f"kernels.rmap.{file.path.stem}")
        return _import_path(file)
    except KernelError as error:
        raise VariantError(str(error)) from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename) == file.path.absolute()]
        where = f"{file.path}:{lines[-1] if lines else 1}"
        reason = f"{type(error).__name__}: {error}"
        raise VariantError(f"{where}: cannot be imported ({reason}); correct that line") from error


def _import_path(file: VariantFile) -> ModuleType:
    """Import a user's file under a name of its own, the same in every process (numba's cache holds it)."""
    path = file.path.absolute()
    name = f"rmapbench_variant_{hashlib.sha256(f'{file.name}={path}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise VariantError(f"{file.path}: is not a Python file; give a path that ends in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_layout(file: VariantFile, module: ModuleType) -> None:
    from kernels.mm_types import Layout

    if not isinstance(getattr(module, "LAYOUT", None), Layout):
        raise VariantError(
            f"{file.path}: LAYOUT must be a kernels.mm_types.Layout; write LAYOUT = LAYOUT_V6_15 "
            "or that with _replace(...)"
        )


def _check_prototype(file: VariantFile, name: str, function: Any) -> None:
    wanted = INTERFACE[name]
    has = getattr(function, "prototype", None)
    if has is None:
        raise VariantError(f"{file.path}: {name} is not declared; decorate it with @kernel for {wanted}")
    if has != wanted:
        raise VariantError(f"{file.path}: {name} must have the prototype {wanted}, not {has}")
