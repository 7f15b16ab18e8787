"""Variants that are wrong in one place: check refuses each, with call, arguments, counter and both values."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from kernels import check
from kernels.checking.replay import Mismatch
from kernels.variants import discover
from tests.conftest import ROOT, Cli
from tests.wrong_variants import NOT_ATOMIC, WRONG, Wrong


def write(wrong: Wrong, path: Path) -> None:
    """The changed copy; a change that no longer applies is a mistake of the table."""
    text = (ROOT / f"kernels/rmap/{wrong.of}.py").read_text()
    assert text.count(wrong.old) == 1
    path.write_text(text.replace("BASE = None", 'BASE = "v6.7"').replace(wrong.old, wrong.new))


def refusal(wrong: Wrong, message: str) -> bool:
    """Does the sentence name the call, its arguments, the counter, what was expected and what was found?"""
    where = rf"{wrong.function}\(order-\d (anon|file|shmem|hugetlb_\w+) folio 0, .*vma \w+.*\), call \d+ of "
    what = rf"({wrong.counter}): expected (?P<expected>.+), found (?P<found>.+)"
    found = re.fullmatch(rf"{where}(scenario|random interleaving) .*: {what}", message)
    return found is not None and found["expected"] != found["found"]


@pytest.mark.parametrize("what", WRONG)
def test_a_variant_that_is_wrong_in_one_place_is_refused(tmp_path: Path, what: str) -> None:
    """By the oracle, with one sentence that says where to look."""
    write(WRONG[what], tmp_path / "wrong.py")
    with pytest.raises(Mismatch) as caught:
        check.check(discover({"wrong": tmp_path / "wrong.py"})["wrong"])
    assert refusal(WRONG[what], str(caught.value)), str(caught.value)


def test_the_command_line_says_the_same(cli: Cli) -> None:
    """Exit code 2 and the sentence on standard error."""
    wrong = WRONG["a new folio has the wrong index"]
    write(wrong, cli.cwd / "mine.py")
    outcome = cli("check", "--variant", "mine=mine.py")
    assert (outcome.code, outcome.out) == (2, "")
    program, _, message = outcome.err.rstrip("\n").partition(": ")
    assert program == "rmapbench"
    assert refusal(wrong, message), outcome.err


CONTESTS = """
import json, sys
from pathlib import Path
from kernels import abi
from kernels.checking.replay import Mismatch, Variant
from kernels.checking.threads import two_threads
from kernels.variants import discover
abi.use_cache(Path("cache"))
for name, path in json.load(sys.stdin).items():
    try:
        variant = Variant(discover({name: Path(path)})[name])
        print(json.dumps([two_threads(variant) for _ in range(10)][0]))  # busy threads may miss each other
    except Mismatch as mismatch:
        print(json.dumps(str(mismatch)))
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two threads need two CPUs")
def test_what_is_not_atomic_is_caught_by_two_threads(cli: Cli) -> None:
    """Each loses an update that the sentence names with the calls that lost it."""
    paths = {f"wrong{number}": cli.cwd / f"wrong{number}.py" for number in range(len(NOT_ATOMIC))}
    for wrong, path in zip(NOT_ATOMIC.values(), paths.values()):
        write(wrong, path)
    job = json.dumps({name: str(path) for name, path in paths.items()})
    outcome = cli.python("-c", CONTESTS, stdin=job)
    assert outcome.code == 0, outcome.err
    messages = [json.loads(line) for line in outcome.out.splitlines()]
    for (what, wrong), message in zip(NOT_ATOMIC.items(), messages, strict=True):
        pattern = (
            rf"{wrong.function}.*by two threads at once.*: ({wrong.counter}): expected .+, found .+; "
            "an update that is not atomic was lost"
        )
        assert re.fullmatch(pattern, message), f"{what}: {message}"


def test_what_is_not_atomic_is_right_for_one_thread(tmp_path: Path) -> None:
    """The oracle alone does not see it: the threads' check is needed."""
    write(NOT_ATOMIC["the total of mappings is changed by load and store"], tmp_path / "wrong.py")
    check.check(discover({"wrong": tmp_path / "wrong.py"})["wrong"])
