"""What tests of the vm lane share: kernels and images that are none, records, a QEMU that boots nothing."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

FAKE = Path(__file__).with_name("fake_qemu.py")


def kernel() -> Path | None:
    """The image that RMAPBENCH_TEST_KERNEL names, or the newest of /boot, if it can be read."""
    named = os.environ.get("RMAPBENCH_TEST_KERNEL")
    found = [Path(named)] if named else sorted(Path("/boot").glob("vmlinuz-*"))
    return found[-1] if found and os.access(found[-1], os.R_OK) else None


def lacking() -> str:
    """Why nothing can be booted here; empty if something can."""
    if shutil.which("qemu-system-x86_64") is None:
        return "no qemu-system-x86_64 here (apt-get install qemu-system-x86)"
    return "" if kernel() else "no kernel image here: name one with RMAPBENCH_TEST_KERNEL"


def bzimage(path: Path, release: str = "6.12.1-test") -> Path:
    """A file with the header of a bzImage of this release."""
    data = bytearray(0x2000)
    data[0x202:0x206] = b"HdrS"
    data[0x20E:0x210] = struct.pack("<H", 0x1000 - 0x200)
    text = f"{release} (somebody@somewhere) #1 SMP\0".encode()
    data[0x1000 : 0x1000 + len(text)] = text
    path.write_bytes(data)
    return path


def record(number: int, content: Any) -> str:
    """A line on the console, as the guest's init writes it."""
    text = json.dumps(content, separators=(",", ":"))
    return f"@@rmapbench {number} {zlib.crc32(f'{number} {text}'.encode()):08x} {text}"


def fake_qemu(directory: Path, does: str = "") -> dict[str, str]:
    """The environment in which QEMU is the fake one; `does` is what it does, by kernel file: new:panics."""
    programs = directory / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "qemu-system-x86_64"
    program.write_text(FAKE.read_text().replace('"""', f'#!{sys.executable}\n"""', 1))
    program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "FAKE_QEMU": does}
