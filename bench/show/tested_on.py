"""The block that ends a mail: the machine, how it was measured, the controls, the commands that repeat it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from bench.judge.controls import Controls
from bench.judge.stats import Samples
from bench.results import Results
from bench.show.report import Section
from bench.show.table import WIDTH, percent, wrap

COMMIT_DIGITS = 12


def tested_on(samples: Samples, controls: Sequence[Controls], sections: Sequence[Section], again: str) -> str:
    """The whole block; `again` is the command that prints the tables from the file."""
    results = samples.results
    lines = [
        f"Tested-on: {machine(results)}",
        f"Measured-with: {', '.join(_how(results, sections))}",
        f"Controls: {controls_said(controls)}",
    ]
    commands = [_continued(command) for command in (reproduction(results), again) if command]
    return "\n".join([*map(wrap, lines), "Reproduce-with:", *commands]) + "\n"


def machine(results: Results) -> str:
    """CPU, how many of them, whether it is a virtual machine, and the kernel."""
    told = results.metadata
    words = [
        str(told.get("cpu_model_name") or told.get("machine") or told.get("hostname", "unknown machine"))
    ]
    if cpus := told.get("cpu_count"):
        words.append(f"{cpus} CPUs")
    if told.get("virtual_machine") == "yes":
        words.append("virtual machine")
    if kernel := told.get("kernel_release"):
        words.append(f"Linux {kernel}")
    return _ascii(", ".join(words))


def _how(results: Results, sections: Sequence[Section]) -> Iterator[str]:
    commit = str(results.metadata.get("git_commit", ""))[:COMMIT_DIGITS]
    yield "rmapbench" + (f" at {commit}" if commit else "")
    yield f"{results.metadata.get('lane', 'model')} lane"
    values = [row.value for section in sections for row in section.rows if row.value]
    processes = max(value.processes for value in values)
    rounds = max(len(run.values) for value in values for run in results.runs[value.case])
    yield f"medians of {processes} processes with {rounds} rounds each"
    yield "95 % intervals over processes"


def controls_said(controls: Sequence[Controls]) -> str:
    """The largest difference of equal code, and how well known differences were estimated."""
    twins = [found.twin.change for found in controls if found.twin]
    shares = [found.positive.recovered for found in controls if found.positive]
    equal = f"equal code differs by at most {percent(max(twins, key=abs), 2)}" if twins else "no A/A control"
    seen = (
        f"known differences are estimated at {min(shares):.2f} to {max(shares):.2f} times their size"
        if shares
        else ""
    )
    return ", ".join(filter(None, (equal, seen or "no positive control")))


def reproduction(results: Results) -> str:
    """The command that measured the file, with the seed it took; empty where the file does not say."""
    command, seed = str(results.metadata.get("command", "")), results.metadata.get("seed")
    if not command:
        return ""
    return command if "--seed" in command or seed is None else f"{command} --seed {seed}"


def _continued(command: str) -> str:
    """A command that fits and can be pasted: broken between words by backslashes."""
    try:
        words = [shlex.quote(word) for word in shlex.split(command)]
    except ValueError:
        words = command.split()
    lines = textwrap.wrap(
        _ascii(" ".join(words)), WIDTH - 4, subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return " \\\n".join(f"  {line}" for line in lines)


def _ascii(text: str) -> str:
    """Names of machines and files may hold anything; a mail is plain."""
    return text.encode("ascii", "replace").decode()
