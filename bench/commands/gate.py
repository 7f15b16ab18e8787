"""`rmapbench gate`: verdicts on a result file, or on what is measured now; the exit code says them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import options, results
from bench.case import Filters
from bench.commands import adaptive
from bench.errors import BenchError, LaneUnavailable, UsageError
from bench.judge import counts, gate, instructions, policy
from bench.judge.counts import CountRuling
from bench.judge.gate import Ruling
from bench.lanes import lane
from bench.show import gate as table
from bench.show import gate_json, gate_junit, gate_lines, gate_tap

EXAMPLES = """examples:
  rmapbench gate result.json                          judge a file
  rmapbench gate result.json remove order=0 --strict
  rmapbench gate --variant mine=my.py                 measure a variant against its base, then judge
  rmapbench gate --budget 60 order=0 variant=v6.12,v6.15
  rmapbench gate --baseline results/counts.json       count this tree, compare exactly
  rmapbench gate new.json --baseline old.json         have the ratios, or instructions, changed since?
  git bisect run rmapbench gate --bisect --baseline counts.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words", nargs="*", default=[], metavar="FILE|FILTER",
        help="a result file (without one: measure first), and filters (see `list`)",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", type=Path, metavar="OLD", help="compare with this file, of counts or of times"
    )
    options.add_thresholds(parser)
    parser.add_argument(
        "--strict", action="store_true", help="INCONCLUSIVE and an outdated baseline of counts fail too"
    )
    parser.add_argument("--bisect", action="store_true", help="exit codes of git bisect run: 0, 1, else 125")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="JSON instead of tables")
    shown.add_argument("--tap", action="store_true", help="TAP version 13 instead of tables")
    parser.add_argument("--all", action="store_true", help="every row, not only the worst")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also append the tables as markdown")
    adaptive.configure(parser)
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Judge, show, and say it by the exit code."""
    rules = policy.load(args.thresholds)
    path, filters = _words(args.words)
    if args.junit:
        results.check_writable(args.junit, args.force)
    try:
        ruling, note = _ruling(args, path, filters, rules)
    except LaneUnavailable as error:
        if args.tap:
            print(gate_tap.skipped(str(error)), end="")
        raise
    if args.bisect and isinstance(ruling, Ruling):
        args.strict = True  # what is undecided is neither good nor bad: git is to skip it
    _show(args, ruling, note)
    return ruling.exit_code(args.strict)


def _words(words: list[str]) -> tuple[Path | None, Filters]:
    """The result file, if the first word is one, and the filters."""
    if words and options.is_result_file(words[0]):
        return Path(words[0]), Filters.parse(words[1:])
    return None, Filters.parse(words)


def _ruling(
    args: argparse.Namespace, path: Path | None, filters: Filters, rules: policy.Policy
) -> tuple[Ruling | CountRuling, str]:
    """The verdicts, and where what was measured now is kept."""
    old = args.baseline
    if old and not old.exists():
        raise UsageError(f"{old}: no such file; give one of `rmapbench count -o` or `rmapbench run -o`")
    if counts.holds_counts(old or path or Path()):
        return _count_ruling(args, path, filters, rules), ""
    measured, kept = (results.load(path), "") if path else adaptive.measure(args, filters, rules)
    try:
        if not old:
            return gate.judge(measured, rules, filters), kept
        before = results.load(old)
        exact = measured.counted and before.counted
        against = instructions.judge_instructions if exact else gate.judge_against
        return against(measured, before, old.name, rules, filters), kept
    except BenchError:
        print(kept.strip(), file=sys.stderr, end="\n" if kept else "")
        raise


def _count_ruling(
    args: argparse.Namespace, path: Path | None, filters: Filters, rules: policy.Policy
) -> CountRuling:
    if not args.baseline:
        raise UsageError(f"{path}: holds counts, which are judged against others: add --baseline FILE")
    before = counts.load(args.baseline)
    if path:
        now = counts.load(path)
    else:
        module, extra = lane("model"), options.variants(args)
        listed = module.cases(extra)
        now = module.count(filters.select(listed) if filters else listed, extra)
    return counts.judge_counts(now, before, str(args.baseline), rules, filters)


def _show(args: argparse.Namespace, ruling: Ruling | CountRuling, note: str) -> None:
    found, code = gate_lines.lines(ruling), ruling.exit_code(args.strict)
    if args.json:
        print(gate_json.render(found, code), end="")
    elif args.tap:
        print(gate_tap.render(found, args.strict), end="")
    else:
        print(table.render_text(ruling, args.strict, args.all) + note, end="")
    if args.junit:
        results.write_text(args.junit, gate_junit.render(found, args.strict), args.force)
    if args.markdown:
        _append(args.markdown, table.render_markdown(ruling, args.strict))


def _append(path: Path, text: str) -> None:
    """What a step summary is made of: every step adds to the file."""
    try:
        with path.open("a") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror}); choose another file for --markdown"
        ) from None
