"""`rmapbench list`: the cases that exist, one full name a line."""

from __future__ import annotations

import argparse
import json
from types import ModuleType
from typing import Any

from bench import options
from bench.case import Case
from bench.lanes import extra as extra_of
from bench.lanes import lane

EXAMPLES = """examples:
  rmapbench list                         every case of the model lane
  rmapbench list remove order=0,4        one call, two folio sizes
  rmapbench list --lane live munmap      the running kernel's, with the rmap calls they make
  rmapbench list --lane vm --kernel /boot fork
  rmapbench list --variants              the variants, with what they are
  rmapbench list remove --json           for programs
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    options.add_lane(parser)
    options.add_variants(parser)
    options.add_kernels(parser)
    parser.add_argument("--variants", action="store_true", help="list the variants instead of the cases")
    parser.add_argument("--json", action="store_true", help="JSON instead of lines")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print them."""
    module = lane(args.lane)
    extra = extra_of(module, args)
    if args.variants:
        lines = module.describe_variants(extra)
    else:
        filters = options.filters(args)
        cases = filters.select(module.cases(extra, filters))
        notes = [] if args.json else [f"# {note}" for note in module.notes(cases)]
        lines = [case.name for case in cases] + notes
    print(json.dumps(_told(module, args.variants, lines), indent=1) if args.json else "\n".join(lines))
    return 0


def _told(module: ModuleType, variants: bool, lines: list[str]) -> list[dict[str, Any]]:
    """A variant by name and words, a case by its name and keys."""
    if variants:
        keys = module.DESCRIBED
        found = [dict(zip(keys, line.split(maxsplit=len(keys) - 1))) for line in lines]
        return [{key: value for key, value in line.items() if key} for line in found]
    cases = [Case.parse(line) for line in lines]
    return [{"name": c.name, "level": c.level, "operation": c.op, **dict(c.keys)} for c in cases]
