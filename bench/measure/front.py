"""The pyperf front: cases as an ordinary pyperf script, with pyperf's own command line and runner."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A pyperf worker gets a fresh environment; these are passed on to it.
INHERITED = ("HOME", "XDG_CACHE_HOME", "RMAPBENCH_CACHE_DIR", "PYTHONPATH")


@dataclass(frozen=True)
class Benchmark:
    """One case: `time(loops)` gives the seconds of so many passes over `pages` base pages."""

    name: str
    pages: int
    time: Callable[[int], float]
    metadata: Mapping[str, Any]


def run_script(
    module: str,
    configure: Callable[[argparse.ArgumentParser], None],
    forwarded: Callable[[argparse.Namespace], Sequence[str]],
    benchmarks: Callable[[argparse.Namespace], Sequence[Benchmark]],
) -> None:
    """Run `python -m module` as a pyperf script.

    Parent and workers must enumerate the same benchmarks in the same order: pyperf finds a worker's by its
    ordinal, so the module's own arguments are forwarded to the workers.
    """
    import pyperf

    def add_cmdline_args(command: list[str], args: argparse.Namespace) -> None:
        command.extend(forwarded(args))

    runner = pyperf.Runner(program_args=("-m", module), add_cmdline_args=add_cmdline_args)
    configure(runner.argparser)
    args = runner.parse_args()
    args.inherit_environ = [*(args.inherit_environ or ()), *INHERITED]
    for benchmark in benchmarks(args):
        runner.bench_time_func(
            benchmark.name,
            benchmark.time,
            inner_loops=benchmark.pages,
            metadata={"lane": "model", "unpaired": 1, **benchmark.metadata},
        )
