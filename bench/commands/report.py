"""`rmapbench report`: tables from a result file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import options, results
from bench.case import Filters
from bench.commands import before_after
from bench.errors import BenchError, UsageError
from bench.judge import policy
from bench.judge.counts import load
from bench.show import projection, report
from bench.show.verdicts import verdict_column

STYLES = ("mail", "mmtests", "lkp")  # of bench.show.mail, which only a mail needs to import
EXAMPLES = """examples:
  rmapbench report result.json                        the tables of the newest generation
  rmapbench report result.json remove variant=v6.8    one call of another one
  rmapbench report result.json --markdown
  rmapbench report result.json order=0 --style mail   for a cover letter; also mmtests, lkp
  rmapbench report result.json fork --published       beside published figures of other machines
  rmapbench report result.json --html report.html     one page with everything, charts included
  rmapbench report result.json --row order --col path --base path=pte
  rmapbench report vm.json fork --base kernel=old
  rmapbench report vm.json fork --base kernel=old --style mail     the same for a cover letter
  rmapbench report --base old1.json old2.json new1.json new2.json    two kernels of one machine, by boots
  rmapbench report result.json order=0 --row variant --col path --base variant=v6.8
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="result file")
    options.add_filters(parser)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--markdown", action="store_true", help="GitHub markdown instead of plain text")
    shape.add_argument("--style", choices=STYLES, help="plain ASCII for a mail, in a style its readers know")
    shape.add_argument("--json", action="store_true", help="JSON instead of tables")
    shape.add_argument("--html", type=Path, metavar="PAGE", help="write one self-contained page, with charts")
    parser.add_argument("--force", action="store_true", help="overwrite that page")
    options.add_counts(parser)
    options.add_thresholds(parser)
    parser.add_argument(
        "--published", action="store_true", help="add published figures of the same operations and sizes"
    )
    parser.add_argument("--row", metavar="KEY", help="key whose values become rows (default: order)")
    parser.add_argument("--col", metavar="KEY", help="key whose values become columns (default: path)")
    parser.add_argument(
        "--base", nargs="+", metavar="KEY=VALUE|FILE",
        help="the arm that others are compared with; or result files of the live lane, of two kernels",
    )  # fmt: skip
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if sides := before_after.files_of(args):
        print(before_after.text(args, *sides), end="")
        return 0
    filters = options.filters(args)
    _check(args)
    measured = results.load(args.file)
    if args.html:
        return _page(args, measured, filters)
    tables = _published(args, measured, filters) if args.published else []
    if args.style:
        from bench.show import mail

        again = before_after.again(args, [args.file], [])
        text = mail.render_mail(measured, args.style, again, filters, args.base or "", tables, _margins(args))
        print(text, end="")
        return 0
    print("\n".join([_text(args, measured, filters), *tables]), end="")
    return 0


def _page(args: argparse.Namespace, measured: results.Results, filters: Filters) -> int:
    """Write the page; what cannot be published beside it is left out only if it was not asked for."""
    results.check_writable(args.html, args.force)
    margins, counts = policy.load(args.thresholds), load(args.counts) if args.counts else None
    from bench.show import page, published

    beside = published.published_tables(measured, filters) if args.published else []
    again = before_after.again(args, [args.file], [])
    text = page.render_page(args.file.name, measured, margins, again, filters, counts, beside)
    results.write_text(args.html, text, args.force)
    print(f"wrote {args.html}")
    return 0


def _published(args: argparse.Namespace, measured: results.Results, filters: Filters) -> list[str]:
    from bench.show import published

    tables = published.published_tables(measured, filters)
    return [table.markdown() if args.markdown else table.text() for table in tables]


def _check(args: argparse.Namespace) -> None:
    """Options that do not go together."""
    if (args.row or args.col) and (args.style or args.json):
        raise UsageError("--row and --col go with tables only; leave out --style and --json")
    projected = args.row or args.col or args.base
    if projected and args.published:
        raise UsageError("--published has rows of its own; leave out --row, --col and --base")
    if projected and args.html:
        raise UsageError("--html shows its own tables; leave out --row, --col and --base")
    if args.counts and not args.html:
        raise UsageError("--counts is for --html")
    if args.json and args.published:
        raise UsageError("--json holds this file's own figures; leave out --published")
    if args.json and args.base and args.thresholds:
        raise UsageError("--json with --base has no verdicts; leave out --thresholds")


def _margins(args: argparse.Namespace) -> policy.Policy | None:
    """Those named; else whoever needs some takes the tree's own, if they serve."""
    return policy.load(args.thresholds) if args.thresholds else None


def _text(args: argparse.Namespace, measured: results.Results, filters: Filters) -> str:
    if args.json:
        from bench.show import report_json

        if args.base:
            return report_json.render_against(measured, args.base, filters)
        return report_json.render(measured, filters, verdicts(measured, _margins(args)))
    margins = _margins(args)
    if args.row or args.col or args.base:
        # A base alone: its key's values stand beside each other.
        row, col = args.row or "order", args.col or (args.base or "path").partition("=")[0]
        return projection.render_projection(measured, row, col, args.base, filters, args.markdown, margins)
    render = report.render_markdown if args.markdown else report.render_text
    return render(measured, filters, verdicts(measured, margins))


def verdicts(measured: results.Results, margins: policy.Policy | None = None) -> list[report.Column]:
    """The verdict column; none, and why on standard error, where there are no verdicts."""
    try:
        return [verdict_column(measured, margins)]
    except BenchError as error:
        print(f"no verdicts: {error}", file=sys.stderr)
        return []
