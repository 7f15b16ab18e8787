"""`rmapbench report`: tables from a result file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import options, results
from bench.errors import BenchError
from bench.show import projection, report
from bench.show.verdicts import verdict_column

EXAMPLES = """examples:
  rmapbench report result.json                        the tables of the newest generation
  rmapbench report result.json remove variant=v6.8    one call of another one
  rmapbench report result.json --markdown
  rmapbench report result.json --row order --col path --base path=pte
  rmapbench report vm.json fork --base kernel=old
  rmapbench report result.json order=0 --row variant --col path --base variant=v6.8
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="result file")
    options.add_filters(parser)
    parser.add_argument("--markdown", action="store_true", help="GitHub markdown instead of plain text")
    parser.add_argument("--row", metavar="KEY", help="key whose values become rows (default: order)")
    parser.add_argument("--col", metavar="KEY", help="key whose values become columns (default: path)")
    parser.add_argument("--base", metavar="KEY=VALUE", help="the arm that others are compared with")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print them."""
    filters = options.filters(args)
    measured = results.load(args.file)
    if args.row or args.col or args.base:
        # A base alone: its key's values stand beside each other.
        row, col = args.row or "order", args.col or (args.base or "path").partition("=")[0]
        text = projection.render_projection(measured, row, col, args.base, filters, args.markdown)
    else:
        render = report.render_markdown if args.markdown else report.render_text
        text = render(measured, filters, verdicts(measured))
    print(text, end="")
    return 0


def verdicts(measured: results.Results) -> list[report.Column]:
    """The verdict column; none, and why on standard error, where there are no verdicts."""
    try:
        return [verdict_column(measured)]
    except BenchError as error:
        print(f"no verdicts: {error}", file=sys.stderr)
        return []
