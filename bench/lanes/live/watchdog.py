"""Puts settings back when the process that changed them is gone: `python -I -S watchdog.py STATE`.

Standard library only. It waits for the end of its standard input, which comes when the other process ends in
any way; if the file STATE is still there then, the settings in it are written back. It holds the lock of the
run until it is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

SETTLE = 0.5  # seconds in which processes of the run that was killed end too


def restore(state: str) -> list[str]:
    """Write back what `state` holds where it differs; the files that could not be written."""
    with open(state) as file:  # noqa: PTH123  (no pathlib: it starts at every run)
        saved = json.load(file)
    failed = []
    for path, value in saved.items():
        try:
            if current(path) != value:
                with open(path, "w") as file:  # noqa: PTH123
                    file.write(value)
        except OSError as error:
            failed.append(f"{path}: {error.strerror}; it was {value}")
    return failed


def current(path: str) -> str:
    """A setting's value: the word in brackets, where there are some."""
    with open(path) as file:  # noqa: PTH123
        text = file.read().strip()
    return text.partition("[")[2].partition("]")[0] or text


def main() -> None:
    """Wait, and repair if need be."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    state = sys.argv[1]
    with contextlib.suppress(FileNotFoundError):
        if os.stat(state):  # noqa: PTH116
            for _ in range(2):
                time.sleep(SETTLE)
                failed = restore(state)
            if not failed:
                os.unlink(state)  # noqa: PTH108


if __name__ == "__main__":
    main()
