"""The HTML page: the verdict on top, everything inside, and how a real browser shows it."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench.case import Filters
from bench.judge import policy
from bench.judge.gate import judge
from bench.results import Results, save
from bench.show.gate import notes_of
from bench.show.page import render_page
from bench.show.page_parts import table_html
from bench.show.table import Table
from tests import synthetic
from tests.booted import booted
from tests.browser import CHROMIUM, DRIVER, MISSING, OVERFLOWING, browser, dark, requested, resize
from tests.conftest import Cli
from tests.gated import REMOVE, slower
from tests.test_mail import MACHINE, forks

AGAIN = "rmapbench report run.json --html run.html"
FAMILIES = [("remove", "anon", "last"), ("try_dup_anon", "anon", "exclusive")]
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)


def rendered(found: Results, **more: Any) -> str:
    return render_page("run.json", found, policy.load(), AGAIN, **more)


@pytest.fixture(scope="module")
def measured() -> Results:
    found = synthetic.results(FAMILIES, orders=(0, 2, 4, 9), **MACHINE)
    found.failed = {"call/remove/kind=anon/order=4": "<b>died</b> & gone"}
    return found


@pytest.fixture(scope="module")
def page(measured: Results) -> str:
    return rendered(measured)


class Tags(HTMLParser):
    """Checks nesting, and keeps ids, links and text."""

    VOID = ("meta", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_whole(page: str) -> None:
    """Every element closed, no id twice, every link leads to one of them, nothing outside is named."""
    tags = Tags(page)
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
    for link in tags.links:
        assert link == "data:," or link.removeprefix("#") in tags.ids, link
    assert re.findall(r"url\((?!#)", page) == [] and "@import" not in page


def test_the_verdict_on_order_0_comes_first(measured: Results, page: str) -> None:
    """Before any table: good, bad, and none."""
    assert page.index("Order 0 is not harmed: ") < page.index("<table")
    bad = rendered(slower(measured, REMOVE, 1.05))
    assert re.search(r'class="verdict bad">.*Order 0 is harmed: 1 of \d+ comparisons REGRESSED', bad)
    none = rendered(synthetic.results(FAMILIES, orders=(0, 4), unpaired=1))
    assert "Order 0: no verdict" in none and "unpaired file" in none


def test_the_page_holds_everything(page: str) -> None:
    """Tables, charts with names, controls, machine, commands, and what failed, escaped."""
    assert page.count("<svg") == page.count('role="img" aria-label="') >= 6
    for said in (
        MACHINE["command"],
        AGAIN,
        "Every group of cases with its controls",
        "Imaginary(R) CPU 4210",
    ):
        assert str(said) in page
    assert "&lt;b&gt;died&lt;/b&gt; &amp; gone" in page


def test_a_verdict_that_is_none_has_its_reason_on_the_page(measured: Results) -> None:
    """As the gate says it: a word alone would leave the reader guessing."""
    bad = slower(measured, REMOVE, 1.05)
    said = notes_of(judge(bad, policy.load()))
    assert any(note.startswith("! REGRESSED remove") for note in said)
    text = rendered(bad)
    for note in said:
        assert escape(note) in text


def test_rows_that_the_page_leaves_out_are_had_by_a_command_that_exists(cli: Cli) -> None:
    """The gate's, with the page's file and filters: `report` has no option for it."""
    save(synthetic.results(synthetic.FAMILIES, orders=(0, 2, 4, 6, 9)), cli.cwd / "a run.json")
    filters = ["kind=anon,file", "variant=v6.12,v6.15"]
    assert cli("report", "a run.json", *filters, "--html", "run.html").code == 0
    said = re.findall(r"(\d+) more, OK or FASTER: [^(]*\(all: ([^)]*)\)", (cli.cwd / "run.html").read_text())
    assert said and all(words == said[0][1] for _, words in said)
    program, *words = shlex.split(unescape(said[0][1]))
    assert program == "rmapbench" and set(filters) < set(words)
    done = cli(*words)
    assert done.code == 0 and " more, OK or FASTER" not in done.out, done


def test_the_same_file_makes_the_same_page(measured: Results, page: str) -> None:
    """Byte by byte."""
    assert rendered(measured) == page


def test_names_are_escaped() -> None:
    """In titles, cells and notes."""
    html = table_html(Table("<i>", ("<i>",), (("<i>",),), ("<i>",)))
    assert "<i>" not in html


def test_controls_are_those_of_what_the_page_shows(measured: Results) -> None:
    """Neither the headline nor the table speaks of groups that the filters leave out."""
    page = rendered(measured, filters=Filters.parse(["remove"]))
    controls = page.partition('id="controls"')[2]
    assert "remove" in controls and "try_dup_anon" not in controls


@pytest.mark.parametrize(("boots", "said"), [(4, "-"), (6, "yes")])
def test_controls_of_too_few_boots_are_not_said_to_fail(boots: int, said: str) -> None:
    """There is no interval that could lie within the margin, or beyond it."""
    controls = rendered(booted(boots=boots)).partition('id="controls"')[2]
    cells = re.findall(r"<td[^>]*>([^<]*)</td></tr>", controls.partition("</table>")[0])
    assert cells and set(cells) == {said}


def test_a_live_file_makes_a_page_too(cli: Cli) -> None:
    """With published figures and without controls; no page is overwritten unasked."""
    save(forks(), cli.cwd / "run.json")
    first = cli("report", "run.json", "--html", "run.html", "--published")
    assert (first.code, first.out) == (0, "wrote run.html\n"), first
    assert "PUBLISHED FIGURES OF OTHER MACHINES" in (cli.cwd / "run.html").read_text()
    again = cli("report", "run.json", "--html", "run.html")
    assert again.code == 2 and "--force" in again.err


@pytest.fixture(scope="module")
def shown(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page in a browser."""
    scratch = tmp_path_factory.mktemp("page")
    (scratch / "run.html").write_text(page)
    with browser(scratch / "profile") as driver:
        driver.get("about:blank")
        requested(driver)  # those of the browser's own first page
        driver.get((scratch / "run.html").as_uri())
        yield driver


