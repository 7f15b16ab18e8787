"""Copies of a generation, with or without a known extra cost: what a gate is tried on."""

from __future__ import annotations

import ast
from pathlib import Path

from kernels import variants

ORIGINAL = "v6.12"
PASS = 1024  # folios of order 0 in a hot arena, which a pass calls on one after the other
SPREAD = 401  # odd, so that neighbours in the order of costing more lie apart in the arena
EXTRA = '''

@helper
def extra_cost(folio):
    """A locked instruction more, of the kind no compiler drops, on {extra} of {each} folios."""
    if (folio >> 6) * {spread} & {mask} < {extra}:
        smp_mb()

'''


def copied(function: str = "", extra: int | None = None) -> str:
    """The source of a copy whose base is the original.

    In `function`, if one is named, `extra` of 1024 folios cost a locked instruction more; with 0 only the
    question is asked.
    """
    source = Path(variants.discover({})[ORIGINAL].path).read_text()
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    if function:
        found = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
        lines.insert(found.body[0].end_lineno or 0, f"    extra_cost({found.args.args[0].arg})\n")
    lines = ['BASE = "v6.12"\n' if line.startswith("BASE = ") else line for line in lines]
    if function:
        place = next(n for n, line in enumerate(lines) if line.startswith("FILE_ORDERS = "))
        lines.insert(place + 1, EXTRA.format(extra=extra, each=PASS, mask=PASS - 1, spread=SPREAD))
    return "".join(lines)
