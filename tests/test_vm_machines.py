"""The architectures of guests: their commands, their images, their numbers, and figures kept apart."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from bench.errors import UsageError
from bench.lanes.live.workload import system
from bench.lanes.vm import image, qemu
from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.operations import not_gated
from tests import vm
from tests.conftest import Cli

ZBOOT = {"gzip": "gzip -dc", "zstd22": "zstd -dc", "xzkern": "xz -dc"}


@pytest.mark.parametrize(
    ("machine", "accelerator"), [*((name, "tcg") for name in MACHINES), ("x86_64", "kvm")]
)
def test_a_machine_has_its_own_command(
    machine: str, accelerator: str, golden: Callable[[str, str], None]
) -> None:
    """A word a line, for a kernel that is called k."""
    boot = qemu.Boot(image.Image("k", Path("k"), machine, "6.12"), 0, accelerator)
    golden(f"vm/{machine}-{accelerator}.txt", "\n".join(qemu.command(boot, Path("initramfs.cpio"))) + "\n")


@pytest.mark.parametrize("packed", [False, True])
def test_an_arm64_image_is_known_packed_or_not(packed: bool, tmp_path: Path) -> None:
    """QEMU unpacks one that was packed by gzip."""
    found = image.parse(str(vm.arm64_image(tmp_path / "Image", "6.12.1-arm", packed=packed)))
    assert (found.name, found.machine) == ("6.12.1-arm", "aarch64")
    assert image.parse(str(tmp_path)).path == found.path


def test_an_old_image_that_does_not_say_its_pages_is_taken(tmp_path: Path) -> None:
    """What they are, it says when it runs."""
    assert image.parse(str(vm.arm64_image(tmp_path / "Image", flags=0))).machine == "aarch64"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (0b1011, "a big-endian kernel with pages of 4 KiB"),
        (0b1100, "a little-endian kernel with pages of 16 KiB"),
        (0b1110, "a little-endian kernel with pages of 64 KiB"),
    ],
)
def test_kernels_with_other_pages_are_refused(flags: int, said: str, tmp_path: Path) -> None:
    """The lane's folio sizes are those of 4 KiB pages."""
    with pytest.raises(UsageError, match=said):
        image.parse(str(vm.arm64_image(tmp_path / "Image", flags=flags)))


@pytest.mark.parametrize("kind", ZBOOT)
def test_a_kernel_packed_for_efi_is_refused_with_the_command_that_unpacks_it(
    kind: str, tmp_path: Path
) -> None:
    """The command is run, where it takes no more than gzip."""
    inside = vm.arm64_image(tmp_path / "inside", packed=True).read_bytes()
    header = b"MZ\0\0zimg" + (0x1000).to_bytes(4, "little") + len(inside).to_bytes(4, "little") + bytes(8)
    path = tmp_path / "it's vmlinuz"
    path.write_bytes((header + kind.encode()).ljust(0x1000, b"\0") + inside + b"more")
    with pytest.raises(UsageError, match="packed for EFI; unpack it with: tail") as error:
        image.parse(str(path))
    command = str(error.value).partition("with: ")[2]
    assert ZBOOT[kind] in command
    if kind == "gzip":
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert image.parse(str(tmp_path / "Image")).name == "6.12.1-arm"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\0", r"no vmlinux of aarch64; give arch/arm64/boot/Image"),
        (b"\x1f\x8b not packed", "cannot be unpacked"),
    ],
)
def test_what_qemu_cannot_boot_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    """With what to take instead."""
    path = tmp_path / "vmlinux"
    path.write_bytes(data + bytes(5000))
    with pytest.raises(UsageError, match=said):
        image.parse(str(path))


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("generic", "asm-generic/unistd.h")],
)
def test_system_calls_have_the_numbers_of_the_headers(machine: str, header: str) -> None:
    """Of this machine's kernel headers, where they are installed."""
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"no {path} here (apt-get install linux-libc-dev)")
    numbers = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", path.read_text(), re.MULTILINE))
    assert {name: int(numbers[name]) for name in system.SYSCALLS[machine]} == system.SYSCALLS[machine]


def test_every_machine_can_make_the_calls() -> None:
    """No table lacks a call."""
    assert len({tuple(numbers) for numbers in system.SYSCALLS.values()}) == 1


def test_kernels_of_two_machines_are_measured_in_one_run_and_not_compared(cli: Cli, tmp_path: Path) -> None:
    """The other machine's cases say so; each machine's kernels are compared with its first."""
    kernels = {
        "old": vm.bzimage(tmp_path / "old"), "new": vm.bzimage(tmp_path / "new"),
        "arm": vm.arm64_image(tmp_path / "arm"),
    }  # fmt: skip
    roots = [vm.guest_root(tmp_path / name, machine) for name, machine in MACHINES.items()]
    words = [word for name, path in kernels.items() for word in ("--kernel", f"{name}={path}")]
    words += [word for root in roots for word in ("--guest-root", str(root))]
    output = tmp_path / "vm.json"
    done = cli(
        "run", "--lane", "vm", *words, "--processes", "2", "--rounds", "1", "--quiet", "fork", "kind=anon",
        "order=0,4", "path=pte,ptes", "-o", str(output), env=vm.fake_qemu(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = results.load(output)
    machines = {case.get("kernel"): case.meaning("machine") for case in found.runs}
    assert machines == {"old": "x86_64", "new": "x86_64", "arm": "aarch64"}
    bases = {case.get("kernel"): found.note(case, "base") for case in found.runs}
    assert bases == {"old": None, "new": "old", "arm": None}
    controls = {case.meaning("machine") for case in found.runs if case.get("control")}
    assert controls == {"x86_64", "aarch64"}
    shown = cli("report", str(output), "fork", "machine=aarch64").out
    assert "folded" in shown and "x86_64" not in shown


def test_what_folding_makes_uncertain_is_not_judged() -> None:
    """Page by page, of folios smaller than what is folded, on the machine that folds; order 0 is judged."""
    reasons = {order: not_gated("fork", "pte", order, "aarch64") for order in range(10)}
    assert [order for order, reason in reasons.items() if reason] == [1, 2, 3]
    assert not not_gated("fork", "pte", 2, "x86_64") and not not_gated("fork", "ptes", 2, "aarch64")


def test_figures_of_another_machine_say_so_in_their_names(cli: Cli, tmp_path: Path) -> None:
    """This machine's need not."""
    kernels = {"x86_64": vm.bzimage(tmp_path / "x"), "aarch64": vm.arm64_image(tmp_path / "a")}
    for machine, path in kernels.items():
        done = cli(
            "list", "--lane", "vm", "--kernel", f"k={path}", "fork", "order=0", "path=default", "kind=anon"
        )
        here = platform.machine() == machine
        case = Case.of("vm", "fork", kernel="k", machine=None if here else machine, path="default", order=0)
        assert done.out.splitlines()[0] == case.name