@needs_browser
def test_the_browser_fetches_nothing_and_has_nothing_to_complain_of(shown: Any) -> None:
    """But the page itself."""
    assert [url for url in requested(shown) if not url.endswith("/run.html") and url != "data:,"] == []
    assert shown.get_log("browser") == []


@needs_browser
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_wider_than_the_window(shown: Any, width: int) -> None:
    """Phones, halves of a screen, screens; what is wide scrolls in a frame of its own."""
    resize(shown, width)
    assert shown.execute_script("return document.documentElement.scrollWidth") <= width
    assert shown.execute_script(OVERFLOWING) == []


@needs_browser
def test_light_and_dark_differ(shown: Any) -> None:
    """Background and text change places."""
    colours = []
    for wanted in (False, True):
        dark(shown, wanted)
        colours.append(
            shown.execute_script(
                "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
            )
        )
    dark(shown, False)
    assert colours[0][0] == "rgb(255, 255, 255)" and colours[0] != colours[1]


@needs_browser
def test_the_keyboard_reaches_and_sorts_tables(shown: Any) -> None:
    """Tab stops at headings of columns; Enter sorts up, then down."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    table = next(t for t in shown.find_elements(By.TAG_NAME, "table") if "folio" in t.text)
    button = table.find_element(By.CSS_SELECTOR, "th button")
    assert shown.execute_script("return arguments[0].tabIndex", button) == 0
    for sort, first in (("ascending", "4K"), ("descending", "2M")):
        button.send_keys(Keys.ENTER)
        assert table.find_element(By.CSS_SELECTOR, "th[aria-sort]").get_attribute("aria-sort") == sort
        assert table.find_element(By.CSS_SELECTOR, "tbody th").text.startswith(first)


@needs_browser
def test_the_page_prints(shown: Any, tmp_path: Path) -> None:
    """As a PDF of some pages, not one a line."""
    data = base64.b64decode(shown.execute_cdp_cmd("Page.printToPDF", {})["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", data))
    assert data.startswith(b"%PDF") and 2 <= pages <= 12
