"""The vm lane's plan: which kernels, which cases, which command."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.lanes.kernel_arms import larger
from bench.lanes.vm import image, lane, qemu
from bench.measure.plan import Settings
from tests.conftest import Cli
from tests.vm import bzimage


def guests(*kernels: str, accel: str = "", roots: Sequence[str] = ()) -> lane.Guests:
    """What the arguments of a command line ask for."""
    words = {"kernel": list(kernels), "accel": accel, "variant": [], "guest_root": list(roots)}
    return lane.extra(argparse.Namespace(**words))


def test_a_kernel_is_named_by_its_release_or_as_told(tmp_path: Path) -> None:
    """Without NAME= the key is what the image says of itself."""
    path = bzimage(tmp_path / "bzImage")
    assert list(guests(str(path), f"mine={path}").images) == ["6.12.1-test", "mine"]


def test_kernels_are_listed_for_programs_too(cli: Cli) -> None:
    """With the words that a line about a kernel has; of cases without the remark below them."""
    bzimage(cli.cwd / "bzImage")
    words = ("list", "--lane", "vm", "--kernel", "mine=bzImage", "--json")
    (told,) = json.loads(cli(*words, "--variants").out)
    assert told == {
        "name": "mine",
        "machine": "x86_64",
        "release": "6.12.1-test",
        "file": str(cli.cwd / "bzImage"),
    }
    assert {case["kernel"] for case in json.loads(cli(*words, "fork").out)} == {"mine"}


def test_without_a_filter_three_operations_are_measured(tmp_path: Path) -> None:
    """Of anonymous memory; the lane's own name selects everything."""
    listed = lane.cases(guests(str(bzimage(tmp_path / "bzImage"))))
    chosen = lane.UNASKED.select(listed)
    assert {(case.op, case.meaning("kind")) for case in chosen} == {
        ("fork", "anon"), ("unmap_after_fork", "anon"), ("munmap", "anon"),
    }  # fmt: skip
    assert Filters.parse(["vm"]).select(listed) == listed


def test_a_path_with_blanks_quotes_and_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    """What exists as it stands is not taken apart."""
    path = bzimage(tmp_path / "a='b c\".img")
    found = guests(str(path), f"n={path}")
    assert [image.path for image in found.images.values()] == [path, path]


def test_a_directory_stands_for_its_newest_kernel(tmp_path: Path) -> None:
    """6.12 is newer than 6.9."""
    for release in ("6.9.3", "6.12.1", "6.1.0"):
        bzimage(tmp_path / f"vmlinuz-{release}", release)
    assert list(guests(str(tmp_path)).images) == ["6.12.1"]


