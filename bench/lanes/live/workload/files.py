"""Files of a file system: unnamed and sparse, in the page cache as folios of one order.

The order of a file's folios has no switch, but grows with what is read ahead, up to all of that. So a file is
opened while its disk reads ahead one folio of the order wanted (the file keeps that, the disk gets its own
value back at once), and is read from the beginning, folio by folio. What is used begins where the order has
been reached. The file is a hole: nothing is read from the disk, nothing is dirty, nothing is written back,
and it takes no space. Who reads it at random gets single pages.

Note: not by writing it in pieces of a folio, which gives the same folios: they are to be written back.
"""

from __future__ import annotations

import os

from .system import PAGE, Unmeasurable, contents, write

KINDS = ("file", "file_private")
LEAD = 32 << 20  # bytes before what is used; 16 MiB suffice for the order to grow to 9
SINGLES = 1 << 20  # bytes read at a time for single pages
BDI = "/sys/class/bdi"


def unnamed(directory: str, size: int) -> int:
    """A file in the directory that has no name, so that it never outlives this process; LEAD bytes larger."""
    try:
        file = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unmeasurable(f"no file without a name can be made there ({error.strerror})") from None
    try:
        os.ftruncate(file, LEAD + size)
        os.fsync(file)  # so that nothing of it is to be written later
    except OSError as error:
        os.close(file)
        raise Unmeasurable(f"no file of {size >> 20} MiB can be made there ({error.strerror})") from None
    return file


def read_ahead(file: int, bdi: str = BDI) -> str:
    """The control file that says how much its disk reads ahead, in KiB."""
    device = os.fstat(file).st_dev
    return f"{bdi}/{os.major(device)}:{os.minor(device)}/read_ahead_kb"


def fill(file: int, order: int, size: int, bdi: str = BDI) -> None:
    """Have `size` bytes after LEAD cached, as folios of the order where the file system can."""
    reader = _reading(file, PAGE << order, read_ahead(file, bdi))
    try:
        if order == 0:
            os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_RANDOM)
        piece = bytearray(PAGE << order if order else SINGLES)
        for at in range(LEAD if order == 0 else 0, LEAD + size, len(piece)):
            os.preadv(reader, [piece], at)
        os.posix_fadvise(reader, 0, LEAD, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(reader)


def _reading(file: int, ahead: int, control: str) -> int:
    """The file opened once more, to be read ahead by so many bytes."""
    before = contents(control).strip()
    write(control, str(ahead >> 10))
    try:
        return os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        write(control, before)
