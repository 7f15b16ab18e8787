"""What this machine lets the live lane do: folio sizes, bits, memory; what is missing, and what gives it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.lanes.live.catalogue import MIB, PMD_ORDER, Family, Operation
from bench.measure.affinity import parse_cpu_list
from bench.measure.facts import available_memory, find, read

ROOT = Path("/")
THP = "sys/kernel/mm/transparent_hugepage"
HUGETLB = "sys/kernel/mm/hugepages/hugepages-2048kB"
KSM = "sys/kernel/mm/ksm"
KSM_FILES = ("sleep_millisecs", "pages_to_scan", "run")
MOST = 1 << 30  # bytes, unless asked for more: absolute figures agree with C there
LEAST = 64 * MIB
FILES = "RMAPBENCH_FILE_DIR"  # the variable that names a directory for kind=file
ENABLED = {"anon": ("always", "madvise", "inherit"), "shmem": ("always", "advise", "within_size", "inherit")}
BUSY = 0.25  # of the memory available is taken unless asked for more
# By what factor, and by how much more, memory must fit: what was accepted before the run fits during it too,
# if other programs take a little meanwhile, and with the positive control's 1/32.
BEFORE, DURING = (1.1, 64 * MIB), (1.05, 32 * MIB)


@dataclass(frozen=True)
class Machine:
    """The machine below `root`; `write_protection` says why userfaultfd cannot be used (empty: it can)."""

    root: Path = ROOT
    write_protection: str = ""
    shmem_write_protection: str = ""
    file_write_protection: str = ""
    no_continue: str = ""  # why UFFDIO_CONTINUE does not map; empty if it does
    directory: str = ""  # of files with large folios
    no_files: str = "no directory was tried"  # empty if there is one
    no_proof: Mapping[str, str] = field(default_factory=dict)  # by kind, why its folios cannot be known

    # Folio sizes

    def controls(self, kind: str) -> dict[int, Path]:
        """By folio order the file that allows it; before 6.8 the one file there is, for order 9."""
        name = "shmem_enabled" if kind == "shmem" else "enabled"
        found = {}
        for path in (self.root / THP).glob(f"hugepages-*kB/{name}"):
            kib = find(r"hugepages-(\d+)kB", str(path.parent.name))
            found[(int(kib) // 4).bit_length() - 1] = path
        single = self.root / THP / name
        if not found and single.exists():
            found = {PMD_ORDER: single}
        return dict(sorted(found.items()))

    def may_choose(self, kind: str) -> bool:
        """May this process write the controls?"""
        return all(os.access(path, os.W_OK) for path in self.controls(kind).values())

    def orders(self, kind: str) -> list[int]:
        """Orders that can be had: all if the controls can be written, else 0 and the largest enabled one."""
        if kind == "hugetlb":
            return [PMD_ORDER]
        if kind == "file":
            return list(range(PMD_ORDER + 1))
        controls = self.controls(kind)
        if self.may_choose(kind):
            return [0, *controls]
        return [0, *[order for order in controls if self._enabled(kind, order)][-1:]]

    def _enabled(self, kind: str, order: int) -> bool:
        path = self.controls(kind)[order]
        chosen = find(r"\[(\w+)\]", path.read_text())
        if chosen == "inherit":
            chosen = find(r"\[(\w+)\]", read(self.root / THP, path.name))
        return chosen in ENABLED[kind]

    # What cannot be measured

    def lacks(self, family: Family, operation: Operation, path: str) -> str:
        """Why this operation cannot be measured on this path; empty if it can."""
        if family.kind == "file" and self.no_files:
            return self.no_files
        if unknown := self.no_proof.get(family.kind):
            return unknown
        if path in ("pte", "ptes"):
            special = {"shmem": self.shmem_write_protection, "file": self.file_write_protection}
            return special.get(family.kind, self.write_protection)
        if family.kind == "hugetlb" and (lacking := self._lacks_hugetlb()):
            return lacking
        check = {"migrate": self._lacks_nodes, "pageout": self._lacks_swap, "ksm": self._lacks_ksm,
                 "lazyfree": self._has_swap, "split_pmd": lambda: self.write_protection,
                 "uffd_continue": lambda: self.no_continue}  # fmt: skip
        return check.get(operation.name, lambda: "")()

    def may_reserve(self) -> bool:
        """May this process change the pool of hugetlb pages?"""
        return os.access(self.root / HUGETLB / "nr_hugepages", os.W_OK)

    def _lacks_hugetlb(self) -> str:
        path = self.root / HUGETLB / "nr_hugepages"
        if not path.exists():
            return "this kernel has no 2 MiB hugetlb pages"
        if self.may_reserve() or read(self.root, f"{HUGETLB}/free_hugepages") not in ("", "0"):
            return ""
        return f"root must reserve hugetlb pages: sudo sh -c 'echo 512 > /{HUGETLB}/nr_hugepages'"

    def _lacks_nodes(self) -> str:
        nodes = parse_cpu_list(read(self.root, "sys/devices/system/node/has_memory"))
        return "" if len(nodes) > 1 else "this machine has one memory node"

    def _swaps(self) -> bool:
        return len(read(self.root, "proc/swaps").splitlines()) > 1

    def _lacks_swap(self) -> str:
        return "" if self._swaps() else "there is no swap: sudo swapon FILE; lazyfree is measured instead"

    def _has_swap(self) -> str:
        return "there is swap: pageout is measured instead" if self._swaps() else ""

    def _lacks_ksm(self) -> str:
        paths = [self.root / KSM / name for name in KSM_FILES]
        if not all(path.exists() for path in paths):
            return "this kernel does not merge pages (CONFIG_KSM)"
        return "" if all(os.access(path, os.W_OK) for path in paths) else "root must start ksmd"

    def remedies(self) -> list[str]:
        """What is missing for all kinds, and the command of an administrator that gives it."""
        found = []
        for kind in ("anon", "shmem"):
            controls = self.controls(kind)
            if not controls:
                found.append(f"this kernel has no large folios for {kind} memory, or /sys is not mounted")
            elif not self.may_choose(kind):
                got = ",".join(map(str, self.orders(kind)))
                found.append(f"{kind} folio sizes other than order={got}: sudo $(which rmapbench) ...")
        if self.write_protection:
            found.append(
                f"path=pte and path=ptes: {self.write_protection}; they take Linux 5.11 or later with "
                "CONFIG_HAVE_ARCH_USERFAULTFD_WP; in a container, a seccomp profile that allows it"
            )
        elif self.file_write_protection and not self.no_files:
            found.append(f"path=pte and path=ptes of files: {self.file_write_protection}; Linux 6.7 or later")
        return found

    # Memory

    def available(self) -> int:
        """Bytes that can be used without reclaim; 0 where that is not known."""
        return available_memory(self.root) or 0

    def default_memory(self) -> int:
        """1 GiB, or a power of two of at most a quarter of what is available."""
        share = int(BUSY * self.available())
        return max(LEAST, min(MOST, 1 << max(0, share.bit_length() - 1)))

    def _read_ahead(self) -> Path:
        """What chooses the order of a file's folios (see the workload's `files`)."""
        device = Path(self.directory).stat().st_dev
        return self.root / "sys/class/bdi" / f"{os.major(device)}:{os.minor(device)}" / "read_ahead_kb"

    def settings(self) -> list[Path]:
        """Every control file that measuring may write."""
        controls = [path for kind in ("anon", "shmem") for path in self.controls(kind).values()]
        others = [self.root / HUGETLB / "nr_hugepages", *(self.root / KSM / name for name in KSM_FILES)]
        others += [self._read_ahead()] if self.directory else []
        return [path for path in (*controls, *others) if os.access(path, os.W_OK)]


def directories() -> list[str]:
    """Where kind=file may make its file: where the user says, else here or where such files usually are."""
    if FILES in os.environ:
        return [str(Path(os.environ[FILES]).absolute())]
    with contextlib.suppress(FileNotFoundError):  # the current directory may be gone
        return list(dict.fromkeys([str(Path.cwd()), "/var/tmp", tempfile.gettempdir()]))
    return ["/var/tmp", tempfile.gettempdir()]


def fits(available: int, size: int, copies: int, margin: tuple[float, int] = BEFORE) -> str:
    """Why so much memory, so many times, is too much of what is available; empty if it fits with a margin."""
    factor, more = margin
    needed = int(size * copies * factor) + more
    if needed <= available:
        return ""
    factor, more = BEFORE
    most = max(0, int((available - more) / (factor * copies)) // (4 * MIB) * 4)
    said = f"needs {needed // MIB} MiB, {available // MIB} MiB are available"
    return f"{said}; memory={most}MiB would fit" if most else said
