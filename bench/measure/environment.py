"""What this machine is, as scalar metadata; what about it makes figures unreliable, and what to do."""

from __future__ import annotations

import os
import platform
import subprocess
import textwrap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from bench.measure.affinity import format_cpu_list, parse_cpu_list
from bench.measure.facts import READERS, Scalar, find

Facts = dict[str, Scalar]

ROOT = Path("/")
TREE = Path(__file__).resolve().parents[2]
PACKAGES = ("numba", "llvmlite", "numpy", "pyperf")
# What a figure depends on; a result written into the tree does not make it dirty.
SOURCES = ("bench", "kernels", "pyproject.toml")
WIDTH = 72


def collect(root: Path = ROOT, tree: Path = TREE) -> Facts:
    """Facts about machine, system and installation; what cannot be read is left out.

    `root` stands for the root of the file system, `tree` for the source tree.
    """
    facts = {**_from_files(root), **_of_process(), **_versions(), **_commit(tree)}
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _from_files(root: Path) -> dict[str, Scalar | None]:
    facts: dict[str, Scalar | None] = {}
    for key, reader in READERS.items():
        with suppress(ValueError):  # missing, or not what this kernel's documentation says it holds
            facts[key] = reader(root)
    return facts


def _of_process() -> dict[str, Scalar]:
    return {
        "platform": platform.platform(aliased=True),
        "cpu_affinity": format_cpu_list(list(os.sched_getaffinity(0))),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "python_implementation": platform.python_implementation().lower(),
        "python_version": platform.python_version(),
    }


def _versions() -> dict[str, Scalar]:
    """Versions of PACKAGES from their installed metadata: importing them takes half a second."""
    versions: dict[str, Scalar] = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[f"{package}_version"] = metadata.version(package)
    return versions


