"""Amounts of memory as case names have them: 64MiB, 1GiB."""

from __future__ import annotations

import re

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
AMOUNT = re.compile(rf"([1-9]\d{{0,6}})({'|'.join(UNITS)})")


def amount(text: str) -> int:
    """Bytes that an amount names; 0 for anything else."""
    found = AMOUNT.fullmatch(text)
    return int(found[1]) * UNITS[found[2]] if found else 0
