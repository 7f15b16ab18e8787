"""Settings are put back after success, failure, signals and kills; one run at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import LaneUnavailable
from bench.lanes.live import settings
from tests.conftest import ROOT
from tests.live import NOBODY, as_nobody, nobodys_python

# A run that changes both settings again and again, until somebody ends it.
CHANGES = """
import sys, time
from pathlib import Path
from bench.lanes.live.settings import kept
place, *files = map(Path, sys.argv[1:])
with kept(files, place):
    while True:
        for value in ("madvise", "never", "always"):
            for file in files:
                file.write_text(value)
            print(value, flush=True)
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two settings, one written the kernel's way."""
    made = [tmp_path / "enabled", tmp_path / "nr_hugepages"]
    made[0].write_text("always inherit [madvise] never\n")
    made[1].write_text("7\n")
    return made


def values(files: list[Path]) -> list[str]:
    return [settings.watchdog.current(str(file)) for file in files]


BEFORE = ["madvise", "7"]


def running(place: Path, files: list[Path]) -> subprocess.Popen[str]:
    """A run that has changed something already."""
    command = [sys.executable, "-c", CHANGES, str(place), *map(str, files)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline()
    return process


def gone(place: Path, within: float = 8.0) -> None:
    """Wait until the settings that were saved are put back."""
    deadline = time.monotonic() + within
    while (place / "settings.json").exists():
        assert time.monotonic() < deadline, "nobody put the settings back"
        time.sleep(0.02)


def test_settings_come_back_after_success_and_failure(tmp_path: Path, files: list[Path]) -> None:
    """And nothing is left but the lock."""
    with settings.kept(files, tmp_path / "state"):
        files[0].write_text("never")
    assert values(files) == BEFORE
    with pytest.raises(ZeroDivisionError), settings.kept(files, tmp_path / "state"):
        files[1].write_text("512")
        raise ZeroDivisionError
    assert values(files) == BEFORE
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["lock"]


def test_what_was_not_changed_is_not_written(tmp_path: Path, files: list[Path]) -> None:
    """The kernel's own text stays."""
    with settings.kept(files, tmp_path / "state"):
        files[1].write_text("8")
    assert files[0].read_text() == "always inherit [madvise] never\n"


def test_settings_come_back_after_kills_at_random_moments(tmp_path: Path, files: list[Path]) -> None:
    """SIGKILL twenty times, at moments between the first change and a tenth of a second later."""
    rng = random.Random(5)
    runs = []
    for number in range(20):  # all at once, each with its own settings
        place = tmp_path / f"state{number}"
        own = [file.with_name(f"{file.name}{number}") for file in files]
        for file, before in zip(own, files):
            file.write_text(before.read_text())
        runs.append((place, own))
    for place, own in runs:
        process = running(place, own)
        time.sleep(rng.random() / 10)
        process.kill()
        process.communicate()
    for place, own in runs:
        gone(place)
        assert values(own) == BEFORE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_settings_come_back_after_signals(tmp_path: Path, files: list[Path], number: int) -> None:
    """Sent to the whole group, as a terminal does; the watchdog is not in it."""
    process = running(tmp_path / "state", files)
    process.send_signal(number)
    process.communicate(timeout=10)
    gone(tmp_path / "state")
    assert values(files) == BEFORE


def test_the_next_start_repairs_what_nobody_did(tmp_path: Path, files: list[Path]) -> None:
    """Run and watchdog killed both, as when the machine was reset under them."""
    place = tmp_path / "state"
    place.mkdir()
    saved = {str(file): value for file, value in zip(files, BEFORE)}
    (place / "settings.json").write_text(json.dumps(saved))
    (place / "lock").write_text("999999999\n")
    files[0].write_text("never")
    files[1].write_text("512")
    with settings.kept(files, place):
        assert values(files) == BEFORE
    assert values(files) == BEFORE


def test_a_second_run_is_refused_with_the_number_of_the_first(tmp_path: Path, files: list[Path]) -> None:
    """And does not touch its settings; once the first is killed, the next one may start."""
    place = tmp_path / "state"
    first = running(place, files)
    said = rf"another live run is at work \(process {first.pid}"
    with pytest.raises(LaneUnavailable, match=said) as caught, settings.kept(files, place):
        pytest.fail("two runs at once")
    assert caught.value.exit_code == 4
    first.kill()
    first.communicate()
    with settings.kept(files, place):
        assert values(files) == BEFORE
    assert values(files) == BEFORE


def test_a_second_run_is_refused_wherever_its_own_settings_are_kept(
    tmp_path: Path, files: list[Path]
) -> None:
    """The machine has one lock beside those of its users; when the first run is done, another may start."""
    name = f"{tmp_path}/machine"
    with settings.kept(files, tmp_path / "one", name):
        said = rf"another live run is at work \(process {os.getpid()}, @{name}\); wait for its end"
        with pytest.raises(LaneUnavailable, match=said), settings.kept(files, tmp_path / "two", name):
            pytest.fail("two runs at once")
        assert not (tmp_path / "two/settings.json").exists()
    with settings.kept(files, tmp_path / "two", name):
        pass


def test_a_lock_that_is_forbidden_is_one_sentence(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a sandbox has no sockets."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bench.lanes.live.lock.fcntl.flock", refuse)
    said = r"lock: the lock that keeps live runs apart cannot be taken \(Permission denied\); run where"
    with pytest.raises(LaneUnavailable, match=said), settings.kept(files, tmp_path / "state"):
        pytest.fail("it was not locked")


# A run of a user without rights that changes nothing; it says that it runs, or why it must not.
RUNS = """
import sys, tempfile
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bench.errors import LaneUnavailable
from bench.lanes.live.settings import kept
with tempfile.TemporaryDirectory() as place:
    try:
        with kept([], Path(place), sys.argv[2]):
            print("runs", flush=True)
            sys.stdin.read()
    except LaneUnavailable as error:
        print(error, flush=True)
"""


@pytest.mark.skipif(not nobodys_python(), reason="needs root, and an interpreter that others may run")
def test_users_cannot_measure_at_the_same_time(tmp_path: Path, files: list[Path]) -> None:
    """Root is refused while another user measures, and the other way round, with the other's process."""
    name = f"{tmp_path}/machine"
    command = [nobodys_python(), "-I", "-S", "-c", RUNS, str(ROOT), name]
    with settings.kept(files, tmp_path / "state", name):
        said = as_nobody(command, "").stdout
        assert said.startswith(f"another live run is at work (process {os.getpid()}, @"), said
    assert as_nobody(command, "").stdout == "runs\n"
    other = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/", env={},
        user=NOBODY, group=NOBODY, extra_groups=[],
    )  # fmt: skip
    assert other.stdout and other.stdout.readline() == "runs\n"
    refused = pytest.raises(LaneUnavailable, match=rf"\(process {other.pid}, @")
    with refused, settings.kept(files, tmp_path / "state", name):
        pytest.fail("two runs at once")
    other.communicate("", timeout=10)
    with settings.kept(files, tmp_path / "state", name):
        pass


