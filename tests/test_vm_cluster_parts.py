"""What a run on a cluster is made of: a fleet, what is said of unfit workers, what is refused."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import LaneUnavailable, UsageError
from tests.conftest import Cli
from tests.vm import bzimage, fake_qemu

pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install '.[cluster]'")

from bench.lanes.vm.cluster import connection, fitness, remote
from bench.lanes.vm.cluster.connection import Killed
from bench.lanes.vm.cluster.fitness import Found
from bench.lanes.vm.cluster.fleet import Fleet, qualified
from bench.lanes.vm.cluster.remote import Booted, Order

FIT = Found("host", "abc", "3.11", {"qemu-system-x86_64": "QEMU 7.2"})


class Scripted:
    """A connection whose workers answer what a test says."""

    where = "tcp://x"

    def __init__(self, *outcomes: object, workers: Sequence[str] = ("tcp://w",)) -> None:
        self.outcomes, self.there = list(outcomes), list(workers)
        self.sent: list[tuple[str, ...]] = []
        self.keys: list[tuple[str, str]] = []
        self.cancelled: list[object] = []
        self.answers: dict[str, Any] = {}

    def workers(self) -> list[str]:
        return self.there

    def everywhere(
        self, function: object, files: Mapping[str, bytes], workers: Sequence[str] = ()
    ) -> dict[str, Any]:
        self.sent.append((*workers, *files))
        return self.answers

    def submit(self, function: object, order: Order, key: str, prefer: str) -> object:
        self.keys.append((key, prefer))
        return object()

    def outcome(self, future: object) -> object:
        return self.outcomes.pop(0) if self.outcomes else None

    def cancel(self, futures: list[object]) -> None:
        self.cancelled = futures


def fleet(
    connection: Scripted, files: Mapping[str, Path | bytes] | None = None, patience: float = 9
) -> Fleet:
    """A fleet of scripted workers."""
    return Fleet(connection, files or {}, patience)  # type: ignore[arg-type]


ORDER = Order({"number": 4}, "a", "i", "x", FIT)


def test_files_are_sent_to_the_worker_that_lacks_them_and_the_boot_goes_there_again() -> None:
    """By content, once."""
    data = b"archive"
    scripted = Scripted(Booted("tcp://w", lacks=(remote.content(data),)), Booted("tcp://w", [["facts", {}]]))
    with fleet(scripted, {remote.content(data): data}) as crew:
        crew.start(ORDER)
        assert list(crew.finished()) == [] and crew.busy
        (came,) = crew.finished()
    assert came.booted.records and not crew.busy and not scripted.cancelled
    assert scripted.sent == [("tcp://w", remote.content(data))]
    assert [prefer for _, prefer in scripted.keys] == ["", "tcp://w"]
    assert len({key for key, _ in scripted.keys}) == 2


def test_what_is_on_its_way_at_the_end_is_cancelled() -> None:
    """Whatever ended it."""
    scripted = Scripted()
    with pytest.raises(KeyboardInterrupt), fleet(scripted) as crew:
        crew.start(ORDER)
        raise KeyboardInterrupt
    assert len(scripted.cancelled) == 1


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Killed(4), "4 workers were lost, one after the other"),
        (RuntimeError("No module"), "worker (No module)"),
    ],
)
def test_a_boot_that_cannot_be_made_has_a_reason(outcome: object, reason: str) -> None:
    """And costs no other boot."""
    crew = fleet(Scripted(outcome))
    crew.start(ORDER)
    (came,) = crew.finished()
    assert reason in came.reason


def test_a_worker_that_came_later_and_is_unfit_ends_the_run() -> None:
    """Its figures are not those of the others."""
    crew = fleet(
        Scripted(Booted("tcp://w", found=Found("h", "abc", "3.11", {"qemu-system-x86_64": "QEMU 9"})))
    )
    crew.start(ORDER)
    with pytest.raises(UsageError, match=r"worker tcp://w on h has another qemu.*QEMU 9 there, QEMU 7\.2"):
        list(crew.finished())


def test_a_full_disk_of_a_worker_is_named() -> None:
    """With the file and the remedy."""
    scripted = Scripted(Booted("tcp://w", lacks=(remote.content(b""),)))
    scripted.answers = {"tcp://w": OSError(errno.ENOSPC, "No space left on device", "there/file")}
    crew = fleet(scripted, {remote.content(b""): b""})
    crew.start(ORDER)
    with pytest.raises(LaneUnavailable, match="worker tcp://w: there/file cannot be written there"):
        list(crew.finished())


def test_an_image_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """What is booted is what was named at the start."""
    (tmp_path / "image").write_bytes(b"other")
    crew = fleet(Scripted(Booted("tcp://w", lacks=("0" * 64,))), {"0" * 64: tmp_path / "image"})
    crew.start(ORDER)
    with pytest.raises(UsageError, match="image: changed while kernels were booted"):
        list(crew.finished())


def test_no_worker_for_too_long_ends_the_run() -> None:
    """With the command that starts one; as many orders as workers are on their way."""
    scripted = Scripted()
    crew = fleet(scripted, patience=-1)
    assert crew.has_room()
    crew.start(ORDER)
    assert not crew.has_room()
    scripted.there.clear()
    crew._looked = 0
    with pytest.raises(LaneUnavailable, match=r"no worker for .* start some with: dask worker"):
        crew.has_room()


@pytest.mark.parametrize(
    ("found", "kind", "said"),
    [
        (
            ModuleNotFoundError("No module named 'bench'"),
            LaneUnavailable,
            "install it there with: pip install",
        ),
        (
            Found("h", "abc", "3.11", {"qemu-system-x86_64": ""}),
            LaneUnavailable,
            "worker tcp://w on h: qemu-system-x86_64 is not installed there; "
            "it comes with: apt-get install qemu-system-x86",
        ),
        (Found("h", "abd", "3.11", FIT.qemu), UsageError, "another rmapbench: abd there, abc elsewhere"),
        (Found("h", "abc", "3.12", FIT.qemu), UsageError, "another Python: 3.12 there, 3.11 elsewhere"),
    ],
)
def test_an_unfit_worker_is_named(found: object, kind: type[Exception], said: str) -> None:
    """With what differs, or what to install."""
    wrong = fitness.unfit("tcp://w", found, FIT)
    assert isinstance(wrong, kind) and said in str(wrong) and "tcp://w" in str(wrong)


def test_all_workers_must_have_the_same_qemu() -> None:
    """Its CPU model may differ from version to version, and what a kernel does with it."""
    scripted = Scripted()
    here = fitness.examined(())
    scripted.answers = {
        f"tcp://{name}": Found(name, here.program, here.python, {"q": version})
        for name, version in (("a", "QEMU 7"), ("b", "QEMU 8"))
    }
    with pytest.raises(UsageError, match="worker tcp://b on b has another q: QEMU 8 there, QEMU 7 elsewhere"):
        qualified(scripted, ["q"])  # type: ignore[arg-type]
    scripted.answers = {"tcp://a": scripted.answers["tcp://a"], "tcp://c": OSError("gone")}
    assert qualified(scripted, ["q"]).qemu == {"q": "QEMU 7"}  # type: ignore[arg-type]


def test_kept_files_make_room_for_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unused go first; one that is not what it says is not kept."""
    monkeypatch.setattr(remote, "MOST_KEPT", 25)
    here = SimpleNamespace(local_directory=str(tmp_path))
    store = tmp_path / "rmapbench-files"
    names = {}
    for age, letter in enumerate("abc"):
        data = letter.encode() * 10
        names[letter] = remote.content(data)
        remote.keep({names[letter]: data}, dask_worker=here)
        os.utime(store / names[letter], (1000 + age, 1000 + age))
    assert {path.name for path in store.iterdir()} == {names["b"], names["c"]}
    assert remote._lacking(store, names.values()) == (names["a"],)
    with pytest.raises(ValueError, match="changed"):
        remote.keep({names["a"]: b"else"}, dask_worker=here)


