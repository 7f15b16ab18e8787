"""Runs of the vm lane on a cluster: a real scheduler and workers on loopback, a QEMU that boots nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import results
from bench.case import Case
from tests import cluster
from tests.cluster import until
from tests.conftest import ROOT, Cli, Outcome
from tests.test_vm_run import alive
from tests.vm import bzimage, fake_qemu

pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install '.[cluster]'")

NEW, OLD = (Case.parse(f"vm/fork/kernel={name}/path=ptes/order=0") for name in ("new", "old"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler for all tests, which bring their own workers."""
    with cluster.scheduler(tmp_path_factory.mktemp("scheduler")) as (found, _):
        yield found


@dataclass
class World:
    """A directory with two kernels, and the programs that run in it."""

    cli: Cli
    directory: Path
    address: str
    stack: ExitStack

    def worker(self, does: str = "", **env: str) -> subprocess.Popen[bytes]:
        """A worker more; what its QEMU does."""
        ours = {
            **fake_qemu(self.directory, does),
            "FAKE_GO": str(self.directory / "go"),
            "FAKE_LOG": str(self.directory / "log"),
        }
        name = str(len(list(self.directory.glob("scratch-*"))))
        return self.stack.enter_context(cluster.worker(self.address, self.directory, {**ours, **env}, name))

    def words(self, *more: str) -> list[str]:
        """The arguments of a run of two boots of both kernels."""
        kernels = [
            word for name in ("old", "new") for word in ("--kernel", f"{name}={self.directory / name}")
        ]
        return [
            "run", "--lane", "vm", *kernels, "fork", "kind=anon", "order=0", "path=ptes", "--processes", "2",
            "--rounds", "1", "--quiet", "--cluster", self.address, "-o", "vm.json", *more,
        ]  # fmt: skip

    @property
    def env(self) -> dict[str, str]:
        """Where the program is started there need not be a QEMU."""
        return {"PATH": str(self.directory / "nothing")}

    def run(self, *more: str) -> Outcome:
        """The outcome of a run."""
        return self.cli(*self.words(*more), env=self.env, cwd=self.directory)

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """A run that goes on beside the test."""
        command = [sys.executable, "-m", "bench", *self.words(*more)]
        environment = self.cli.environment(self.env)
        with (self.directory / "said").open("wb") as said:
            return subprocess.Popen(
                command, env=environment, cwd=self.directory, stdout=said, stderr=said, start_new_session=True
            )

    def guests(self) -> int:
        """QEMUs that run."""
        return len(alive(str(self.directory / "programs" / "qemu")))

    def booted(self) -> Counter[str]:
        """How often each kernel was booted, whatever came of it."""
        log = self.directory / "log"
        return Counter(log.read_text().split() if log.exists() else [])

    def journalled(self) -> list[tuple[int, str]]:
        """Number and kernel of the boots in the journal, twice if they are there twice."""
        return [(number, kernel) for number, kernel, _ in cluster.boots(self.directory / "vm.json.journal")]


@pytest.fixture
def world(cli: Cli, tmp_path: Path, address: str) -> Iterator[World]:
    """Two kernels, and no worker yet."""
    for name in ("old", "new"):
        bzimage(tmp_path / name, f"6.12-{name}")
    with ExitStack() as stack:
        yield World(cli, tmp_path, address, stack)
    until(lambda: not cluster.workers_of(address), "a worker stayed")


def test_the_boots_of_a_killed_worker_are_made_again_elsewhere(world: World) -> None:
    """Every boot is journalled once, all by the worker that is left; figures are as ever."""
    first, second = world.worker("all:waits"), world.worker("all:waits")
    run = world.start()
    until(lambda: world.guests() == world.booted().total() == 2, "two workers have two guests")
    first.kill()
    until(lambda: world.guests() == 1, "a guest goes with its worker")
    (world.directory / "go").touch()
    assert run.wait(cluster.PATIENCE) == 0, (world.directory / "said").read_text()
    assert second.poll() is None
    journal = cluster.boots(world.directory / "vm.json.journal")
    numbers = {number for number, _, _ in journal}
    assert sorted(world.journalled()) == [(n, k) for n in sorted(numbers) for k in ("new", "old")]
    assert len(numbers) == 2 and len({worker for _, _, worker in journal}) == 1
    assert world.booted().total() == 5  # one was lost
    found = results.load(world.directory / "vm.json")
    assert found.failed == {} and found.metadata["cluster_workers"] == 1
    assert [list(run.values) for run in found.runs[NEW]] == [[pytest.approx(99e-9)]] * 2
    assert [list(run.values) for run in found.runs[OLD]] == [[pytest.approx(90e-9)]] * 2


def test_an_interrupted_run_goes_on_where_it_was(world: World) -> None:
    """Guests of workers that live on are ended; what was done is not done again; the place is remembered."""
    workers = [world.worker("new:waits"), world.worker("new:waits")]
    run = world.start()
    until(lambda: world.booted() == {"old": 2, "new": 2} and len(world.journalled()) == 2, "old is done")
    run.send_signal(signal.SIGTERM)
    assert run.wait(cluster.PATIENCE) == 130
    said = (world.directory / "said").read_text()
    assert "go on with: rmapbench run --resume" in said and "Traceback" not in said
    until(lambda: world.guests() == 0, "no guest for nobody")
    assert [worker.poll() for worker in workers] == [None, None]
    (world.directory / "go").touch()
    done = world.cli("run", "--resume", "vm.json.journal", "--quiet", env=world.env, cwd=world.directory)
    assert done.code == 0, done.err
    assert world.booted() == {"old": 2, "new": 4}
    assert Counter(kernel for _, kernel in world.journalled()) == {"old": 2, "new": 2}
    assert [len(runs) for runs in results.load(world.directory / "vm.json").runs.values()] == [2] * 4


