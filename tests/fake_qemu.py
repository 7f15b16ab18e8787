"""A QEMU for tests, which boots nothing: it does what FAKE_QEMU says with the jobs it is given.

Copied into a directory of PATH under QEMU's name; what it prints is what a guest's init would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROUNDED = {"pte": 300, "ptes": 90, "default": 90, "pmd": 3, "folio": 3}  # instructions a page
PANIC = "[    1.643403] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"


def main() -> None:
    """Be the QEMU of this kernel."""
    if "--version" in sys.argv:
        say("QEMU emulator version 7.2.0 (fake)")
        return
    name = kernel()
    if log := os.environ.get("FAKE_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{name}\n")
    if cpus := os.environ.get("FAKE_CPUS"):
        Path(cpus).write_text(json.dumps(sorted(os.sched_getaffinity(0))))
    deeds = dict(deed.split(":") for deed in os.environ.get("FAKE_QEMU", "").split(",") if deed)
    does = deeds.get(name, deeds.get("all", "well"))
    if does == "silent":
        time.sleep(600)
    say("[    0.000000] Linux version 6.12 (fake)")
    while does == "waits" and not Path(os.environ["FAKE_GO"]).exists():
        time.sleep(0.05)
    lines = list(records(name))
    if does == "panics":
        lines = [lines[0], PANIC]
    elif does == "hangs":
        lines = lines[:1]
    elif does == "stops":
        lines = lines[:-1]
    elif does == "fails":
        lines = ["qemu-system-x86_64: invalid accelerator"]
    elif does == "breaks":  # a line of the kernel's within a record, and another that nothing can mend
        lines[1] = lines[1][:40] + "[    9.000000] random: crng init done\n" + lines[1][40:]
        lines[2] = lines[2][:40] + lines[2][45:]
    for line in lines:
        say(line)
    if does == "hangs":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say(f"[    2.000000] child {child.pid}")
        time.sleep(600)
    sys.exit(1 if does == "fails" else 0)


def kernel() -> str:
    """The kernel's name: 6.12-NAME is its release, else the file's."""
    path = Path(sys.argv[sys.argv.index("-kernel") + 1])
    release = path.read_bytes()[0x1000:].partition(b" ")[0].decode()
    return release.removeprefix("6.12-") if release.startswith("6.12-") else path.name


def records(name: str) -> Iterator[str]:
    """What init says, its hello first."""
    said: list[dict[str, Any]] = [{"guest": {"kernel": name}, "clock": 570}]
    said += [{"job": number, "answer": answer(job, name)} for number, job in enumerate(jobs())]
    for number, record in enumerate([*said, {"end": True}]):
        text = json.dumps(record, separators=(",", ":"))
        yield f"\n@@rmapbench {number} {zlib.crc32(f'{number} {text}'.encode()):08x} {text}"


def jobs() -> list[dict[str, Any]]:
    """The requests in the second archive of the initramfs."""
    data = Path(sys.argv[sys.argv.index("-initrd") + 1]).read_bytes()
    at = data.rindex(b"jobs\0")
    return [json.loads(line) for line in data[at:].split(b"\0TRAILER")[0].splitlines() if b'"do"' in line
            for line in [line[line.index(b"{") : line.rindex(b"}") + 1]]]  # fmt: skip


def answer(job: dict[str, Any], name: str) -> dict[str, Any]:
    """Round figures: the new kernel is 10 % dearer at order 0."""
    if job["order"] == 3:
        return {"values": {}, "unmeasurable": dict.fromkeys(job["ops"], "this kernel has no such folios")}
    each = ROUNDED[job["path"]] * (1.1 if "new" in name and job["order"] == 0 else 1.0)
    pages = (job["bytes"] + job.get("extra", 0)) // 4096
    proof = {"order_share": 1.0, "present": 1.0, "vmas": 1}
    value = {"gross": round(each * pages) + 50_000, "empty": 50_000, "proof": proof}
    return {"values": dict.fromkeys(job["ops"], value), "unmeasurable": {}}


def say(line: str) -> None:
    """A line on the console."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
