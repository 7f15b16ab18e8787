"""Mails about guests: kernels beside each other, what is not to be relied on, and what was tested on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge import policy
from bench.results import ProcessRun, Results, load, save
from bench.show import export
from bench.show.live_notes import PATHS
from bench.show.mail import STYLES, render_mail
from bench.show.page import render_page
from bench.show.projection import render_projection
from bench.show.report import render_text
from bench.show.report_json import render, render_against
from tests.conftest import Cli
from tests.guests import KERNELS, booted

Golden = Callable[[str, str], None]
FULL = tuple(KERNELS.values())


@pytest.fixture(scope="module")
def guests() -> Results:
    return booted()


def flat(text: str) -> str:
    """Without line ends."""
    return " ".join(text.split())


@pytest.mark.parametrize("style", STYLES)
def test_a_mail_about_kernels_in_each_style(guests: Results, style: str, golden: Golden) -> None:
    """A table a path, path=default first, with the kernels' names; doubts; guests instead of the host."""
    golden(
        f"mail-guests-{style}.txt", render_mail(guests, style, f"rmapbench report vm.json --style {style}")
    )


@pytest.mark.parametrize("style", STYLES)
def test_no_size_of_the_new_kernel_is_left_out(guests: Results, style: str) -> None:
    """path=default has all orders, although the old kernel has two."""
    table = render_mail(guests, style, "", Filters.parse(["fork", "path=default"]))
    for size in ("4K", "16K", "64K", "2M"):
        assert re.search(rf"^.*\b({size}|{size[:-1]}KiB|2048KiB)\b.*$", table, re.MULTILINE), size
    assert "per-page" not in table.partition("Tested-on")[0]


def test_what_is_not_to_be_relied_on_is_marked(guests: Results) -> None:
    """The row has a number and no star, the reason is below; the first lines name those of order 0."""
    text = render_mail(guests, "mmtests", "")
    forks, _, munmaps = text.partition("\nmunmap, path=default")
    marked = [line for line in forks.splitlines() if line.startswith("Median    2M")]
    assert len(marked) == 4 and all(line.endswith(" [1]") and "*" not in line for line in marked)
    assert re.search(r"^Median    16K .* \*   70.\d\d%\*$", forks, re.MULTILINE)
    assert re.search(r"^Median    2M .* \*   87.\d\d%\*$", munmaps, re.MULTILINE)
    assert "[1] UNTRUSTED: the positive control, a known difference, is not seen" in flat(text)
    assert "not judged: depends on what the page allocator did before" in flat(text)
    assert "! not judged at order 0: munmap" in text


def test_a_group_is_not_trusted_whether_or_not_the_gate_judges_the_pair() -> None:
    """It judges a generation's larger folios against no base, and a kernel may be called like one."""
    text = render_mail(booted(names=("old", "v6.12")), "mail", "", Filters.parse(["fork", "path=default"]))
    assert re.search(r"^ *2048KiB .* \[1\]$", text, re.MULTILINE)
    assert "[1] UNTRUSTED: the positive control" in text


def test_a_control_that_was_not_seen_counts_where_there_are_no_intervals() -> None:
    """One that is merely missing does not: nothing is claimed there."""
    text = render_mail(booted(1, 1), "mail", "", Filters.parse(["fork", "path=pte,ptes", "kernel=new"]))
    assert re.search(r"^ *64KiB .* - \[1\]$", text, re.MULTILINE)
    assert re.search(r"^ *2048KiB .* - \[1,2\]$", text, re.MULTILINE)


