"""`rmapbench export`: results in other tools' formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import options, results
from bench.errors import UsageError
from bench.judge.generations import is_plain
from bench.show import export

PYPERF = "pyperf"
EXAMPLES = """examples:
  rmapbench export result.json order=4 --by path -o paths
      python -m pyperf compare_to paths/pte.json paths/ptes.json
  rmapbench export result.json --format benchfmt -o r.txt
      benchstat -col /path r.txt
  rmapbench export result.json --format csv
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="result file")
    options.add_filters(parser)
    parser.add_argument(
        "--format", choices=(PYPERF, *export.FORMATS), default=PYPERF, help="the format (default: pyperf)"
    )
    parser.add_argument("--by", metavar="KEY", help="pyperf: a file a value of KEY, in the directory -o")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH", help="file or directory (else it is printed)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Write or print it."""
    measured = results.load(args.file)
    plain = [case for case in measured.runs if is_plain(case)]
    cases = options.filters(args).select(plain)
    if args.by and args.format != PYPERF:
        raise UsageError(f"--by {args.by}: only pyperf files are split; leave it or --format out")
    if args.format != PYPERF:
        return _text(args, export.FORMATS[args.format](measured, cases))
    if args.output is None:
        raise UsageError("pyperf files are written, not printed: add -o FILE, or with --by -o DIRECTORY")
    if not args.by:
        return _saved({args.output: export.chosen(measured, cases)}, args.force)
    parts = export.split(measured, cases, args.by)
    named = {args.output / f"{export.check_file_name(value)}.json": part for value, part in parts.items()}
    args.output.mkdir(parents=True, exist_ok=True)
    return _saved(named, args.force)


def _text(args: argparse.Namespace, text: str) -> int:
    if args.output is None:
        print(text, end="")
    else:
        results.write_text(args.output, text, args.force)
        print(f"wrote {args.output}")
    return 0


def _saved(files: dict[Path, results.Results], force: bool) -> int:
    for path in files:
        results.check_writable(path, force)
    for path, part in files.items():
        results.save(part, path, force)
        print(f"wrote {path}: {len(part.runs)} cases")
    return 0