def test_no_guest_outlives_a_killed_run(world: World) -> None:
    """The workers notice by themselves, and are free for others."""
    worker = world.worker("all:waits")
    run = world.start()
    until(lambda: world.guests() == 1, "a guest")
    run.kill()
    run.wait()
    until(lambda: world.guests() == 0, "the guest is ended")
    assert worker.poll() is None
    (world.directory / "go").touch()
    assert world.run("--force").code == 0


def test_a_kernel_that_fails_names_the_worker_and_leaves_its_console(world: World) -> None:
    """It is not booted again; the other kernel's figures are there. Files were sent once to each worker."""
    world.worker("new:panics")
    done = world.run()
    assert done.code == 0, done.err
    found = results.load(world.directory / "vm.json")
    reason = found.failed[NEW.name]
    assert "kernel panic" in reason and "(worker tcp://127.0.0.1:" in reason
    assert OLD in found.runs and world.booted()["new"] == 1
    (log,) = (world.directory / "vm.json.journal").glob("*.new.console")
    assert "Kernel panic" in log.read_text()
    kept = [path for path in world.directory.glob("scratch-0/**/rmapbench-files/*") if path.is_file()]
    assert len(kept) == 3


def test_a_worker_without_qemu_is_named_with_the_command_to_install_it(world: World) -> None:
    """Nothing is written, so that the same command works when it is there."""
    world.worker()
    world.worker(PATH=str(world.directory / "nothing"))
    done = world.run()
    assert done.code == 4, done.err
    assert "worker tcp://127.0.0.1:" in done.err and "apt-get install qemu-system-x86" in done.err
    assert not (world.directory / "vm.json.journal").exists()


def test_a_worker_with_other_sources_is_named(world: World) -> None:
    """Figures of two programs are not mixed, even if one comes late."""
    other = world.directory / "other"
    shutil.copytree(ROOT / "bench", other / "bench")
    (other / "bench" / "case.py").write_text((ROOT / "bench" / "case.py").read_text() + "\n")
    world.worker("all:waits")
    run = world.start()
    until(lambda: world.guests() == 1, "a guest")
    world.worker(PYTHONPATH=str(other))
    assert run.wait(cluster.PATIENCE) == 2
    said = (world.directory / "said").read_text()
    assert "has another rmapbench" in said and "worker tcp://127.0.0.1:" in said
    done = world.run("--force")
    assert done.code == 2 and "has another rmapbench" in done.err


def test_a_scheduler_that_dies_ends_the_run_and_its_guests(cli: Cli, tmp_path: Path) -> None:
    """With one sentence; what was measured stays."""
    for name in ("old", "new"):
        bzimage(tmp_path / name, f"6.12-{name}")
    with ExitStack() as stack:
        (tmp_path / "s").mkdir()
        address, scheduler = stack.enter_context(cluster.scheduler(tmp_path / "s"))
        world = World(cli, tmp_path, address, stack)
        world.worker("new:waits")
        run = world.start()
        until(lambda: len(world.journalled()) == 1 and world.guests() == 1, "the old kernel is done")
        scheduler.kill()
        assert run.wait(cluster.PATIENCE) == 4
        said = (tmp_path / "said").read_text()
        assert "the scheduler is gone" in said and "run --resume" in said and "Traceback" not in said
        until(lambda: world.guests() == 0, "no guest for nobody")


def test_a_cluster_of_this_machine_is_made_and_goes(cli: Cli, tmp_path: Path) -> None:
    """Two workers at most are needed for two boots; no process and no directory of theirs stays."""
    path = bzimage(tmp_path / "k", "6.12-k")
    (tmp_path / "tmp").mkdir()
    env = {**fake_qemu(tmp_path), "TMPDIR": str(tmp_path / "tmp"), "FAKE_LOG": str(tmp_path / "log")}
    done = cli(
        "run", "--lane", "vm", "--kernel", f"k={path}", "fork", "kind=anon", "order=0", "--processes", "2",
        "--rounds", "1", "--quiet", "--cluster", "local", "-o", "vm.json", env=env, cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [line[:12] for line in done.err.splitlines()] == ["no verdicts:"]
    assert (tmp_path / "log").read_text().split() == ["k", "k"]
    until(lambda: not cluster.started(f"FAKE_LOG={tmp_path}"), "processes stayed")
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_guest_of_a_cluster_of_this_machine_outlives_it(
    cli: Cli, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """As a terminal interrupts, all its processes at once; or when the program is killed outright."""
    path = bzimage(tmp_path / "k", "6.12-k")
    mark, go = f"FAKE_LOG={tmp_path}", str(tmp_path / "go")
    env = {**fake_qemu(tmp_path, "k:waits"), "FAKE_LOG": f"{tmp_path}/log", "FAKE_GO": go}
    words = ["run", "--lane", "vm", "--kernel", f"k={path}", "fork", "--quiet", "--cluster", "local"]
    with (tmp_path / "said").open("wb") as said:
        run = subprocess.Popen(
            [sys.executable, "-m", "bench", *words],
            env=cli.environment(env), cwd=tmp_path, stderr=said, start_new_session=True,
        )  # fmt: skip
    until(lambda: bool(alive(str(tmp_path / "programs" / "qemu"))), "a guest")
    (os.kill if number == signal.SIGKILL else os.killpg)(run.pid, number)
    assert run.wait(cluster.PATIENCE) == code
    assert "Traceback" not in (tmp_path / "said").read_text()
    until(lambda: not cluster.started(mark), "processes stayed")