def test_margins_that_do_not_serve_are_a_reason_to_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail is written nevertheless, and every change in it is marked."""

    def refuse() -> None:
        raise UsageError("thresholds.toml: an exception expired on 2026-01-01")

    monkeypatch.setattr(policy, "load", refuse)
    text = render_mail(booted(), "mmtests", "", Filters.parse(["fork", "path=default"]))
    assert "[1] not judged: thresholds.toml: an exception expired on 2026-01-01" in flat(text)
    assert re.search(r"^Median    2M .*\) \[1\]$", text, re.MULTILINE)


def test_margins_that_are_not_there_are_refused_where_they_are_named(cli: Cli, guests: Results) -> None:
    """One sentence."""
    save(guests, cli.cwd / "vm.json")
    for more in ((), ("--style", "mail"), ("--base", "kernel=old")):
        outcome = cli("report", "vm.json", "--thresholds", "nowhere.toml", *more)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert "nowhere.toml" in outcome.err


def test_the_caveat_about_per_page_is_in_every_mail_that_shows_it(guests: Results) -> None:
    """Once, and not where there is no per-page figure."""
    for style in STYLES:
        assert flat(render_mail(guests, style, "")).count(PATHS) == 1
    assert PATHS not in flat(render_mail(guests, "mail", "", Filters.parse(["path=default"])))
    assert "one for each folio" not in render_mail(guests, "mail", "")


def test_folding_is_said_of_aarch64() -> None:
    """As in tables."""
    found = booted(names=("new",))
    runs = {case.but(machine="aarch64"): runs for case, runs in found.runs.items()}
    text = flat(render_mail(Results(runs, found.metadata, {}), "mail", ""))
    assert "folded (contpte): there the change is that of batching and folding together" in text


@pytest.mark.parametrize(("boots", "rounds", "said"), [
    (6, 3, "medians of 6 boots with 3 rounds each, 95 % intervals over boots"),
    (1, 1, "medians of 1 boot with 1 round, no intervals"),
])  # fmt: skip
def test_guests_are_named_and_not_their_host(boots: int, rounds: int, said: str) -> None:
    """Kernels, CPU and QEMU, in mails and on pages; counts are those of any host, times are not."""
    found = booted(boots, rounds)
    text = flat(render_mail(found, "mail", ""))
    told = "old is Linux 6.1.0-56-cloud-amd64, new is Linux 6.12.117+deb12-cloud-amd64; guests -machine pc "
    assert told + "-cpu max,erms=off, QEMU 7.2.22, tcg; counts do not depend on the host" in text
    assert said in text and "Host CPU" not in text and "6.18.44-host" not in text
    timed = flat(render_mail(booted(boots, rounds, figure="time"), "mail", ""))
    assert "kvm; on Host CPU 4210, 2 CPUs, Linux 6.18.44-host" in timed


def test_the_page_names_the_guests(guests: Results) -> None:
    """In its head, and boots below its tables."""
    page = render_page("vm.json", guests, policy.load(), "")
    assert "old is Linux 6.1.0-56-cloud-amd64" in page.partition("</header>")[0]
    assert "Host CPU" not in page.partition("</header>")[0]
    assert "sample: 6 boots, 18 rounds" in page


def test_tables_of_guests_speak_of_boots(guests: Results) -> None:
    """One is one."""
    assert "sample: 6 boots, 18 rounds" in render_text(guests)
    assert "sample: 1 boot, 1 round," in render_text(booted(1, 1))


@pytest.mark.parametrize("style", STYLES)
def test_a_kernel_as_the_base_makes_a_mail(cli: Cli, guests: Results, style: str, golden: Golden) -> None:
    """Old beside new for every path, which is what a cover letter needs."""
    save(guests, cli.cwd / "vm.json")
    outcome = cli("report", "vm.json", "fork", "--base", "kernel=old", "--style", style)
    assert outcome.code == 0, outcome.err
    golden(f"mail-base-{style}.txt", outcome.out)


def test_a_base_keeps_to_the_filters(guests: Results) -> None:
    """Orders that were not asked for are not shown, of either arm."""
    text = render_mail(guests, "mail", "", Filters.parse(["fork", "order=0"]), base="kernel=old")
    assert "4KiB" in text and "2048KiB" not in text
    with pytest.raises(UsageError, match="--base order=0: with --style and --json a base is"):
        render_mail(guests, "mail", "", None, base="order=0")


def test_a_path_as_the_base_makes_a_mail(guests: Results) -> None:
    """A table an arm, for each kernel."""
    text = render_mail(guests, "mail", "", Filters.parse(["fork", "kernel=new"]), base="path=default")
    assert "fork, new, instructions a page" in text
    assert re.search(r"Folio Size \| +default \| +pte ", text)


def test_a_base_makes_json(cli: Cli, guests: Results) -> None:
    """A row a case, with its base and whether anything may be said of it."""
    save(guests, cli.cwd / "vm.json")
    told = json.loads(cli("report", "vm.json", "--base", "kernel=old", "--json").out)
    assert told == json.loads(render_against(load(cli.cwd / "vm.json"), "kernel=old"))
    assert (told["unit"], told["base"]) == ("instructions a page", "kernel=old")
    assert {row["kernel"] for row in told["rows"]} == {"new"}
    by_case = {row["cost"]["case"]: row for row in told["rows"]}
    fork = by_case["vm/fork/kernel=new/path=default/order=0"]
    assert fork["comparison"]["change"] == pytest.approx(165 / 125 - 1, abs=0.005)
    assert fork["base_cost"]["value"] == pytest.approx(125, abs=0.5) and fork["not_gated"] is None
    assert by_case["vm/fork/kernel=new/path=default/order=4"]["comparison"] is None
    assert "page allocator" in by_case["vm/munmap/kernel=new/path=default/order=0"]["not_gated"]


def test_a_projection_by_kernels(guests: Results, golden: Golden) -> None:
    """Old, new, change, path=default first, and the notes of the report."""
    fork = Filters.parse(["fork"])
    golden("report-kernels.txt", render_projection(guests, "order", "kernel", "kernel=old", fork))


def test_kernels_are_in_the_order_of_the_run() -> None:
    """Not in that of their names; the base is first wherever it was in the run."""
    text = render_projection(booted(names=("z", "a")), "order", "kernel", None, Filters.parse(["fork"]))
    assert re.search(r"^order +z +a$", text, re.MULTILINE)
    text = render_projection(booted(names=("z", "a")), "order", "kernel", "kernel=a")
    assert re.search(r"^order +a +z +vs a +95 % interval$", text, re.MULTILINE)


def test_json_and_csv_have_the_spread_over_boots(guests: Results) -> None:
    """As the tables have it, and why a figure is not judged."""
    rows = json.loads(render(guests, Filters.parse(["munmap", "kernel=new", "order=0,4"])))["rows"]
    paired = [row for row in rows if row["per_page"]]
    assert all(0 < row["batched"]["spread"] < 0.01 for row in paired)
    assert [row["not_gated"] is not None for row in paired] == [True, False]
    table = csv.DictReader(
        io.StringIO(export.table(guests, [c for c in guests.runs if not c.get("control")]))
    )
    by_case = {(row["op"], row["kernel"], row["path"], row["order"]): row for row in table}
    row = by_case["munmap", "new", "ptes", "0"]
    assert float(row["spread"]) == pytest.approx(paired[0]["batched"]["spread"], rel=1e-4)
    assert "page allocator" in row["not_gated"] and by_case["fork", "new", "ptes", "2"]["not_gated"] == ""


def test_instructions_are_exported_as_such(guests: Results) -> None:
    """In every format, of no CPU; times stay what they were."""
    cases = [Case.of("vm", "fork", kernel="new", path="default", order=0)]
    for found, unit, measure in (
        (guests, "instructions", "instructions"), (booted(figure="time"), "ns", "latency")
    ):  # fmt: skip
        fmt = export.benchfmt(found, cases)
        assert re.search(rf"^BenchmarkFork\S+ 1 16\d\.\d+ {unit}/page$", fmt, re.MULTILINE)
        assert ("cpu: " in fmt) == (unit == "ns")
        (metrics,) = json.loads(export.bmf(found, cases)).values()
        assert list(metrics) == [measure]
        (entry,) = json.loads(export.github_action_benchmark(found, cases))
        assert (entry["unit"], entry["extra"]) == (f"{unit}/page", "6 boots, 18 rounds")
        assert f",{unit}_per_page," in export.table(found, cases)


def test_published_figures_stand_before_the_block(cli: Cli, guests: Results) -> None:
    """Each line with its unit, and the command names the option and every other."""
    gib = {case.but(memory="1GiB"): runs for case, runs in guests.runs.items()}
    save(Results(gib, guests.metadata, {}), cli.cwd / "vm.json")
    told = ["order=0", "--published", "--style", "mail", "--thresholds", "margins.toml"]
    (cli.cwd / "margins.toml").write_text("[instructions.vm]\norder-0 = 5.0\nlarge = 5.0\n")
    outcome = cli("report", "vm.json", *told)
    assert outcome.code == 0, outcome.err
    assert 0 < outcome.out.index("published [1]") < outcome.out.index("Tested-on:")
    again = "rmapbench report vm.json order=0 --published --style mail --thresholds margins.toml"
    assert flat(outcome.out).replace(" \\", "").endswith(again)
    assert re.search(r"this file, instructions +\S+ +\S+ +[+-]", outcome.out)
    assert re.search(r"published \[1\], ns ", outcome.out)


def test_costs_that_disagree_with_their_change_are_explained(golden: Golden) -> None:
    """Medians of all rounds beside a paired change; nothing is said where nobody can see it."""
    pte = Case.of("live", "fork", path="pte", order=0, memory="256MiB")
    drifting = [[1.0, 1.0, 2.0, 2.0, 2.0], [1.01, 1.01, 2.0, 2.0, 1.0]]
    runs = {
        case: [ProcessRun(n, [1e-7 * v for v in values], 1, {}) for n in range(8)]
        for case, values in zip((pte, pte.but(path="ptes")), drifting)
    }
    found = Results(runs, {"lane": "live"}, {})
    said = "a cost is the median over all rounds, a change that of the ratios within rounds"
    assert said in flat(render_text(found))
    assert said in flat(render_projection(found, "order", "path", "path=pte"))
    assert said in flat(render_mail(found, "mail", ""))
    equal = Results(dict.fromkeys(runs, runs[pte]), found.metadata, {})
    assert said not in flat(render_text(equal))
