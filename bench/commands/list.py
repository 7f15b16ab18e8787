"""`rmapbench list`: the cases that exist, one full name a line."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bench import options
from bench.case import Case
from bench.lanes import lane

EXAMPLES = """examples:
  rmapbench list                         every case of the model lane
  rmapbench list remove order=0,4        one call, two folio sizes
  rmapbench list --variants              the variants, with what they are
  rmapbench list remove --json           for programs
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    options.add_lane(parser)
    options.add_variants(parser)
    parser.add_argument("--variants", action="store_true", help="list the variants instead of the cases")
    parser.add_argument("--json", action="store_true", help="JSON instead of lines")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print them."""
    module, extra = lane(args.lane), options.variants(args)
    if args.variants:
        lines = module.describe_variants(extra)
    else:
        cases = options.filters(args).select(module.cases(extra))
        lines = [case.name for case in cases]
    print(json.dumps(_told(args.variants, lines), indent=1) if args.json else "\n".join(lines))
    return 0


def _told(variants: bool, lines: list[str]) -> list[dict[str, Any]]:
    """A variant by name and words, a case by its name and keys."""
    if variants:
        named = (line.split(maxsplit=3) for line in lines)
        return [{"name": name, "base": base, "said": said} for name, _, base, said in named]
    cases = [Case.parse(line) for line in lines]
    return [{"name": c.name, "level": c.level, "operation": c.op, **dict(c.keys)} for c in cases]
