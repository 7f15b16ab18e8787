"""`rmapbench env`: what this machine is, what about it makes figures unreliable, and what to do."""

from __future__ import annotations

import argparse

from bench.measure import environment

EXAMPLES = """examples:
  rmapbench env                          look before measuring
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print it."""
    facts = environment.collect()
    print(environment.render(facts, environment.warnings(facts)), end="")
    return 0
