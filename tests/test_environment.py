"""Facts about the machine and the advice drawn from them, on machines described as directories."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.measure import environment
from bench.measure.environment import Advice, Facts

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
THP = "sys/kernel/mm/transparent_hugepage"

# A quiet machine of one's own: nothing to advise.
QUIET = {
    "proc/sys/kernel/hostname": "quiet",
    "proc/sys/kernel/osrelease": "6.18.0",
    "proc/sys/kernel/randomize_va_space": "2",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 3.00GHz\nflags\t\t: fpu tsc\n",
    "proc/stat": "cpu  100 0 100 700 0 0 0 0 0 0\ncpu0 50 0 50 350 0 0 0 0 0 0\nintr 1 2 3\nbtime 1\n",
    "proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\n",
    "proc/loadavg": "0.10 0.20 0.30 1/83 3078\n",
    "proc/uptime": "86400.51 100.00\n",
    f"{CPU}/online": "0-3\n",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/cpu0/cpufreq/scaling_driver": "intel_pstate\n",
    f"{CPU}/intel_pstate/no_turbo": "1\n",
    f"{CPU}/smt/control": "off\n",
    f"{CPU}/smt/active": "0\n",
    f"{CPU}/nohz_full": "(null)\n",
    "sys/devices/system/node/online": "0\n",
    CLOCK: "tsc\n",
    f"{THP}/enabled": "always [madvise] never\n",
    f"{THP}/shmem_enabled": "always within_size advise [never] deny force\n",
}
# What each change to the quiet machine must be told: the files changed, words of the advice.
DISTURBED = {
    "governor": ({f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave"}, "governor is performance powersave"),
    "turbo of intel_pstate": ({f"{CPU}/intel_pstate/no_turbo": "0"}, "Turbo"),
    "turbo of cpufreq": ({f"{CPU}/intel_pstate/no_turbo": "", f"{CPU}/cpufreq/boost": "1"}, "Turbo"),
    "battery": ({"sys/class/power_supply/BAT0/status": "Discharging"}, "battery"),
    "siblings": ({f"{CPU}/smt/active": "1"}, "SMT is on"),
    "load": ({"proc/loadavg": "1.25 0 0 1/2 3"}, "load average is 1.25"),
    "quota": ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, "to 1.50 CPUs"),
    "quota of cgroup v1": (
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:cpu,cpuacct:/a",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
        },
        "to 0.50 CPUs",
    ),
    "steal": (
        {"proc/cpuinfo": "flags\t: fpu hypervisor\n", "proc/stat": "cpu 1 0 1 7 0 0 0 1 0 0\n"},
        "10.000 % of its time was stolen",
    ),
    "virtual machine without steal time": (
        {"sys/class/dmi/id/product_name": "KVM Virtual Machine", "proc/stat": "cpu 1 2 3\n"},
        "does not say how much time is stolen",
    ),
    "clock source": ({CLOCK: "hpet"}, "clock source is hpet"),
    "no huge pages": ({f"{THP}/enabled": "always madvise [never]"}, "huge pages are never used"),
    "no ASLR": ({"proc/sys/kernel/randomize_va_space": "0"}, "randomisation is off"),
    "NUMA": (
        {"proc/sys/kernel/numa_balancing": "1", "sys/devices/system/node/online": "0-1"},
        "NUMA balancing is on (2 nodes)",
    ),
    "ksm": ({"sys/kernel/mm/ksm/run": "1"}, "ksmd"),
    "nohz_full": ({f"{CPU}/nohz_full": "2-3"}, "CPUs 2-3 are nohz_full"),
    "boot": ({"proc/uptime": "42.51 1.0"}, "started 42 s ago"),
}


def machine(root: Path, *layers: dict[str, str]) -> Path:
    """A file system in which the files of all layers exist, those of later layers first."""
    for path, text in {key: value for layer in layers for key, value in layer.items()}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def facts_of(root: Path, *layers: dict[str, str]) -> Facts:
    facts = environment.collect(machine(root, *layers), tree=root)
    return {**facts, "cpu_affinity": "0-3"}  # that of the process, which tests do not choose


def test_facts_of_a_machine_come_from_its_files(tmp_path: Path) -> None:
    """Each file's value arrives under its key, with its unit and as a scalar."""
    facts = facts_of(tmp_path, QUIET)
    expected = {
        "hostname": "quiet", "kernel_release": "6.18.0", "cpu_model_name": "Some CPU @ 3.00GHz",
        "cpu_count": 4, "cpu_governor": "performance", "turbo": "off", "smt": "off", "smt_active": 0,
        "virtual_machine": "no", "steal_percent": 0.0, "clocksource": "tsc", "memory": 16384 * 1024,
        "numa_nodes": 1, "thp_enabled": "madvise", "thp_shmem_enabled": "never", "aslr": 2,
        "uptime": 86400, "load_avg_1min": 0.1, "cpu_frequency_driver": "intel_pstate",
    }  # fmt: skip
    assert {key: facts[key] for key in expected} == expected
    assert not {"thp_defrag", "nohz_full_cpus", "container", "cpu_quota", "git_commit"} & set(facts)


def test_a_quiet_machine_gets_no_advice(tmp_path: Path) -> None:
    """Every rule holds its tongue where nothing is wrong."""
    assert environment.warnings(facts_of(tmp_path, QUIET)) == []


def test_nothing_is_concluded_from_missing_files(tmp_path: Path) -> None:
    """An empty file system gives the facts of the process only, and no advice."""
    facts = facts_of(tmp_path)
    assert not set(environment.READERS) & set(facts) - {"cpu_count"}
    assert environment.warnings(facts) == []


