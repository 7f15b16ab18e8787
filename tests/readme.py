"""What tests read in README.md: its blocks for a shell."""

from __future__ import annotations

import re

from tests.conftest import ROOT

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def blocks() -> list[str]:
    """The blocks that a reader pastes into a shell."""
    return BLOCK.findall((ROOT / "README.md").read_text())


def judge_sh() -> str:
    """The script for `git bisect run`."""
    (found,) = (block for block in blocks() if "# judge.sh:" in block)
    return found
