"""Archives in cpio's newc format, which the kernel unpacks as its first file system; made without root."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

MAGIC = "070701"
ALIGN = 4


@dataclass(frozen=True)
class Entry:
    """A file, directory, symbolic link or device; `name` is relative to the root."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    """A directory."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, data: bytes, executable: bool = False) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), data)


def symlink(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def device(name: str, major: int, minor: int) -> Entry:
    """A character device."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive, with a directory entry before everything in it; of two entries of a name the last stays.

    Equal entries give equal bytes: no times, no owners.
    """
    chosen = {entry.name: entry for entry in entries}
    parents = {str(path) for name in chosen for path in PurePosixPath(name).parents} - {"."}
    chosen = {**{name: directory(name) for name in sorted(parents - chosen.keys())}, **chosen}
    # A directory sorts before what is in it.
    ordered = sorted(chosen.values(), key=lambda entry: PurePosixPath(entry.name).parts)
    packed = [_packed(number, entry) for number, entry in enumerate(ordered, 1)]
    return b"".join([*packed, _packed(0, Entry("TRAILER!!!", 0))])


def _packed(inode: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    size = len(entry.data)
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (inode, entry.mode, 0, 0, links, 0, size, 0, 0, *entry.device, len(name), 0)
    header = MAGIC + "".join(f"{field:08X}" for field in fields)
    return _padded(header.encode() + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGN)
