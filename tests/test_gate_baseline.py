"""The gate against an older file: ratios of times, and exact counts."""

from __future__ import annotations

import json

import pytest

from bench import results
from tests import synthetic
from tests.conftest import Cli
from tests.gated import FAMILY, REMOVE, ZERO, good, judged, slower


def test_ratios_survive_another_speed(cli: Cli) -> None:
    """All times of the new file 30 % longer: nothing regressed. One ratio worse by 3 %: that one did."""
    results.save(good(seed=5), cli.cwd / "old.json")
    longer = good()
    for case in longer.runs:
        if case.get("control") not in ("twin", "positive"):  # which are slower with their arm
            longer = slower(longer, case, 1.3)
    same = judged(cli, longer, "--baseline", "old.json")
    assert same.code == 0
    assert "Ratios within this run are compared with ratios within old.json" in same.out
    worse = judged(cli, slower(longer, REMOVE, 1.03), "--baseline", "old.json", "--json")
    red = [pair["name"] for pair in json.loads(worse.out)["pairs"] if pair["verdict"] == "REGRESSED"]
    assert (worse.code, red) == (3, [f"{REMOVE.name} against variant=v6.12"])


def test_a_pair_that_only_the_old_file_has_is_missing(cli: Cli) -> None:
    """What is new is shown and not judged."""
    results.save(good(), cli.cwd / "old.json")
    fewer = synthetic.results(FAMILY, orders=(0,))
    assert judged(cli, fewer, "--baseline", "old.json").code == 6
    results.save(fewer, cli.cwd / "old.json", force=True)
    outcome = judged(cli, good(), "--baseline", "old.json", "--json")
    pairs = json.loads(outcome.out)["pairs"]
    assert outcome.code == 0
    assert {pair["judged"] for pair in pairs if "/order=4 " in pair["name"]} == {False}


@pytest.mark.parametrize(
    ("change", "plain", "strict"), [(0, 0, 0), (1, 3, 3), (-1, 0, 5)], ids=["equal", "more", "fewer"]
)
def test_counts_are_judged_exactly(cli: Cli, change: int, plain: int, strict: int) -> None:
    """More: REGRESSED. Fewer: the baseline is out of date, which --strict refuses."""
    before = {case.name: dict.fromkeys(ZERO, 4) for case in (REMOVE, REMOVE.but(order=4))}
    now = {**before, REMOVE.name: {**before[REMOVE.name], "locked_used": 4 + change}}
    for name, counts in (("old.json", before), ("new.json", now)):
        (cli.cwd / name).write_text(json.dumps(counts))
    outcome = cli("gate", "new.json", "--baseline", "old.json")
    assert outcome.code == plain
    assert (f"locked_used 4 -> {4 + change}" in outcome.out) == bool(change)
    assert cli("gate", "new.json", "--baseline", "old.json", "--strict").code == strict


def test_cases_that_counts_lack_are_missing_and_new_ones_are_said(cli: Cli) -> None:
    """A filter chooses among those of the baseline."""
    one, other = ({case.name: dict.fromkeys(ZERO, 4)} for case in (REMOVE, REMOVE.but(order=4)))
    (cli.cwd / "both.json").write_text(json.dumps({**one, **other}))
    (cli.cwd / "one.json").write_text(json.dumps(one))
    assert cli("gate", "one.json", "--baseline", "both.json").code == 6
    assert cli("gate", "one.json", "order=0", "--baseline", "both.json").code == 0
    new = cli("gate", "both.json", "--baseline", "one.json")
    assert (new.code, "1 cases are not in the baseline" in new.out) == (0, True)


def test_without_a_file_the_tree_is_counted(cli: Cli) -> None:
    """The gate of every push: a copy of a count one lower than the tree's is a regression."""
    words = ("remove", "order=0,4", "variant=v6.12")
    assert cli("count", *words, "-o", "counts.json").code == 0
    assert cli("gate", *words, "--strict", "--baseline", "counts.json").code == 0
    counts = json.loads((cli.cwd / "counts.json").read_text())
    name = next(name for name in counts if counts[name]["locked_used"])
    counts[name]["locked_used"] -= 1
    (cli.cwd / "counts.json").write_text(json.dumps(counts))
    assert cli("gate", *words, "--baseline", "counts.json").code == 3


def test_counts_written_before_page_tables_were_counted_apart_are_still_a_baseline(cli: Cli) -> None:
    """What the older file does not hold is not compared; the rest is."""
    words = ("remove", "order=0", "variant=v6.12", "kind=anon", "state=last")
    assert cli("count", *words, "-o", "new.json").code == 0
    old = json.loads((cli.cwd / "new.json").read_text())
    for numbers in old.values():
        del numbers["pte_loads"]
    (cli.cwd / "old.json").write_text(json.dumps(old))
    assert cli("count", *words, "--against", "old.json").code == 0
    assert cli("gate", "new.json", "--strict", "--baseline", "old.json").code == 0
    next(iter(old.values()))["loads"] += 1
    (cli.cwd / "old.json").write_text(json.dumps(old))
    assert cli("count", *words, "--against", "old.json").code == 3
