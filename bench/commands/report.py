"""`rmapbench report`: tables from a result file."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from bench import options, results
from bench.case import Filters
from bench.errors import UsageError
from bench.show import projection, report

STYLES = ("mail", "mmtests", "lkp")  # of bench.show.mail, which only a mail needs to import
EXAMPLES = """examples:
  rmapbench report result.json                        the tables of the newest generation
  rmapbench report result.json remove variant=v6.8    one call of another one
  rmapbench report result.json --markdown
  rmapbench report result.json order=0 --style mail   for a cover letter; also mmtests, lkp
  rmapbench report result.json fork --published       beside published figures of other machines
  rmapbench report result.json --row order --col path --base path=pte
  rmapbench report result.json order=0 --row variant --col path --base variant=v6.8
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="result file")
    options.add_filters(parser)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--markdown", action="store_true", help="GitHub markdown instead of plain text")
    shape.add_argument("--style", choices=STYLES, help="plain ASCII for a mail, in a style its readers know")
    shape.add_argument("--json", action="store_true", help="JSON instead of tables")
    parser.add_argument(
        "--published", action="store_true", help="add published figures of the same operations and sizes"
    )
    parser.add_argument("--row", metavar="KEY", help="key whose values become rows (default: order)")
    parser.add_argument("--col", metavar="KEY", help="key whose values become columns (default: path)")
    parser.add_argument("--base", metavar="KEY=VALUE", help="the arm that others are compared with")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print them."""
    filters = options.filters(args)
    _check(args)
    measured = results.load(args.file)
    tables = _published(args, measured, filters) if args.published else []
    print("\n".join([_text(args, measured, filters), *tables]), end="")
    return 0


def _published(args: argparse.Namespace, measured: results.Results, filters: Filters) -> list[str]:
    from bench.show import published

    tables = published.published_tables(measured, filters)
    return [table.markdown() if args.markdown else table.text() for table in tables]


def _check(args: argparse.Namespace) -> None:
    """Options that do not go together."""
    projected = args.row or args.col
    if args.base and not projected:
        raise UsageError("--base goes with --row and --col, for example --row order --col path")
    if projected and (args.style or args.json or args.published):
        raise UsageError("--row and --col go with --markdown only; leave out --style, --json, --published")
    if args.json and args.published:
        raise UsageError("--json holds this file's own figures; leave out --published")


def _text(args: argparse.Namespace, measured: results.Results, filters: Filters) -> str:
    if args.row or args.col:
        row, col = args.row or "order", args.col or "path"
        return projection.render_projection(measured, row, col, args.base, filters, args.markdown)
    if args.style:
        from bench.show import mail

        again = shlex.join(["rmapbench", "report", str(args.file), *args.filters, "--style", args.style])
        return mail.render_mail(measured, args.style, again, filters)
    if args.json:
        from bench.show import report_json

        return report_json.render(measured, filters)
    render = report.render_markdown if args.markdown else report.render_text
    return render(measured, filters)
