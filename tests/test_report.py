"""What people read from a result file: default tables, projections, and what is said of bad requests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.case import Case, Filters
from bench.errors import UsageError
from bench.judge.estimate import Interval
from bench.judge.generations import GENERATIONS, shown_by_default
from bench.judge.stats import Samples
from bench.results import ProcessRun, Results
from bench.show.projection import render_projection
from bench.show.report import Column, render_markdown, render_text
from bench.show.rows import rows_of, subjects
from bench.show.table import WIDTH, Table, interval, nanoseconds, percent, size
from tests import synthetic
from tests.synthetic import MAIN, Noise

Golden = Callable[[str, str], None]
REMOVE = [("remove", "anon", "last")]
FEW = (0, 2, 4, 9)


@pytest.fixture(scope="module")
def measured() -> Results:
    return synthetic.results(orders=FEW)


def test_the_report(measured: Results, golden: Golden) -> None:
    """The main calls of two generations: the newest, batched against per-page, order 0 first."""
    golden("report.txt", render_text(measured))


def test_the_report_in_markdown(measured: Results, golden: Golden) -> None:
    """The same tables as GitHub renders them."""
    golden("report.md", render_markdown(measured, Filters.parse(["remove", "add_new_anon"])))


def test_a_report_of_what_went_wrong(golden: Golden) -> None:
    """Few processes, a missing base, disturbed rounds, unequal processes, failed cases, an unseen control."""
    found = synthetic.results(REMOVE, ["v6.15"], (0, 4), processes=4, noise=Noise(disturbed=0.3))
    for case in list(found.runs):
        if case.get("control") == "positive":
            found.runs[case] = [
                ProcessRun(r.process, np.asarray(r.values) * 1.2, 1, r.metadata) for r in found.runs[case]
            ]
        if case.get("control") == "twin" and case.order == 0:
            del found.runs[case]
        if case.get("path") == "ptes":
            found.runs[case] = found.runs[case][:3]
    found.failed = {f"call/add_anon/order={order}": "worker died (SIGSEGV)" for order in range(2, 14)}
    golden("report-wrong.txt", render_text(found))


def test_an_unpaired_report(golden: Golden) -> None:
    """A file of the plain pyperf script says in the first lines and in each table what it is."""
    golden("report-unpaired.txt", render_text(synthetic.results(REMOVE, orders=(0, 4), unpaired=1)))


def test_projections(measured: Results, golden: Golden) -> None:
    """Any keys as rows and columns, any arm as the base."""
    remove = Filters.parse(["remove"])
    texts = [
        render_projection(measured, "order", "path", "path=pte", remove),
        render_projection(
            measured, "order", "variant", "variant=v6.12", Filters.parse(["remove", "path=ptes"])
        ),
        render_projection(measured, "op,kind,state", "variant", filters=Filters.parse(["order=0"])),
        render_projection(measured, "path", "order", "order=0", remove, markdown=True),
    ]
    golden("report-projections.txt", "\n".join(texts))


@pytest.mark.parametrize(
    "variants", [("v6.12", "v6.15"), GENERATIONS, ("v6.15", "a-variant-with-a-long-name")]
)
def test_text_tables_are_ascii_and_fit(variants: tuple[str, ...]) -> None:
    """At most 72 columns, also with a verdict column and long names."""
    found = synthetic.results(synthetic.FAMILIES, variants, FEW)
    named = Filters.parse([f"variant={','.join(variants)}"])
    for text in (
        render_text(found),
        render_text(found, named, [Column("verdict", lambda row: "INCONCLUSIVE")]),
    ):
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= WIDTH


def test_the_order_of_generations_is_that_of_time() -> None:
    """The newest generation is shown, then every variant of the user's."""
    assert shown_by_default(["v6.10", "v6.8", "v6.12", "rfc-2023-12"]) == ["v6.12"]
    assert shown_by_default(["mine", "v6.15-no-page-mapcount", "v6.15", "other"])[0] == "v6.15"
    assert shown_by_default(["v6.15-no-page-mapcount"]) == ["v6.15-no-page-mapcount"]
    assert shown_by_default(["mine", "v6.12", "also"]) == ["v6.12", "also", "mine"]
    assert shown_by_default(["mine"]) == ["mine"]


def test_same_code_is_compared_with_the_base(measured: Results) -> None:
    """At order 0 of remove the row holds the variant's change against v6.12, even if ptes was measured."""
    pte = Case.of("call", "remove", kind="anon", state="last", variant="v6.15", path="pte", order=0)
    ptes = pte.but(path="ptes")
    both = Results({**measured.runs, ptes: measured.runs[pte]}, dict(measured.metadata), {})
    for cases, found in (([pte], measured), ([pte, ptes], both)):
        (row,) = rows_of(Samples(found), cases)
        assert row.same_code and row.base == "v6.12" and row.comparison
        assert row.comparison.base == pte.but(variant="v6.12")
        assert abs(row.comparison.change - 0.004) < 0.003


