"""Where a worker runs, how long, and what disturbed it: CPUs, pinning, stolen time, switches, faults."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from bench.errors import UsageError

ROOT = Path("/")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


def parse_cpu_list(text: str) -> list[int]:
    """The CPU numbers of a kernel CPU list such as `0-3,8`; ValueError if it is none."""
    cpus: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def format_cpu_list(cpus: list[int]) -> str:
    """CPU numbers as a kernel CPU list: 0, 1, 2, 8 is `0-2,8`."""
    spans: list[list[int]] = []
    for cpu in sorted(cpus):
        if spans and cpu == spans[-1][1] + 1:
            spans[-1][1] = cpu
        else:
            spans.append([cpu, cpu])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)


def siblings(cpu: int, root: Path = ROOT) -> list[int]:
    """The CPUs that share a core with `cpu`, itself included; it alone where the kernel does not say."""
    listing = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    try:
        return sorted({cpu, *parse_cpu_list(listing.read_text())})
    except (OSError, ValueError):
        return [cpu]


def usable_cpus(root: Path = ROOT) -> list[int]:
    """The CPUs this process may run on, one of each core first: the first n are the best for n workers."""
    allowed = os.sched_getaffinity(0)
    turns = {cpu: [c for c in siblings(cpu, root) if c in allowed].index(cpu) for cpu in sorted(allowed)}
    return sorted(turns, key=lambda cpu: (turns[cpu], cpu))


ALLOWED = frozenset(os.sched_getaffinity(0))  # before pin(): what the user, or --affinity, gave this program


def pin(cpu: int) -> None:
    """Keep this process on `cpu`; UsageError naming the CPUs allowed if it is not one of them."""
    try:
        os.sched_setaffinity(0, {cpu})
    except (OSError, ValueError, OverflowError) as error:
        allowed = format_cpu_list(list(os.sched_getaffinity(0)))
        raise UsageError(f"cannot run on CPU {cpu} ({error}); allowed here: {allowed}") from error


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, ends, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)


def steal_time(cpu: int | None = None, root: Path = ROOT) -> float:
    """Seconds since boot that the hypervisor ran something else instead of `cpu` (None: of all CPUs).

    Counted in clock ticks, usually 10 ms; 0 where the kernel does not say.
    """
    name = "cpu" if cpu is None else f"cpu{cpu}"
    ticks = cpu_ticks(root).get(name, [])
    return ticks[7] / os.sysconf("SC_CLK_TCK") if len(ticks) > 7 else 0.0


def cpu_ticks(root: Path = ROOT) -> dict[str, list[int]]:
    """The cpu lines of /proc/stat by name: user nice system idle iowait irq softirq steal (proc(5))."""
    try:
        lines = (root / "proc/stat").read_text().splitlines()
        rows = [line.split() for line in lines if line.startswith("cpu")]
        return {name: [int(word) for word in ticks] for name, *ticks in rows}
    except (OSError, ValueError):
        return {}


@dataclass(frozen=True)
class Counters:
    """What the kernel counted against this process so far; the difference of two says what a round met."""

    involuntary_switches: int
    voluntary_switches: int
    minor_faults: int
    major_faults: int
    migrations: int  # 0 where /proc/self/sched does not exist
    steal: float  # seconds, see steal_time

    @classmethod
    def now(cls, cpu: int | None = None, root: Path = ROOT) -> Counters:
        """Read them; `cpu` is the one this process is pinned to. Some 50 us: never in a timed batch."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            usage.ru_nivcsw,
            usage.ru_nvcsw,
            usage.ru_minflt,
            usage.ru_majflt,
            _migrations(root),
            steal_time(cpu, root),
        )

    def __sub__(self, earlier: Counters) -> Counters:
        return Counters(*(now - then for now, then in zip(astuple(self), astuple(earlier))))


def _migrations(root: Path) -> int:
    try:
        lines = (root / "proc/self/sched").read_text().splitlines()
        return next(int(line.rpartition(":")[2]) for line in lines if line.startswith("se.nr_migrations"))
    except (OSError, ValueError, StopIteration):
        return 0


@contextmanager
def adopt_orphans(*others: int) -> Iterator[None]:
    """At the end of the block wait for every child of this process but `others`, grandchildren included.

    A worker that is killed takes its own children along, but a little later (see die_with_parent).
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        while orphans := set(_children()) - set(others):
            for child in orphans:
                with suppress(ChildProcessError):
                    os.waitpid(child, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


def _children() -> list[int]:
    """Process numbers of this process's children."""
    found = []
    for path in (ROOT / "proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found
