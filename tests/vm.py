"""What tests of the vm lane share: kernels, images and packages that are none, a QEMU that boots nothing."""

from __future__ import annotations

import gzip
import json
import os
import platform
import shutil
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.lanes.vm.machines import MACHINES
from bench.lanes.vm.machines.aarch64 import AARCH64
from bench.lanes.vm.machines.machine import Machine
from bench.lanes.vm.machines.x86_64 import X86_64

KERNELS = {"x86_64": "RMAPBENCH_TEST_KERNEL", "aarch64": "RMAPBENCH_TEST_KERNEL_ARM64"}
FAKE = Path(__file__).with_name("fake_qemu.py")


def kernel(machine: Machine = X86_64) -> Path | None:
    """The image that a variable names, or the newest of /boot, if it can be read."""
    named = os.environ.get(KERNELS[machine.name])
    here = sorted(Path("/boot").glob("vmlinuz-*")) if machine.name == platform.machine() else []
    found = [Path(named)] if named else here
    return found[-1] if found and os.access(found[-1], os.R_OK) else None


def lacking(machine: Machine = X86_64) -> str:
    """Why nothing can be booted here; empty if something can."""
    if shutil.which(machine.qemu) is None:
        return f"no {machine.qemu} here (apt-get install {machine.package})"
    return "" if kernel(machine) else f"no kernel image here: name one with {KERNELS[machine.name]}"


def bzimage(path: Path, release: str = "6.12.1-test") -> Path:
    """A file with the header of a bzImage of this release."""
    data = bytearray(0x2000)
    data[0x202:0x206] = b"HdrS"
    data[0x20E:0x210] = struct.pack("<H", 0x1000 - 0x200)
    text = f"{release} (somebody@somewhere) #1 SMP\0".encode()
    data[0x1000 : 0x1000 + len(text)] = text
    path.write_bytes(data)
    return path


def arm64_image(path: Path, release: str = "6.12.1-arm", flags: int = 0b1010, packed: bool = False) -> Path:
    """A file with the header of an arm64 Image, of 4 KiB pages by its flags."""
    data = bytearray(0x2000)
    data[:2], data[24:32], data[56:60] = b"MZ", struct.pack("<Q", flags), b"ARM\x64"
    data += f"Linux version {release} (somebody@somewhere) #1 SMP".encode()
    path.write_bytes(gzip.compress(bytes(data)) if packed else data)
    return path


def elf(machine: int, loader: str = "", needed: Sequence[str] = ()) -> bytes:
    """An ELF program or library with nothing but what it says of itself."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    tags = [(1, strings.index(name.encode() + b"\0")) for name in needed]  # DT_NEEDED
    count = 2 + bool(loader)  # program headers: what is loaded, dynamic, and the loader
    at_strings = 64 + 56 * count
    at_loader = at_strings + len(strings)
    at_tags = -(-(at_loader + len(loader) + 1) // 8) * 8
    tags += [(5, at_strings), (10, len(strings)), (0, 0)]  # DT_STRTAB, DT_STRSZ, DT_NULL
    end = at_tags + 16 * len(tags)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0
    )
    parts = [(1, 0, end), (2, at_tags, 16 * len(tags))] + [(3, at_loader, len(loader) + 1)] * bool(loader)
    table = b"".join(struct.pack("<IIQQQQQQ", kind, 4, at, at, at, size, size, 8) for kind, at, size in parts)
    data = (header + table + strings + loader.encode()).ljust(at_tags, b"\0")
    return data + b"".join(struct.pack("<QQ", *tag) for tag in tags)


def guest_root(directory: Path, machine: Machine = AARCH64, version: str = "3.11") -> Path:
    """What packages with a Python leave, links as distributions have them; nothing of it runs."""
    lib, home = directory / f"lib/{machine.triplet}", directory / f"usr/lib/python{version}"
    for place in (lib, home / "lib-dynload", directory / f"usr/lib/{machine.triplet}", directory / "usr/bin"):
        place.mkdir(parents=True)
    program = elf(machine.elf, "/lib/ld.so.1", ["libc.so.6", "libz.so.1"])
    (directory / f"usr/bin/python{version}").write_bytes(program)
    (lib / "ld-2.so").write_bytes(elf(machine.elf))
    (directory / "lib/ld.so.1").symlink_to(f"/lib/{machine.triplet}/ld-2.so")  # absolute, of the guest's
    (lib / "libc.so.6").write_bytes(elf(machine.elf, needed=["ld.so.1"]))
    (lib / "libz.so.1.2").write_bytes(elf(machine.elf, needed=["libc.so.6"]))
    (lib / "libz.so.1").symlink_to("libz.so.1.2")
    (directory / f"usr/lib/{machine.triplet}/libffi.so.8").write_bytes(elf(machine.elf))
    extension = elf(machine.elf, needed=["libffi.so.8"])
    (home / f"lib-dynload/_ctypes.cpython-311-{machine.triplet}.so").write_bytes(extension)
    sources = {"ctypes/__init__": "import _ctypes, os\ndef later(): import http.server", "os": "import stat"}
    for name, text in {**sources, "stat": "", "encodings/__init__": "from . import aliases",
                       "encodings/aliases": "", "http/__init__": "", "http/server": "",
                       "unused": ""}.items():  # fmt: skip
        (home / f"{name}.py").parent.mkdir(exist_ok=True)
        (home / f"{name}.py").write_text(text)
    return directory


def record(number: int, content: Any) -> str:
    """A line on the console, as the guest's init writes it."""
    text = json.dumps(content, separators=(",", ":"))
    return f"@@rmapbench {number} {zlib.crc32(f'{number} {text}'.encode()):08x} {text}"


def fake_qemu(directory: Path, does: str = "") -> dict[str, str]:
    """The environment in which QEMU is the fake one; `does` is what it does, by kernel file: new:panics."""
    programs = directory / "programs"
    programs.mkdir(exist_ok=True)
    for machine in MACHINES.values():
        program = programs / machine.qemu
        program.write_text(FAKE.read_text().replace('"""', f'#!{sys.executable}\n"""', 1))
        program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "FAKE_QEMU": does}