def test_a_generation_without_batches_is_compared_with_its_base() -> None:
    """v6.7 has no _ptes: its table is of one path, and nothing is called the same code."""
    text = render_text(synthetic.results(REMOVE, ("v6.7", "v6.12"), FEW), Filters.parse(["variant=v6.7"]))
    assert "same code" not in text and "remove (anon, last): v6.7 against v6.12" in text


def test_filters_select_rows_but_not_controls(measured: Results) -> None:
    """One size of one call is still shown with its controls."""
    text = render_text(measured, Filters.parse(["remove", "order=4"]))
    assert "64K" in text and "16K" not in text
    assert "A/A control: " in text and "none measured" not in text


@pytest.mark.parametrize(
    ("row", "col", "base", "words"),
    [
        ("ordr", "path", None, "unknown key 'ordr'; valid: op, kind, state, variant, path, order"),
        ("order", "memory", None, "unknown key 'memory'"),
        ("order", "path", "pte", "expected key=value"),
        ("order", "path", "pth=pte", "unknown key 'pth'"),
        ("order", "path", "path=batched", "unknown base path 'batched'; valid: folio, pmd, pte, ptes"),
    ],
)
def test_bad_projections_name_the_valid_words(
    measured: Results, row: str, col: str, base: str | None, words: str
) -> None:
    """A key or value that the file does not have."""
    with pytest.raises(UsageError) as caught:
        render_projection(measured, row, col, base)
    assert words in str(caught.value)


def test_a_file_of_controls_only_is_refused() -> None:
    """There is nothing to show in it."""
    yardstick = Case.of("call", "remove", order=0, control="yardstick")
    with pytest.raises(UsageError, match="no case to show"):
        render_text(Results({yardstick: [ProcessRun(0, [1e-9])]}))


def test_a_live_table_has_whole_figures_too() -> None:
    """Of a GiB or more, as they are published: a hundred ns a page are 26.2 ms; of less it does not."""
    for memory, said in (
        ("1GiB", "1GiB as a whole, ms:\n  64K: per-page 26.2, default 13.1\n"),
        ("256MiB", ""),
    ):
        pte = Case.of("live", "munmap", path="pte", order=4, memory=memory)
        costs = {pte: 100e-9, pte.but(path="default"): 50e-9}
        notes = {"pages": 1 << 18}
        runs = {case: [ProcessRun(0, [cost], 1, notes)] for case, cost in costs.items()}
        text = render_text(Results(runs, {"lane": "live"}))
        assert (said in text) and ("as a whole" in text) == bool(said)


def test_figures_without_a_base_stand_alone() -> None:
    """A table of one path has no columns for what there is not."""
    case = Case.of("live", "munmap", kind="file", path="default", order=4, memory="256MiB")
    text = render_text(Results({case: [ProcessRun(0, [1e-7], 1, {})]}, {"lane": "live"}))
    assert "munmap (file, memory=256MiB), ns a page\n\nfolio        cost\n" in text
    assert "64K default   100\n" in text and "change" not in text


def test_live_cases_have_rows() -> None:
    """Cases without a variant: the paths of a lane that measures the running kernel."""
    pte = Case.of("live", "munmap", path="pte", order=4, memory="1GiB")
    runs = {
        case: [ProcessRun(p, [1e-9 * (p + 1)] * 9) for p in range(8)] for case in (pte, pte.but(path="ptes"))
    }
    (subject,) = subjects(runs)
    assert subject.name == "munmap (memory=1GiB)"
    assert "+0.0 %" in render_text(Results(runs))


def test_sizes_and_figures() -> None:
    """Folio sizes with 4 KiB pages; three digits of nanoseconds; signed percents."""
    assert [size(order) for order in (0, 2, 8, 9)] == ["4K", "16K", "1M", "2M"]
    seconds = (5.1234e-9, 12.345e-9, 234.56e-9, 0.0123e-9, 1e-15)
    assert [nanoseconds(value) for value in seconds] == ["5.12", "12.3", "235", "0.012", "<0.001"]
    assert [percent(change) for change in (0.0031, -0.5, -0.0001)] == ["+0.3 %", "-50.0 %", "+0.0 %"]
    assert (interval(Interval(-0.001, 0.0062)), interval(None)) == ("[-0.1, +0.6]", "-")


def test_markdown_cells_hold_no_markup() -> None:
    """A pipe in a name would add a column."""
    lines = Table("a|b", ("x", "y"), (("a|b", "<c>"),)).markdown().splitlines()
    assert lines[4] == "| a\\|b | \\<c> |"
    assert all(line.count(" | ") == 1 for line in lines[2:5])


def test_main_families_are_all_shown(measured: Results) -> None:
    """No call of the file is missing from the report."""
    text = render_text(measured)
    assert all(f"{call} ({kind}, {state})" in text for call, kind, state in MAIN)