def test_a_setting_that_cannot_be_put_back_is_named(tmp_path: Path, files: list[Path]) -> None:
    """With its value, and kept for the next start."""
    place = tmp_path / "state"
    expected = pytest.raises(LaneUnavailable, match=r"nr_hugepages: .*; it was 7; write it by hand")
    with expected, settings.kept(files, place):
        files[1].unlink()
        files[1].mkdir()
    assert json.loads((place / "settings.json").read_text())[str(files[1])] == "7"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_settings_that_others_could_have_written_are_not_restored(tmp_path: Path, mode: int) -> None:
    """As in a directory below /tmp that somebody made first; what it names is left alone."""
    victim, place = tmp_path / "victim", tmp_path / "state"
    victim.write_text("mine")
    place.mkdir()
    place.chmod(mode)
    (place / "settings.json").write_text(json.dumps({str(victim): "planted"}))
    with pytest.raises(LaneUnavailable, match="others may write there"), settings.kept([], place):
        pass
    assert victim.read_text() == "mine"


def test_what_is_no_directory_of_this_users_is_one_sentence(tmp_path: Path) -> None:
    """A file, and a link to somewhere, in the place of the directory; neither is followed."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with (
            pytest.raises(LaneUnavailable, match="others may write there"),
            settings.kept([], tmp_path / name),
        ):
            pass
    assert not (tmp_path / "nowhere").exists()