def test_garbage_in_files_is_left_out(tmp_path: Path) -> None:
    """Files that hold something else than documented cost their own fact only."""
    noise = dict.fromkeys(QUIET, "\xff: [] x,y-z\n") | {"proc/self/cgroup": "nonsense", CLOCK: "tsc"}
    facts = facts_of(tmp_path, noise)
    assert facts["clocksource"] == "tsc"
    assert not {"cpu_quota", "smt_active", "memory", "load_avg_1min", "thp_enabled"} & set(facts)


@pytest.mark.parametrize("name", DISTURBED)
def test_each_disturbance_gets_its_advice_and_no_other(name: str, tmp_path: Path) -> None:
    """One change to the quiet machine brings exactly one advice, which names what was found."""
    files, words = DISTURBED[name]
    (advice,) = environment.warnings(facts_of(tmp_path, QUIET, files))
    assert words in advice.what
    assert advice.why and advice.remedy


def test_a_single_usable_cpu_is_reported() -> None:
    """A process bound to one CPU is told so, with its number."""
    (advice,) = environment.warnings({"cpu_affinity": "3"})
    assert "(3)" in advice.what


def test_every_rule_is_tried_by_a_disturbance() -> None:
    """A new rule needs a machine in DISTURBED (or the test of a single CPU) that trips it."""
    assert len(environment.RULES) == len(DISTURBED) - 2 + 1  # turbo and quota have two sources each


def test_an_arm_machine_is_named_by_implementer_and_part(tmp_path: Path) -> None:
    """On arm64 /proc/cpuinfo has codes instead of a name."""
    cpuinfo = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nCPU implementer\t: 0x41\n"
    facts = facts_of(tmp_path, {"proc/cpuinfo": cpuinfo})
    assert facts["cpu_model_name"] == "implementer 0x41 part 0xd0c"
    assert "virtual_machine" not in facts


@pytest.mark.parametrize(
    ("mark", "name"),
    [(".dockerenv", "docker"), ("run/.containerenv", "podman"), ("run/systemd/container", "lxc")],
)
def test_containers_are_recognised_by_their_marks(mark: str, name: str, tmp_path: Path) -> None:
    """Each container manager leaves a file of its own."""
    text = name if mark.startswith("run/systemd") else ""
    assert facts_of(tmp_path, {mark: text})["container"] == name


def test_this_machine_is_scalars_that_pyperf_accepts() -> None:
    """The real facts pass pyperf's own check of metadata, which refuses newlines and wrong types."""
    check = (
        "import json, sys, pyperf;"
        "run = pyperf.Run([1.0], metadata=json.load(sys.stdin), collect_metadata=False);"
        "print(len(run.get_metadata()))"
    )
    facts = environment.collect()
    done = subprocess.run(
        [sys.executable, "-c", check], input=json.dumps(facts), capture_output=True, text=True, check=True
    )
    assert int(done.stdout) >= len(facts)


def test_collecting_imports_none_of_the_packages_it_names() -> None:
    """Versions come from installed metadata."""
    code = (
        "import sys; from bench.measure import environment as e; facts = e.collect();"
        "assert not set(e.PACKAGES) & set(sys.modules); print(facts['numba_version'])"
    )
    tree = str(environment.TREE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tree)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def git(tree: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(tree), *identity, *words], check=True, capture_output=True)


def test_the_commit_is_dirty_when_sources_differ_but_not_for_results(tmp_path: Path) -> None:
    """A result written into the tree leaves it clean; a new kernel file does not."""
    git(tmp_path, "init", "-q")
    machine(tmp_path, {"kernels/abi.py": "", "results/README.md": ""})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "results" / "new.json").write_text("{}")
    clean = environment.collect(tmp_path, tree=tmp_path)
    (tmp_path / "kernels" / "new.py").write_text("")
    dirty = environment.collect(tmp_path, tree=tmp_path)
    assert len(str(clean["git_commit"])) == 40
    assert (clean["git_dirty"], dirty["git_dirty"]) == (0, 1)


def test_env_shows_facts_and_advice(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """What `rmapbench env` prints for a machine with everything wrong."""
    worst = {path: text for files, _ in DISTURBED.values() for path, text in files.items() if text}
    facts = facts_of(tmp_path, QUIET, worst, {"proc/stat": "cpu 1 0 1 7 0 0 0 1 0 0\n"})
    steady = {key: facts[key] for key in environment.READERS if key in facts} | {"cpu_affinity": "3"}
    golden("env.txt", environment.render(steady, environment.warnings(steady)))


def test_env_says_so_when_nothing_is_wrong(tmp_path: Path) -> None:
    """No advice is a sentence, not an empty list."""
    text = environment.render({"hostname": "quiet"}, [])
    assert text.endswith("Nothing was found that makes figures unreliable here.\n")


def test_env_fits_a_terminal_and_is_ascii() -> None:
    """Every advice, and facts of any length and alphabet, stay within 72 ASCII columns."""
    facts: Facts = {"cpu_model_name": "Proc\u2122 " * 40, "kernel_version": "x" * 200}
    text = environment.render(facts, [advice for _, advice in environment.RULES])
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 72


def test_advice_is_data() -> None:
    """Two equal findings are equal; nobody changes one afterwards."""
    assert Advice("a", "b", "c") == Advice("a", "b", "c")
    with pytest.raises(AttributeError):
        Advice("a", "b", "c").what = "d"  # type: ignore[misc]
