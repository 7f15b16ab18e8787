"""How each fact about a machine is read from the files below a root: /proc, /sys and container marks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from bench.measure.affinity import cpu_ticks, parse_cpu_list

Scalar = str | int | float
# The first processors of /proc/cpuinfo are enough: of hundreds, all of it takes milliseconds to make.
READ_LIMIT = 16384


def read(root: Path, path: str) -> str:
    """The first READ_LIMIT bytes of a file below `root`, stripped; empty if it cannot be read."""
    try:
        with (root / path).open("rb") as file:
            return file.read(READ_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def find(pattern: str, text: str) -> str:
    """The first group of `pattern` where it first matches, ^ and $ by line; empty if it does not."""
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def anon_huge_mib(root: Path = Path("/")) -> int:
    """MiB of this process's anonymous memory that are huge pages; 0 where the kernel does not say."""
    return int(find(r"^AnonHugePages:\s+(\d+) kB", read(root, "proc/self/smaps_rollup")) or 0) >> 10


def _cpu_model(root: Path) -> str:
    cpuinfo = read(root, "proc/cpuinfo")
    arm = re.findall(r"^CPU (implementer|part)\s*:\s*(\w+)$", cpuinfo, re.MULTILINE)[:2]
    return find(r"^model name\s*:(.*)$", cpuinfo) or " ".join(f"{name} {code}" for name, code in arm)


def _cpu_count(root: Path) -> int:
    return len(parse_cpu_list(read(root, "sys/devices/system/cpu/online"))) or os.cpu_count() or 1


def _governors(root: Path) -> str:
    files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    return " ".join(sorted({read(file.parent, file.name) for file in files}))


def _turbo(root: Path) -> str:
    no_turbo = read(root, "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = read(root, "sys/devices/system/cpu/cpufreq/boost")
    return {"0": "on", "1": "off"}.get(no_turbo) or {"0": "off", "1": "on"}.get(boost, "")


def _virtual_machine(root: Path) -> str:
    flags = find(r"^flags\s*:(.*)$", read(root, "proc/cpuinfo"))
    product = read(root, "sys/class/dmi/id/product_name")
    hints = re.search(r"KVM|QEMU|VMware|VirtualBox|Virtual Machine", product)
    if "hypervisor" in flags.split() or hints or read(root, "sys/hypervisor/type"):
        return "yes"
    return "no" if flags else ""


def _container(root: Path) -> str:
    named = read(root, "run/systemd/container")
    marks = {".dockerenv": "docker", "run/.containerenv": "podman"}
    return named or next((name for mark, name in marks.items() if (root / mark).exists()), "")


def _quotas(root: Path) -> Iterator[float]:
    """The CPU limits of this process's control group and those above it, in CPUs (cgroups(7))."""
    for line in read(root, "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        base = "sys/fs/cgroup" if not controllers else "sys/fs/cgroup/cpu"
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
            v1 = [read(root, f"{base}{folder}/cpu.cfs_{part}_us") for part in ("quota", "period")]
            quota, _, period = (read(root, f"{base}{folder}/cpu.max") or " ".join(v1)).partition(" ")
            if quota.isdigit() and period.isdigit():  # not `max`, not -1
                yield int(quota) / int(period)


def _power(root: Path) -> str:
    supplies = sorted((root / "sys/class/power_supply").glob("*/status"))
    states = {read(file.parent, file.name) for file in supplies}
    return ("battery" if "Discharging" in states else "mains") if states else ""


def _steal_percent(root: Path) -> float | None:
    ticks = cpu_ticks(root).get("cpu", [])[:8]  # guest time is counted in user time already
    total = sum(ticks)
    return round(100 * ticks[7] / total, 3) if len(ticks) == 8 and total else None


def _bytes_of_memory(root: Path) -> int | None:
    kib = find(r"^MemTotal:\s*(\d+) kB", read(root, "proc/meminfo"))
    return int(kib) * 1024 if kib else None


def available_memory(root: Path) -> int | None:
    """Bytes that can be used without reclaim: of the machine, and of this process's control groups."""
    kib = find(r"^MemAvailable:\s*(\d+) kB", read(root, "proc/meminfo"))
    return min([int(kib) * 1024, *_left_in_groups(root)]) if kib else None


def _left_in_groups(root: Path) -> Iterator[int]:
    """What the memory limits of this process's control groups leave (cgroups(7))."""
    for line in read(root, "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = "sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup"
        names = ("limit_in_bytes", "usage_in_bytes") if controllers else ("max", "current")
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
            limit, used = (read(root, f"{base}{folder}/memory.{name}") for name in names)
            if limit.isdigit() and used.isdigit():
                cache = find(r"^inactive_file (\d+)$", read(root, f"{base}{folder}/memory.stat"))
                yield max(0, int(limit) - int(used) + int(cache or 0))


def _load(root: Path) -> float:
    return float(read(root, "proc/loadavg").partition(" ")[0])


def _uptime(root: Path) -> int:
    return int(float(read(root, "proc/uptime").partition(" ")[0]))


def _text(path: str) -> Callable[[Path], str]:
    return lambda root: read(root, path)


def _chosen(path: str) -> Callable[[Path], str]:
    """The word in brackets, as in `always [madvise] never`."""
    return lambda root: find(r"\[(\S+)\]", read(root, path))


CPUS = "sys/devices/system/cpu"
THP = "sys/kernel/mm/transparent_hugepage"
# Each fact and how it is read below a root; in the order in which `rmapbench env` shows them.
READERS: dict[str, Callable[[Path], Scalar | None]] = {
    "hostname": _text("proc/sys/kernel/hostname"),
    "kernel_release": _text("proc/sys/kernel/osrelease"),
    "kernel_version": _text("proc/sys/kernel/version"),
    "boot_id": _text("proc/sys/kernel/random/boot_id"),
    "cpu_model_name": _cpu_model,
    "cpu_count": _cpu_count,
    "cpu_governor": _governors,
    "cpu_frequency_driver": _text(f"{CPUS}/cpu0/cpufreq/scaling_driver"),
    "turbo": _turbo,
    "smt": _text(f"{CPUS}/smt/control"),
    "smt_active": lambda root: int(read(root, f"{CPUS}/smt/active")),
    "isolated_cpus": _text(f"{CPUS}/isolated"),
    "nohz_full_cpus": lambda root: read(root, f"{CPUS}/nohz_full").replace("(null)", ""),
    "virtual_machine": _virtual_machine,
    "hypervisor": _text("sys/hypervisor/type"),
    "dmi_vendor": _text("sys/class/dmi/id/sys_vendor"),
    "dmi_product": _text("sys/class/dmi/id/product_name"),
    "steal_percent": _steal_percent,
    "container": _container,
    "cpu_quota": lambda root: min(_quotas(root), default=None),
    "power": _power,
    "clocksource": _text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
    "memory": _bytes_of_memory,
    "numa_nodes": lambda root: len(parse_cpu_list(read(root, "sys/devices/system/node/online"))) or None,
    "numa_balancing": lambda root: int(read(root, "proc/sys/kernel/numa_balancing")),
    "thp_enabled": _chosen(f"{THP}/enabled"),
    "thp_defrag": _chosen(f"{THP}/defrag"),
    "thp_shmem_enabled": _chosen(f"{THP}/shmem_enabled"),
    "ksm_run": lambda root: int(read(root, "sys/kernel/mm/ksm/run")),
    "aslr": lambda root: int(read(root, "proc/sys/kernel/randomize_va_space")),
    "uptime": _uptime,
    "load_avg_1min": _load,
}
