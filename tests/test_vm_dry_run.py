"""`run --lane vm --dry-run`: what it prints boots when it is pasted, and what `run` refuses it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.lanes.vm.console import Console
from bench.lanes.vm.machines.x86_64 import X86_64
from tests.conftest import Cli
from tests.vm import arm64_image, bzimage, fake_qemu, guest_root

ARCHIVE = "rmapbench-initramfs-{}.cpio"


def pasted(cli: Cli, tmp_path: Path, text: str) -> Console:
    """What guests say on their consoles if a shell, somewhere else, gets the text."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = cli.environment(fake_qemu(tmp_path))
    done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, cwd=elsewhere, env=environment)
    assert (done.returncode, done.stderr, list(elsewhere.iterdir())) == (0, b"", [])
    console = Console()
    console.feed(done.stdout)
    return console


def test_the_command_that_is_printed_boots_when_it_is_pasted(cli: Cli, tmp_path: Path) -> None:
    """In any directory, whatever the kernel is called; the guest has everything it is asked for."""
    kernel, out = bzimage(tmp_path / "a 'kernel'"), tmp_path / "b 'out'"
    out.mkdir()
    words = (
        "--kernel",
        f"k={kernel}",
        "fork",
        "kind=anon",
        "order=0,4",
        "--rounds",
        "2",
        "-o",
        str(out / "x.json"),
    )
    done = cli("run", "--lane", "vm", *words, "--dry-run", cwd=tmp_path, env=fake_qemu(tmp_path))
    archive = out / ARCHIVE.format("k")
    assert (done.code, done.err) == (0, f"wrote {archive}\n")
    assert archive.read_bytes().startswith(b"070701") and list(out.iterdir()) == [archive]
    console = pasted(cli, tmp_path, done.out)
    assert console.ended and console.records[0] == {"guest": {"kernel": kernel.name}, "clock": 570}
    answers = [record["answer"] for record in console.records if "answer" in record]
    assert all(list(answer["values"]) == ["fork"] for answer in answers)
    assert len(answers) == 2 * 2 * (3 + 2)  # rounds, orders, paths and controls


def test_there_is_a_command_and_an_archive_for_each_kernel(cli: Cli, tmp_path: Path) -> None:
    """In the current directory unless -o says where."""
    kernels = [word for name in ("old", "new") for word in ("--kernel", f"{name}={bzimage(tmp_path / name)}")]
    words = ("run", "--lane", "vm", *kernels, "fork", "kind=anon", "order=0", "--dry-run")
    done = cli(*words, cwd=tmp_path, env=fake_qemu(tmp_path))
    assert len(done.out.splitlines()) == 2 and done.code == 0, done
    assert {path.name for path in tmp_path.glob("rmap*")} == {ARCHIVE.format(name) for name in ("old", "new")}
    again = cli(*words, cwd=tmp_path, env=fake_qemu(tmp_path))
    assert (again.code, again.out) == (2, "") and "--force" in again.err
    forced = cli(*words, "--force", cwd=tmp_path, env=fake_qemu(tmp_path))
    assert (forced.code, forced.out) == (0, done.out)
    assert sum("end" in record for record in pasted(cli, tmp_path, done.out).records) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("forkk",), 2),
        (("fork", "order=12"), 2),
        (("fork", "memory=2GiB"), 2),
        (("fork", "--affinity", "4096"), 2),
        (("fork", "--accel", "xen"), 2),
        (("fork", "--kernel", "x="), 2),
        (("fork", "-o", "kernel"), 2),
        (("fork", "-o", "nowhere/x.json"), 2),
        (("fork", "--kernel", "arm=Image"), 4),
        (("fork", "--kernel", "arm=Image", "--guest-root", "root"), 4),
        (("fork", "--guest-root", "kernel"), 4),
    ],
)
def test_what_run_refuses_a_dry_run_refuses_too(
    words: tuple[str, ...], code: int, cli: Cli, tmp_path: Path
) -> None:
    """Word for word, with the same exit code, and nothing is written."""
    bzimage(tmp_path / "kernel")
    arm64_image(tmp_path / "Image")
    guest_root(tmp_path / "root", X86_64)
    environment = fake_qemu(tmp_path)
    before = set(tmp_path.rglob("*"))
    command = ("run", "--lane", "vm", "--kernel", "k=kernel", *words)
    refused = [cli(*command, *more, cwd=tmp_path, env=environment) for more in ((), ("--dry-run",))]
    assert refused[0] == refused[1] and (refused[1].code, refused[1].out) == (code, ""), refused
    assert set(tmp_path.rglob("*")) == before


def test_without_qemu_there_is_nothing_to_print(cli: Cli, tmp_path: Path) -> None:
    """As with `run`: the package is named."""
    bzimage(tmp_path / "kernel")
    words = ("run", "--lane", "vm", "--kernel", "k=kernel", "fork", "--dry-run")
    done = cli(*words, cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert done.code == 4 and "apt-get install qemu-system-x86" in done.err


def test_lanes_that_boot_nothing_have_nothing_to_show(cli: Cli, tmp_path: Path) -> None:
    """And a run that was begun is not planned again."""
    for words, said in [((), "the model lane runs no other program"), (("--lane", "live"), "the live lane"),
                        (("--lane", "vm", "--resume", "x"), "leave out --resume")]:  # fmt: skip
        done = cli("run", *words, "--dry-run", cwd=tmp_path)
        assert (done.code, done.out) == (2, "") and said in done.err, done
