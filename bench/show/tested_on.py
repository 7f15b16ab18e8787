"""The block that ends a mail: the machine, how it was measured, the controls, the commands that repeat it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.case import Case
from bench.judge.controls import Controls
from bench.judge.stats import LEAST_PROCESSES, Samples
from bench.results import Results
from bench.show.figures import GUESTS, unit_of
from bench.show.pasted import continued
from bench.show.sheet import Sheet
from bench.show.table import number, percent, wrap

COMMIT_DIGITS = 12


def tested_on(
    samples: Samples, sheets: Sequence[Sheet], controls: Mapping[Case, Controls], again: str
) -> str:
    """The whole block; `again` is the command that prints the tables from the file."""
    results = samples.results
    cases = [case for sheet in sheets for case in sheet.cases]
    groups = [controls[group] for group in dict.fromkeys(case.group for case in cases)]
    how = ", ".join(_how(samples, cases))
    return block(machine(results), how, groups, (reproduction(results), again))


def block(tested: str, how: str, controls: Sequence[Controls], commands: Iterable[str]) -> str:
    """Its lines; among the commands may be a comment for the shell."""
    lines = [f"Tested-on: {tested}", f"Measured-with: {how}", f"Controls: {controls_said(controls)}"]
    pasted = [f"  {line}" if line.startswith("#") else continued(line) for line in commands if line]
    return "\n".join([*map(wrap, lines), "Reproduce-with:", *pasted]) + "\n"


def machine(results: Results) -> str:
    """CPU, how many of them, whether it is a virtual machine, and the kernel; of guests what QEMU makes."""
    if results.metadata.get("lane") != GUESTS:
        return ", ".join([*host(results), *_kernel(results)])
    if results.counted:
        return f"{_guests(results)}; counts do not depend on the host"
    return f"{_guests(results)}; on {', '.join([*host(results), *_kernel(results)])}"


def host(results: Results) -> list[str]:
    """The CPU that measured, how many there are, and whether they are a virtual machine's."""
    told = results.metadata
    words = [
        str(told.get("cpu_model_name") or told.get("machine") or told.get("hostname", "unknown machine"))
    ]
    if cpus := told.get("cpu_count"):
        words.append(f"{cpus} CPUs" if cpus != 1 else "1 CPU")
    return [*words, "virtual machine"] if told.get("virtual_machine") == "yes" else words


def _kernel(results: Results) -> Iterator[str]:
    if kernel := results.metadata.get("kernel_release"):
        yield f"Linux {kernel}"


def _guests(results: Results) -> str:
    """Which kernels, on which CPU of QEMU's, by which accelerator."""
    told = results.metadata
    kernels = dict.fromkeys(name for case in results.runs if (name := case.get("kernel")))
    booted = ", ".join(_booted(name, str(told.get(f"kernel_{name}", ""))) for name in kernels)
    qemu = str(told.get("qemu", "")).replace("QEMU emulator version ", "QEMU ")
    how = [f"guests {guest}" if (guest := told.get("guest")) else "", qemu, str(told.get("accelerator", ""))]
    return "; ".join(filter(None, (booted, ", ".join(filter(None, how)))))


def _booted(name: str, told: str) -> str:
    """old is Linux 6.1.0; only its release where it is called by that."""
    release = told.partition(",")[0]
    return f"Linux {release or name}" if release in ("", name) else f"{name} is Linux {release}"


def program(results: Results) -> str:
    """The program, and its commit where the file knows it."""
    commit = str(results.metadata.get("git_commit", ""))[:COMMIT_DIGITS]
    return "rmapbench" + (f" at {commit}" if commit else "")


def _how(samples: Samples, cases: Sequence[Case]) -> Iterator[str]:
    results = samples.results
    yield program(results)
    yield f"{results.metadata.get('lane', 'model')} lane"
    units = unit_of(results)
    processes = max(samples.summary(case).processes for case in cases)
    rounds = max(len(run.values) for case in cases for run in results.runs[case])
    yield f"medians of {number(processes, units)} with {number(rounds, 'rounds')}" + _each(processes)
    yield f"95 % intervals over {units}" if processes >= LEAST_PROCESSES else "no intervals"


def _each(processes: int) -> str:
    return " each" if processes != 1 else ""


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
