"""`rmapbench count`: exact operation counts a folio, from the interpreted kernels; compared exactly."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench import options, results
from bench.judge.counts import COUNTED, Counts, differences, load
from bench.lanes import lane

REGRESSED = 3  # exit code
LEGEND = (
    "a folio: U, N locked operations on descriptors with and without used result; fence full fences; loads,\n"
    "stores plain ones on descriptors; lines distinct cache lines; stat statistics calls; split\n"
    "deferred-split calls (what these calls do inside is not counted); tlb invalidations of the TLB. In\n"
    "scenarios page tables count with the descriptors; pte is the part of loads that is theirs"
)
EXAMPLES = """examples:
  rmapbench count remove order=0,4 variant=v6.8,v6.12
  rmapbench count -o counts.json
  rmapbench count --against counts.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_filters(parser)
    options.add_variants(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the counts as JSON")
    parser.add_argument("--force", action="store_true", help="overwrite that file")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help=f"compare exactly; a difference is exit code {REGRESSED}"
    )
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Count, then print, write or compare."""
    module, extra = lane("model"), options.variants(args)
    before: Counts = load(args.against) if args.against else {}
    if args.output:
        results.check_writable(args.output, args.force)
    counts = module.count(options.selected(args, module, extra), extra)
    if args.against:
        return _compare(counts, before, args.against, bool(args.filters))
    if args.output:
        results.write_text(args.output, json.dumps(counts, indent=0) + "\n", args.force)
        print(f"wrote {args.output}: {len(counts)} cases")
    else:
        print("\n".join([*_table(counts), LEGEND]))
    return 0


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    """Counts by case, the page tables' column only where there are page tables."""
    width = max(len(name) for name in counts)
    tables = any(numbers["pte_loads"] for numbers in counts.values())
    shown = {key: title for key, title in COUNTED.items() if tables or key != "pte_loads"}
    head = " ".join([" " * width, *(f"{title:>6}" for title in shown.values())])
    rows = (
        " ".join([f"{name:{width}}", *(f"{numbers[key]:6}" for key in shown)])
        for name, numbers in counts.items()
    )
    return [head, *rows]


def _compare(now: Counts, before: Counts, path: Path, part: bool) -> int:
    """Print every difference; a case that only one side has is one unless a filter left it out."""
    lines = []
    for name in dict.fromkeys([*before, *now]):
        if name not in now and part:
            continue
        old, new = before.get(name), now.get(name)
        if old is None or new is None:
            lines.append(f"{name}: only in {path if new is None else 'this tree'}")
        else:
            lines += [f"{name}: {difference}" for difference in differences(new, old)]
    print("\n".join(lines or [f"{len(now)} cases: all counts equal those in {path}"]))
    return REGRESSED if lines else 0