def test_equal_names_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """A base and a patched build of one release must be told apart."""
    path = bzimage(tmp_path / "bzImage")
    with pytest.raises(UsageError, match=r"there is a kernel 6\.12\.1-test already.*NAME=PATH"):
        guests(str(path), str(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "no such file"),
        (b"", "it has 0 bytes"),
        (b"#!/bin/sh\n" * 1000, "not a kernel image that QEMU boots"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xf3\0" + bytes(5000), "a kernel for ELF machine 243"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0" + bytes(5000), "does not say its release"),
    ],
)
def test_what_cannot_be_a_kernel_is_refused_by_name(data: bytes | None, said: str, tmp_path: Path) -> None:
    """Before anything is booted, in one sentence with the path."""
    path = tmp_path / "image"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=said) as error:
        image.parse(str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("data", [b"kernel", b"#!/bin/sh\n" * 1000, b""])
def test_what_is_no_kernel_is_refused_with_what_is_one(data: bytes, tmp_path: Path) -> None:
    """However small it is: every kind that is taken, and where a build leaves it."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UsageError) as error:
        image.parse(f"n={tmp_path / 'x'}")
    for said in ("arch/x86/boot/bzImage", "vmlinux", "PVH", "arch/arm64/boot/Image"):
        assert said in str(error.value)


@pytest.mark.parametrize("text", ["x=", "=", ""])
def test_no_path_is_not_the_current_directory(text: str, cli: Cli, tmp_path: Path) -> None:
    """A variable of a script that is empty must not boot some other kernel."""
    bzimage(tmp_path / "bzImage")
    done = cli("list", "--lane", "vm", "--kernel", text, cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1) and "names no image; give [NAME=]IMAGE" in done.err


def test_an_uncompressed_kernel_says_its_release_in_its_banner(tmp_path: Path) -> None:
    """As vmlinux has it."""
    path = tmp_path / "vmlinux"
    elf = b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0" + bytes(5000)
    path.write_bytes(elf + b"Linux version 6.15.0-rc1+ (me@here) #1")
    assert image.parse(str(path)).name == "6.15.0-rc1+"


def test_names_and_accelerators_are_checked(tmp_path: Path) -> None:
    """A name must fit into a case's name."""
    path = bzimage(tmp_path / "bzImage")
    with pytest.raises(UsageError, match="'a/b' is no name"):
        guests(f"a/b={path}")
    with pytest.raises(UsageError, match="unknown accelerator 'xen'; valid: tcg, kvm"):
        guests(str(path), accel="xen")
    with pytest.raises(UsageError, match="--kernel IMAGE"):
        guests()


def test_kernels_from_before_mthp_have_two_sizes(tmp_path: Path) -> None:
    """Order 0 and 9; from 6.8 anonymous memory has all from 2 on."""
    old, new = bzimage(tmp_path / "old", "6.1.0"), bzimage(tmp_path / "new", "6.12.0")
    found = [
        case for case in lane.cases(guests(str(old), str(new))) if case.op == "fork" and not case.get("kind")
    ]
    orders = {
        name: sorted({c.order for c in found if c.get("kernel") == name}) for name in ("6.1.0", "6.12.0")
    }
    assert orders == {"6.1.0": [0, 9], "6.12.0": [0, 2, 3, 4, 5, 6, 7, 8, 9]}


def test_arms_of_all_kernels_stand_in_one_block_with_controls(tmp_path: Path) -> None:
    """They are compared, so they are paired by boot."""
    given = guests(*(f"{name}={bzimage(tmp_path / name)}" for name in ("a", "b")))
    chosen = Filters.parse(["fork", "kind=anon", "order=4"]).select(lane.cases(given))
    (block,) = lane.plan(chosen, given).blocks
    keys = [(c.get("kernel"), c.get("path"), c.get("control")) for c in map(Case.parse, block.cases)]
    paths = [(name, path, "") for name in ("a", "b") for path in ("pte", "ptes", "default")]
    assert keys == [*paths, ("b", "ptes", "twin"), ("b", "ptes", "positive")]


def test_memory_is_a_key_only_where_it_was_asked_for(tmp_path: Path) -> None:
    """And only as much of it as guests have room for."""
    given = guests(str(bzimage(tmp_path / "k")))
    assert not any(case.get("memory") for case in lane.cases(given))
    found = lane.cases(given, Filters.parse(["memory=64MiB"]))
    assert {case.get("memory") for case in found} == {"64MiB"}
    with pytest.raises(UsageError, match="up to 128 MiB"):
        lane.cases(given, Filters.parse(["memory=1GiB"]))


def test_the_positive_control_has_a_known_size() -> None:
    """1/32 more, in whole folios."""
    assert larger(32 << 20, 4) == 33 << 20
    assert larger(32 << 20, 9) == 34 << 20


def test_the_command_counts_instructions_and_touches_nothing_of_the_host(tmp_path: Path) -> None:
    """Fixed clock, no default devices, no network, a limit on memory; boots differ by date and seed only."""
    kernel = image.parse(str(bzimage(tmp_path / "it's a k\"ernel")))
    first, second = (qemu.command(qemu.Boot(kernel, number), Path("i.cpio")) for number in (0, 1))
    text = shlex.join(first)
    for part in (
        "-accel tcg -icount shift=0,sleep=off",
        "-nodefaults",
        "-no-reboot",
        "-m 512",
        "-serial stdio",
    ):
        assert part in text
    assert shlex.split(text) == first
    assert first[first.index("-kernel") + 1] == str(kernel.path)
    changed = [(a, b) for a, b in zip(first, second) if a != b]
    assert changed == [("base=2024-01-01T00:00:00,clock=vm", "base=2024-02-07T00:00:00,clock=vm"), ("1", "2")]


def test_kvm_has_another_command_and_other_figures(tmp_path: Path) -> None:
    """Time and instructions are never in one file."""
    given = guests(f"k={bzimage(tmp_path / 'k')}", accel="kvm")
    (boot,) = lane.dry_run(lane.plan(lane.main_cases(given), given), Settings(), tmp_path)
    command = shlex.join(boot.command)
    assert "-accel kvm" in command and "icount" not in command
