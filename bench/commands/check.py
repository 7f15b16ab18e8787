"""`rmapbench check`: compare variants with the oracle and the invariants, compiled and interpreted."""

from __future__ import annotations

import argparse

from bench import options
from bench.lanes import lane

EXAMPLES = """examples:
  rmapbench check                        every variant
  rmapbench check v6.12                  one
  rmapbench check --variant mine=my.py   your own only
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to check (default: the variants of --variant, or all)"
    )
    options.add_variants(parser)
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print a line a variant; the first wrong one is an error (exit code 2)."""
    model, extra = lane("model"), options.variants(args)
    for line in model.check(args.names, extra):
        print(line, flush=True)
    return 0
