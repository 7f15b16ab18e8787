"""What kernel images say of themselves in their headers: the machine they are for, and their release."""

from __future__ import annotations

import re
import shlex
import struct
import zlib
from pathlib import Path

from bench.errors import UsageError
from bench.lanes.vm.machines import MACHINES

LEAST_BYTES = 0x1000  # no kernel is smaller
BANNER = re.compile(rb"Linux version (\S+) ")
# A bzImage, Documentation/arch/x86/boot.rst
BZIMAGE, BZIMAGE_AT, VERSION_AT, LONGEST_VERSION = b"HdrS", 0x202, 0x20E, 200
# An arm64 Image, Documentation/arch/arm64/booting.rst
ARM64, ARM64_AT, FLAGS_AT = b"ARM\x64", 56, 24
BIG_ENDIAN, PAGE_SIZES = 1, {0: "unknown", 1: "4 KiB", 2: "16 KiB", 3: "64 KiB"}
# A kernel that EFI firmware unpacks, drivers/firmware/efi/libstub/zboot-header.S
ZBOOT, ZBOOT_AT, PAYLOAD_AT, COMPRESSION_AT = b"zimg", 4, 8, 24
UNPACKERS = {"gzip": "gzip", "zstd": "zstd", "zstd22": "zstd", "xzkern": "xz", "lzma": "lzma", "lz4": "lz4"}
GZIP, ELF = b"\x1f\x8b", b"\x7fELF\x02"


def identify(path: Path) -> tuple[str, str]:
    """Machine and release of an image (empty if it does not say); UsageError if QEMU does not boot it."""
    data = _read(path)
    packed = data.startswith(GZIP)
    if packed:
        data = _unpacked(path, data)
    if len(data) < LEAST_BYTES:
        raise _none(path, f"it has {len(data)} bytes")
    if _is(data, ZBOOT_AT, ZBOOT):
        raise _zboot(path, data)
    if _is(data, ARM64_AT, ARM64):
        return _arm64(path, data)
    if _is(data, BZIMAGE_AT, BZIMAGE) and not packed:  # QEMU unpacks for aarch64 only
        return "x86_64", _bzimage_release(data)
    if data.startswith(ELF) and not packed:
        return _elf_machine(path, data), _banner(data)
    raise _none(path, "it is packed, or something else")


def _none(path: Path, why: str) -> UsageError:
    """What there is instead of a kernel, and what is one."""
    return UsageError(
        f"--kernel {path}: not a kernel image that QEMU boots, {why}; give a bzImage "
        "(arch/x86/boot/bzImage), an unpacked x86 vmlinux with CONFIG_PVH, or an arm64 Image "
        "(arch/arm64/boot/Image)"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"--kernel {path}: cannot be read ({error.strerror})") from None


def _is(data: bytes, at: int, magic: bytes) -> bool:
    return data[at : at + len(magic)] == magic


def _unpacked(path: Path, data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)
    except zlib.error as error:
        raise UsageError(f"--kernel {path}: cannot be unpacked ({error}); build or copy it anew") from None


def _bzimage_release(data: bytes) -> str:
    (at,) = struct.unpack_from("<H", data, VERSION_AT)
    text = data[at + 0x200 : at + 0x200 + LONGEST_VERSION].partition(b"\0")[0] if at else b""
    return text.partition(b" ")[0].decode("ascii", "replace")


def _banner(data: bytes) -> str:
    found = BANNER.search(data)
    return found[1].decode("ascii", "replace") if found else ""


def _elf_machine(path: Path, data: bytes) -> str:
    (number,) = struct.unpack_from("<H", data, 18)
    machine = next((machine for machine in MACHINES.values() if machine.elf == number), None)
    if machine is None:
        raise UsageError(
            f"--kernel {path}: a kernel for ELF machine {number}; guests can be {', '.join(MACHINES)} so far"
        )
    if not machine.boots_elf:
        raise UsageError(
            f"--kernel {path}: QEMU boots no vmlinux of {machine.name}; give arch/arm64/boot/Image"
        )
    return machine.name


def _arm64(path: Path, data: bytes) -> tuple[str, str]:
    """Only kernels with 4 KiB pages have the folio sizes that the lane knows."""
    (flags,) = struct.unpack_from("<Q", data, FLAGS_AT)
    pages = PAGE_SIZES[flags >> 1 & 3]
    if flags & BIG_ENDIAN or pages not in ("unknown", "4 KiB"):
        order = "big" if flags & BIG_ENDIAN else "little"
        raise UsageError(
            f"--kernel {path}: a {order}-endian kernel with pages of {pages} size; "
            "the lane measures little-endian ones with pages of 4 KiB"
        )
    return "aarch64", _banner(data)


def _zboot(path: Path, data: bytes) -> UsageError:
    """QEMU before 8.1 does not unpack these, and later ones only some."""
    at, size = struct.unpack_from("<II", data, PAYLOAD_AT)
    kind = data[COMPRESSION_AT : COMPRESSION_AT + 32].partition(b"\0")[0].decode("ascii", "replace")
    unpack = f"{UNPACKERS.get(kind, kind)} -dc"
    file = shlex.quote(str(path))
    return UsageError(
        f"--kernel {path}: packed for EFI; unpack it with: "
        f"tail -c +{at + 1} {file} | head -c {size} | {unpack} > Image"
    )
