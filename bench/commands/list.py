"""`rmapbench list`: the cases that exist, one full name a line."""

from __future__ import annotations

import argparse

from bench import options
from bench.lanes import extra as extra_of
from bench.lanes import lane

EXAMPLES = """examples:
  rmapbench list                         every case of the model lane
  rmapbench list remove order=0,4        one call, two folio sizes
  rmapbench list --lane live munmap      the running kernel's, with the rmap calls they make
  rmapbench list --lane vm --kernel /boot fork
  rmapbench list --variants              the variants, with what they are
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    options.add_lane(parser)
    options.add_variants(parser)
    options.add_kernels(parser)
    parser.add_argument("--variants", action="store_true", help="list the variants instead of the cases")
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
        lines = [case.name for case in cases] + [f"# {note}" for note in module.notes(cases)]
    print("\n".join(lines))
    return 0
