"""`rmapbench chart`: charts from a result file, as PNG and SVG."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import options, results
from bench.errors import UsageError
from bench.judge.counts import load

EXAMPLES = """examples:
  rmapbench chart result.json                         beside the file: result-ratio.png, ...
  rmapbench chart result.json remove -o charts
  rmapbench chart result.json --format svg --force
  rmapbench chart result.json remove --counts results/counts.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="result file")
    options.add_filters(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="directory (default: the file's)")
    parser.add_argument("--format", choices=("png", "svg"), help="one format only (default: both)")
    options.add_counts(parser)
    parser.add_argument("--force", action="store_true", help="overwrite charts that are there")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Draw them and say where they are."""
    measured, counts = results.load(args.file), load(args.counts) if args.counts else None
    directory = args.output or args.file.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{directory}: cannot be made ({error.strerror}); choose another -o") from None
    from bench.show import chart

    formats = (args.format,) if args.format else chart.FORMATS
    stem = args.file.name.partition(".json")[0]
    written = chart.draw_all(measured, directory, stem, options.filters(args), formats, args.force, counts)
    print("\n".join(f"wrote {path}" for path in written))
    return 0
