"""The fixtures themselves: golden files, the command-line runner, interpreted kernels in this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernels import abi
from tests.conftest import Cli, check_golden


def test_a_golden_mismatch_fails_and_leaves_the_new_text_beside_it(tmp_path: Path) -> None:
    """The failure shows the difference and the command that accepts it."""
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    with pytest.raises(pytest.fail.Exception, match=r"mv a\.txt\.got a\.txt(.|\n)*-two\n\+three"):
        check_golden("a.txt", "one\nthree\n", tmp_path)
    assert (tmp_path / "a.txt.got").read_text() == "one\nthree\n"


def test_a_golden_match_removes_what_an_earlier_mismatch_left(tmp_path: Path) -> None:
    """No stale *.got stays behind."""
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "a.txt.got").write_text("old")
    check_golden("a.txt", "one\n", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("text", ["", "new\n"])
def test_a_missing_golden_file_fails_even_for_empty_text(text: str, tmp_path: Path) -> None:
    """A first golden file is looked at by somebody before it is believed."""
    with pytest.raises(pytest.fail.Exception):
        check_golden("sub/b.txt", text, tmp_path)
    assert (tmp_path / "sub" / "b.txt.got").read_text() == text


def test_kernels_are_interpreted_in_this_process() -> None:
    """The variable was set before kernels were imported."""
    assert abi.INTERPRETED


def test_the_program_runs_compiled_with_a_private_cache(cli: Cli, cache_dir: Path) -> None:
    """A child sees no NUMBA_DISABLE_JIT, the session's cache directory and this test's directory."""
    names = "os.environ.get('NUMBA_DISABLE_JIT'), os.environ['RMAPBENCH_CACHE_DIR'], os.getcwd()"
    done = cli.python("-c", f"import os; print({names})")
    assert done.out.split() == ["None", str(cache_dir), str(cli.cwd)]
    assert os.environ["NUMBA_DISABLE_JIT"] == "1"


def test_an_outcome_keeps_code_output_and_errors_apart(cli: Cli) -> None:
    """Exit code, standard output and standard error of a child."""
    done = cli.python("-c", "import sys; print('out'); sys.exit('err')")
    assert (done.code, done.out, done.err) == (1, "out\n", "err\n")