def test_where_no_scheduler_answers_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there, or somebody who is no scheduler."""
    monkeypatch.setattr(connection, "TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        deaf = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"--cluster {deaf}: no scheduler answers there"):
            connection.connected(deaf, 1).__enter__()
    for address in (deaf, "tcp://127.0.0.1:0", "tcp://nobody.invalid:8786", "tcp://", "tcp://a:b"):
        with pytest.raises(UsageError, match=f"--cluster {address}: no scheduler answers there"):
            connection.connected(address, 1).__enter__()


def test_refusals_come_before_anything_is_started(cli: Cli, tmp_path: Path) -> None:
    """Each one sentence."""
    image = ("--lane", "vm", "--kernel", str(bzimage(tmp_path / "k")))
    for words, said in [
        ((*image, "--cluster", "tcp://127.0.0.1:1", "--accel", "kvm"), "with --cluster only tcg"),
        ((*image, "--cluster", "somewhere"), "expected local or an address such as tcp://HOST:8786"),
        ((*image, "--cluster", "local", "--affinity", "0"), "--affinity"),
        (("--cluster", "local"), "add --lane vm"),
    ]:
        done = cli("run", *words, "fork", env=fake_qemu(tmp_path))
        assert done.code == 2 and said in done.err, done.err
    assert {path.name for path in tmp_path.iterdir()} == {"k", "programs"}


def test_without_dask_the_command_that_installs_it_is_named(cli: Cli, tmp_path: Path) -> None:
    """Everything else works."""
    image = ("--lane", "vm", "--kernel", str(bzimage(tmp_path / "k")))
    hide = "import sys; sys.modules['distributed'] = None; from bench.cli import console; console()"
    done = cli.python("-c", hide, "run", *image, "fork", "--cluster", "local", env=fake_qemu(tmp_path))
    assert done.code == 4 and "pip install '.[cluster]'" in done.err and "Traceback" not in done.err
    done = cli.python("-c", hide, "run", *image, "fork", "--dry-run", env=fake_qemu(tmp_path))
    assert done.code == 0