def _commit(tree: Path) -> dict[str, Scalar]:
    """The commit checked out in `tree` and whether SOURCES differ from it; nothing outside a checkout."""
    if not (tree / ".git").exists():  # an installed copy may lie inside somebody else's repository
        return {}
    command = ["git", "--no-optional-locks", "-C", str(tree), "status", "--porcelain=v2", "--branch", "--"]
    try:
        status = subprocess.run([*command, *SOURCES], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    commit = find(r"^# branch\.oid ([0-9a-f]{40,})$", status.stdout)
    changed = any(not line.startswith("#") for line in status.stdout.splitlines())
    return {"git_commit": commit, "git_dirty": int(changed)} if commit else {}


@dataclass(frozen=True)
class Advice:
    """Something that makes figures unreliable, why, and the command (or else the step) that ends it."""

    what: str
    why: str
    remedy: str


def _is(key: str, *wrong: Scalar) -> Callable[[Facts], bool]:
    return lambda facts: facts.get(key) in wrong


def _is_not(key: str, *right: Scalar) -> Callable[[Facts], bool]:
    return lambda facts: key in facts and facts[key] not in right


def _above(key: str, limit: float) -> Callable[[Facts], bool]:
    return lambda facts: float(facts.get(key, 0)) > limit


# When an advice holds, and the advice; its `what` names facts in braces.
RULES: tuple[tuple[Callable[[Facts], bool], Advice], ...] = (
    (
        _is_not("cpu_governor", "performance"),
        Advice(
            "The CPU frequency governor is {cpu_governor}, not performance.",
            "The clock follows the load, so it differs between rounds and between cases.",
            "sudo cpupower frequency-set -g performance",
        ),
    ),
    (
        _is("turbo", "on"),
        Advice(
            "Turbo frequencies are on.",
            "The clock depends on temperature and on what the other cores do.",
            "sudo cpupower set --turbo-boost 0",
        ),
    ),
    (
        _is("power", "battery"),
        Advice(
            "The machine runs on battery.",
            "Firmware then limits the clock, and changes the limit as the charge falls.",
            "plug in the power supply",
        ),
    ),
    (
        _is("smt_active", 1),
        Advice(
            "Hardware threads share cores (SMT is on).",
            "A busy sibling takes part of the core from what is timed, unseen by every counter kept here.",
            "echo off | sudo tee /sys/devices/system/cpu/smt/control",
        ),
    ),
    (
        _above("load_avg_1min", 0.5),
        Advice(
            "The load average is {load_avg_1min}.",
            "Something else runs, or did a minute ago (an earlier measurement counts too).",
            "top -b -n 1 | head -n 15",
        ),
    ),
    (
        lambda facts: len(parse_cpu_list(str(facts.get("cpu_affinity", "0-1")))) == 1,
        Advice(
            "This process may use one CPU only ({cpu_affinity}).",
            "Whatever else runs there interrupts what is timed, and workers cannot run side by side.",
            "taskset -c 0-1 rmapbench run",
        ),
    ),
    (
        _above("cpu_quota", 0),
        Advice(
            "A control group limits CPU time to {cpu_quota:.2f} CPUs.",
            "Who has used up the share of a period (usually 100 ms) stands still for the rest of it.",
            "start the container or service without --cpus or CPUQuota=",
        ),
    ),
    (
        lambda facts: facts.get("virtual_machine") == "yes" and "steal_percent" not in facts,
        Advice(
            "This is a virtual machine that does not say how much time is stolen from it.",
            "Other guests share its cores and caches; times include what the host does.",
            "rmapbench run --rigorous",
        ),
    ),
    (
        lambda facts: facts.get("virtual_machine") == "yes" and "steal_percent" in facts,
        Advice(
            "This is a virtual machine; {steal_percent:.3f} % of its time was stolen since boot.",
            "Other guests share its cores and caches; times include what the host does.",
            "rmapbench run --rigorous",
        ),
    ),
    (
        _is_not("clocksource", "tsc", "arch_sys_counter"),
        Advice(
            "The clock source is {clocksource}.",
            "Reading such a clock takes up to microseconds, which short batches then contain.",
            "echo tsc | sudo tee \\\n  /sys/bus/clocksource/devices/clocksource0/current_clocksource",
        ),
    ),
    (
        _is("thp_enabled", "never"),
        Advice(
            "Transparent huge pages are never used.",
            "Page descriptors then lie on small pages and their TLB misses are part of the figures.",
            "echo madvise | sudo tee \\\n  /sys/kernel/mm/transparent_hugepage/enabled",
        ),
    ),
    (
        _is("aslr", 0),
        Advice(
            "Address-space randomisation is off.",
            "All worker processes get one memory layout, so its effect looks like an effect of the code.",
            "sudo sysctl kernel.randomize_va_space=2",
        ),
    ),
    (
        lambda facts: _above("numa_balancing", 0)(facts) and _above("numa_nodes", 1)(facts),
        Advice(
            "NUMA balancing is on ({numa_nodes} nodes).",
            "It unmaps pages to see who uses them; the faults fall into timed batches.",
            "sudo sysctl kernel.numa_balancing=0",
        ),
    ),
    (
        _is("ksm_run", 1),
        Advice(
            "Samepage merging (ksmd) is running.",
            "It takes CPU time and write-protects pages that are measured.",
            "echo 0 | sudo tee /sys/kernel/mm/ksm/run",
        ),
    ),
    (
        lambda facts: "nohz_full_cpus" in facts and facts.get("cpu_frequency_driver") == "intel_pstate",
        Advice(
            "CPUs {nohz_full_cpus} are nohz_full under intel_pstate.",
            "That driver sets the clock from the timer tick, which these CPUs do not have.",
            "boot without nohz_full=, or with intel_pstate=disable",
        ),
    ),
    (
        lambda facts: float(facts.get("uptime", 300)) < 300,
        Advice(
            "The system started {uptime} s ago.",
            "The first run after boot was seen up to 10 % off.",
            "sleep 300",
        ),
    ),
)


def warnings(facts: Facts) -> list[Advice]:
    """What in `facts` makes figures unreliable; a fact that is unknown is not held against the machine."""
    return [
        replace(advice, what=advice.what.format_map(facts)) for applies, advice in RULES if applies(facts)
    ]


def render(facts: Facts, advice: list[Advice]) -> str:
    """The text of `rmapbench env`: ASCII, at most 72 columns, commands alone on their lines."""
    lines = ["This machine", *_fact_lines(facts), ""]
    if advice:
        lines += ["What makes figures unreliable here, and what to do about it"]
    else:
        lines += ["Nothing was found that makes figures unreliable here."]
    for number, item in enumerate(advice, 1):
        lines += ["", *_wrapped(f"{number:2}. ", item.what), *_wrapped("    ", item.why)]
        lines += [f"      {line}" for line in item.remedy.splitlines()]
    return "\n".join(lines).encode("ascii", "replace").decode() + "\n"


def _fact_lines(facts: Facts) -> list[str]:
    return [line for key, value in facts.items() for line in _wrapped(f"  {key:<22}", str(value))]


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
