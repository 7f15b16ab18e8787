"""What a variant's file says about itself, read with ast: without numba and without running the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kernels.abi import INTERFACE

NEWEST = "v6.15"  # generation that errors give as an example
RMAP = Path(__file__).parent / "rmap"
ORDERS = range(10)


class VariantError(Exception):
    """A variant cannot be used; the message is one sentence: file and line, what, remedy."""


@dataclass(frozen=True)
class VariantFile:
    """What a variant's file says about itself, read without running it."""

    name: str
    path: Path
    doc: str  # first line of its docstring
    base: str | None
    anon_orders: tuple[int, ...]
    file_orders: tuple[int, ...]
    # Interface functions it has; True: the `_ptes` function with nr_pages = 1, not code of its own.
    functions: Mapping[str, bool]
    generation: str = ""  # the built-in generation it descends from; "" for a hidden file without BASE

    @property
    def builtin(self) -> bool:
        """Does it lie in kernels/rmap?"""
        return self.path.parent == RMAP

    def __hash__(self) -> int:
        return hash((self.name, self.path))


def parse(name: str, path: Path) -> VariantFile:
    """Read the file of a variant; what it leaves to its BASE is empty in the answer."""
    tree = tree_of(path)
    doc = (ast.get_docstring(tree) or "").split("\n")[0]
    if not doc:
        raise VariantError(f"{path}:1: has no docstring; begin the file with a line that says what it is")
    return VariantFile(
        name=name,
        path=path,
        doc=doc,
        base=_base(tree, path),
        anon_orders=_orders(tree, path, "ANON_ORDERS"),
        file_orders=_orders(tree, path, "FILE_ORDERS"),
        functions=functions_of(tree, path),
    )


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file; VariantError with its line if it has none."""
    try:
        return _parsed(path.read_bytes(), str(path))
    except OSError as error:
        raise VariantError(f"{path}: cannot be read ({error.strerror}); give the path of a variant") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = getattr(error, "msg", None) or str(error)
        raise VariantError(f"{path}:{line}: is not Python ({reason}); correct that line") from None


@lru_cache(maxsize=32)
def _parsed(source: bytes, name: str) -> ast.Module:
    """Kept, because every variant asks its base's file, which asks its own base's."""
    return ast.parse(source, filename=name)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names assigned at the top level of a file, with their values."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _base(tree: ast.Module, path: Path) -> str | None:
    value = dict(_assignments(tree)).get("BASE")
    if value is None:
        return None
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str | None):
        raise VariantError(
            f'{path}:{value.lineno}: BASE must be the name of a variant in quotes, as in BASE = "{NEWEST}"'
        )
    return value.value


def _orders(tree: ast.Module, path: Path, which: str) -> tuple[int, ...]:
    """A literal tuple of folio orders, empty if the file leaves it to its BASE."""
    value = dict(_assignments(tree)).get(which)
    if value is None:
        return ()
    try:
        orders = ast.literal_eval(value)
    except ValueError:
        orders = None
    if not isinstance(orders, tuple) or not orders or not all(order in ORDERS for order in orders):
        raise VariantError(
            f"{path}:{value.lineno}: {which} must be a literal tuple of folio orders 0 to 9, "
            f"as in {which} = (0, 2, 3)"
        )
    return orders


def functions_of(tree: ast.Module, path: Path) -> dict[str, bool]:
    """Interface functions that the file defines, assigns or imports, later ones replacing earlier ones."""
    found: dict[str, bool] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = False
        elif isinstance(node, ast.ImportFrom):
            found |= _imported(node, path)
    for name, value in _assignments(tree):
        found[name] = _is_pte_of(value) or found.get(getattr(value, "id", ""), False)
        if isinstance(value, ast.Constant) and value.value is None:
            del found[name]  # said to be missing
    return {name: found[name] for name in INTERFACE if name in found}


def _imported(node: ast.ImportFrom, path: Path) -> dict[str, bool]:
    """Interface functions that a `from kernels.rmap.x import ...` brings, by the names they get here."""
    package, _, stem = (node.module or "").rpartition(".")
    source = RMAP / f"{stem}.py"
    if package != "kernels.rmap" or not source.exists() or source.resolve() == path.resolve():
        return {}
    theirs = functions_of(tree_of(source), source)
    names = {alias.name: alias.asname or alias.name for alias in node.names}
    if "*" in names:
        return theirs
    return {here: theirs[there] for there, here in names.items() if there in theirs}


def _is_pte_of(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and getattr(value.func, "id", "") == "pte_of"
