"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from bench.case import Case, Filters
from bench.errors import UsageError

RESULT_FILES = (".json", ".json.gz")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Words that select cases."""
    parser.add_argument(
        "filters",
        nargs="*",
        default=[],
        metavar="FILTER",
        help="a call's name, or key=value[,value...] (see `list`)",
    )


def add_variants(parser: argparse.ArgumentParser) -> None:
    """User variants."""
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="also use the variant in FILE (copy kernels/rmap/_template.py to begin one)",
    )


def add_lane(parser: argparse.ArgumentParser) -> None:
    """Which lane."""
    parser.add_argument("--lane", default="model", help="the lane (default: model)")


def add_kernels(parser: argparse.ArgumentParser) -> None:
    """What the vm lane boots."""
    parser.add_argument(
        "--kernel",
        action="append",
        default=[],
        metavar="[NAME=]IMAGE",
        help="vm lane: a kernel image, or a directory such as /boot; several are compared",
    )
    parser.add_argument(
        "--guest-root",
        action="append",
        default=[],
        metavar="DIR",
        help="vm lane: where packages with a Python for guests of another architecture are unpacked",
    )
    parser.add_argument(
        "--accel", metavar="HOW", help="vm lane: tcg counts instructions (default), kvm takes the time"
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Where the vm lane boots."""
    parser.add_argument(
        "--cluster",
        metavar="WHERE",
        help="vm lane: boot on the workers of a Dask scheduler, tcp://HOST:8786, or of this machine: local",
    )


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """How to measure, whatever for."""
    parser.add_argument("--rounds", type=positive, help="rounds a process (default 60, live 5, vm 3)")
    parser.add_argument("--seed", type=int, help="of the random order in each round (default: the time)")
    parser.add_argument("--budget", type=seconds, metavar="S", help="stop after about S seconds")
    parser.add_argument(
        "--timeout", type=seconds, metavar="S", help="of a silent worker (default 60, live and vm 300)"
    )
    parser.add_argument(
        "--oversubscribe", action="store_true", help="allow threads= beyond the number of CPUs, up to 256"
    )
    parser.add_argument("--affinity", metavar="CPUS", help="measure on these CPUs only, for example 2,3")


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """Which policy."""
    parser.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="margins (default: results/thresholds.toml)"
    )


def add_counts(parser: argparse.ArgumentParser) -> None:
    """Which operation counts to draw."""
    parser.add_argument(
        "--counts",
        type=Path,
        metavar="FILE",
        help="also draw the operation counts in this file beside the times",
    )


def add_chart(parser: argparse.ArgumentParser, what: str) -> None:
    """One chart to draw beside the text; --force overwrites it."""
    parser.add_argument("--chart", type=Path, metavar="FILE", help=f"also draw {what} (.svg or .png)")
    parser.add_argument("--force", action="store_true", help="overwrite that chart")


def check_chart(args: argparse.Namespace) -> None:
    """Refuse, before anything is done, a chart in another format."""
    if args.chart and args.chart.suffix not in (".svg", ".png"):
        raise UsageError(f"{args.chart}: a chart is .svg or .png; name it so")


def is_result_file(word: str) -> bool:
    """Is a word of the command line a result file, and no filter? One that says so need not be there."""
    return word.endswith(RESULT_FILES) or ("=" not in word and Path(word).is_file())


def filters(args: argparse.Namespace) -> Filters:
    """The filters among the arguments."""
    return Filters.parse(args.filters)


def selected(args: argparse.Namespace, lane: ModuleType, extra: Mapping[str, Path]) -> list[Case]:
    """The lane's cases that the filters select; values of `memory=` and `threads=` make cases."""
    chosen = filters(args)
    return chosen.select(lane.cases(extra, chosen))


def variants(args: argparse.Namespace) -> dict[str, Path]:
    """User variants by name, as absolute paths."""
    found: dict[str, Path] = {}
    for text in args.variant:
        name, equals, path = text.partition("=")
        if not (equals and name and path):
            raise UsageError(f"--variant {text!r}: expected NAME=FILE, for example --variant mine=my_rmap.py")
        if name in found:
            raise UsageError(f"--variant {name}: given twice; choose another name")
        found[name] = Path(path).resolve()
    return found


def positive(text: str) -> int:
    """A positive whole number (argparse type)."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def seconds(text: str) -> float:
    """A positive number of seconds (argparse type)."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value
