"""`rmapbench history`: the same pairs, or counts, over many result files, and where they changed for good."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import options
from bench.errors import UsageError

EXAMPLES = """examples:
  rmapbench history results                           every judged pair, and count, of the newest file
  rmapbench history results remove order=0
  rmapbench history results order=0 --chart history.svg
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of result files")
    options.add_filters(parser)
    options.add_chart(parser, "it")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print the history, and draw it."""
    options.check_chart(args)
    from bench.judge import history
    from bench.show import history as text

    files, left = history.collect(args.directory)
    found = history.series(files, options.filters(args))
    if not found:
        raise UsageError(
            f"{args.directory}: its newest file has no pair and no count to follow; see `rmapbench gate`"
        )
    print(text.render_text(files, found, left), end="")
    if args.chart:
        from bench.show import chart_history, chart_style

        chart_style.save(chart_history.history_chart(files, found), args.chart, args.force)
        print(f"\nwrote {args.chart}")
    return 0
