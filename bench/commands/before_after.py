"""`rmapbench report --base FILE ...`: two kernels of one machine, each with a file a boot."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench import results
from bench.case import Filters
from bench.errors import UsageError
from bench.judge import policy
from bench.options import is_result_file

OTHERS = ("html", "published", "row", "col", "counts")  # options of other reports

Sides = tuple[list[str], list[str]]


def files_of(args: argparse.Namespace) -> Sides | None:
    """The files after --base, and those before it; None where --base names an arm, or is not there.

    Words after it that are no files become filters, as argparse gives it all of them.
    """
    words = list(args.base or [])
    if not words or not is_result_file(words[0]):
        args.base, args.filters = (words or [None])[0], [*args.filters, *words[1:]]
        if args.file is None:
            raise UsageError("report: name a result file, or two kernels' by --base; see report --help")
        return None
    named = [*([str(args.file)] if args.file else []), *args.filters]
    args.filters = [word for word in (*named, *words) if not is_result_file(word)]
    return [word for word in words if is_result_file(word)], [word for word in named if is_result_file(word)]


def text(args: argparse.Namespace, base: list[str], new: list[str]) -> str:
    """The comparison; UsageError for options that belong to other reports."""
    if wrong := [f"--{name}" for name in OTHERS if getattr(args, name)]:
        raise UsageError(f"{', '.join(wrong)} does not go with files after --base; leave it out")
    filters, rules = Filters.parse(args.filters), policy.load(args.thresholds)
    from bench.judge import before_after
    from bench.show import before_after as show

    first, second = ([before_after.File(name, results.load(name)) for name in side] for side in (base, new))
    found = before_after.compare(*before_after.sides(first, second), rules, filters)
    if args.json:
        from bench.show import before_after_json

        return before_after_json.render(found)
    if args.style:
        from bench.show import before_after_mail

        return before_after_mail.render_mail(found, args.style, again(args, new, base))
    return show.render(found, args.markdown)


def again(args: argparse.Namespace, files: Sequence[str | Path], base: Sequence[str]) -> str:
    """The command that shows the same again; `base` are files after --base."""
    words = ["rmapbench", "report", *map(str, files), *args.filters]
    if base or args.base:
        words += ["--base", *(base or [args.base])]
    words += [f"--{name}" for name in ("published",) if getattr(args, name)]
    for name in ("style", "html", "counts", "thresholds"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name}", str(value)]
    return shlex.join(words)
