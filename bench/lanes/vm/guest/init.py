"""The guest's first process: has the workload do the jobs of /jobs and says the answers on the console.

Packed and started alone, with nothing but the standard library. What it says are lines

    @@rmapbench NUMBER CRC32 JSON

numbered from 0, the check over number and JSON, the last of them {"end": true}; then the machine is
switched off.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import zlib
from collections.abc import Iterator
from time import perf_counter_ns, sleep

MARK = "@@rmapbench"
JOBS = "/jobs"
WORKLOAD = ("/usr/bin/python", "-I", "-S", "/workload")
FILE_SYSTEMS = (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"))
SETTINGS = {
    "/proc/sys/kernel/sched_rt_runtime_us": "-1",  # real time is not cut off: an operation is one piece
    "/proc/sys/kernel/hung_task_timeout_secs": "0",
    "/proc/sys/vm/stat_interval": "3600",  # seconds; folding statistics would fall into some operations
}
CLOCK_READINGS = 101
LINUX_REBOOT_CMD_RESTART = 0x01234567

_libc = ctypes.CDLL(None, use_errno=True)


class Console:
    """Says numbered, checked records, each on a line of its own."""

    def __init__(self) -> None:
        self.number = 0

    def say(self, record: object) -> None:
        """One record."""
        text = json.dumps(record, separators=(",", ":"))
        check = zlib.crc32(f"{self.number} {text}".encode())
        line = f"\n{MARK} {self.number} {check:08x} {text}\n"
        self.number += 1
        data = line.encode()
        while data:
            data = data[os.write(1, data) :]


class Workload:
    """The process that does the jobs; a new one after it died."""

    def __init__(self) -> None:
        self.pid = 0

    def ask(self, question: str) -> object:
        """The answer; an error in its place if the process died."""
        if not self.pid:
            self._start()
        os.write(self._questions, question.encode())
        line = self._answers.readline()
        if line.endswith(b"\n"):
            return json.loads(line)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        os.close(self._questions)
        return {"error": f"the workload died: {_how(status)}"}

    def _start(self) -> None:
        (theirs_in, self._questions), (ours_in, theirs_out) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.dup2(theirs_in, 0)
            os.dup2(theirs_out, 1)
            os.closerange(3, 64)
            os.execve(WORKLOAD[0], WORKLOAD, os.environ)
        os.close(theirs_in)
        os.close(theirs_out)
        self._answers = os.fdopen(ours_in, "rb")


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code == -9:
        return "killed by signal 9; the guest may be out of memory"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def prepare() -> None:
    """Mount what the workload reads, and let the machine come to rest."""
    for kind, where in FILE_SYSTEMS:
        os.makedirs(where, exist_ok=True)  # noqa: PTH103
        if _libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None):
            raise OSError(ctypes.get_errno(), f"mount of {where}: {os.strerror(ctypes.get_errno())}")
    for path, value in SETTINGS.items():
        try:
            with open(path, "w") as setting:  # noqa: PTH123
                setting.write(value)
        except OSError:
            pass  # not every kernel has it
    sleep(int(os.environ.get("SETTLE", "1")))


def clock() -> int:
    """What two readings of the clock in a row are apart: the cost of timing itself."""
    apart = []
    for _ in range(CLOCK_READINGS):
        before = perf_counter_ns()
        apart.append(perf_counter_ns() - before)
    return sorted(apart)[CLOCK_READINGS // 2]


def memory_kib() -> int:
    """Memory free for the workload."""
    with open("/proc/meminfo") as file:  # noqa: PTH123
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0])


def records() -> Iterator[object]:
    """Everything to say, the answers in the order of the jobs."""
    workload = Workload()
    yield {"guest": workload.ask('{"do": "hello"}\n'), "clock": clock(), "memory_kib": memory_kib()}
    with open(JOBS) as file:  # noqa: PTH123
        jobs = list(file)
    for job, question in enumerate(jobs):
        yield {"job": job, "answer": workload.ask(question)}


def main() -> None:
    """Do everything, say everything, and switch off; a first process must not end."""
    console = Console()
    try:
        prepare()
        for record in records():
            console.say(record)
        console.say({"end": True})
    except BaseException as error:
        console.say({"fatal": f"{type(error).__name__}: {error}"})
    os.sync()
    sys.stdout.flush()
    _libc.reboot(LINUX_REBOOT_CMD_RESTART)  # QEMU runs with -no-reboot


if __name__ == "__main__":
    main()
