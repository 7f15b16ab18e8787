"""Processes of this program do not take modules from the working directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.measure import own


def test_a_file_of_the_user_hides_no_module(tmp_path: Path) -> None:
    """A variant may be called copy.py."""
    (tmp_path / "copy.py").write_text("raise SystemExit('the wrong copy')\n")
    script = own.command("bench", "--version")
    done = subprocess.run(script, cwd=tmp_path, env=own.environment(), capture_output=True, text=True)
    assert done.stdout.startswith("rmapbench "), done.stderr
