"""Data docs in a real browser: wide and narrow, with many checks and long names; what the basics of RGAA ask."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from flows.serve import make_app
from flows.settings import load_settings
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.browser.conftest import look
from tests.conftest import PROJECT, csv_text, rows, write_project

pytestmark = pytest.mark.browser

TITLE = "Demandes reçues par les services déconcentrés de l’État, y compris outre-mer (hors déclarations rectificatives)"
LONG = "question_posée_" * 9
KINDS = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_unique", "expect_column_value_lengths_to_be_between")
CONTRAST = """() => {
  const light = c => { const v = c.map(x => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4 });
                       return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
  const parts = s => s.match(/[\\d.]+/g).map(Number);
  const poor = [];
  for (const e of document.querySelectorAll('main *, nav *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    let under = e;
    while (under && parts(getComputedStyle(under).backgroundColor)[3] === 0) under = under.parentElement;
    const [a, b] = [parts(getComputedStyle(e).color), under ? parts(getComputedStyle(under).backgroundColor) : [255, 255, 255]]
      .map(c => light(c.slice(0, 3))).sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  return poor;
}"""


@pytest.fixture
def docs(root: Path) -> Iterator[str]:
    """Address of a docs server. The dataset of `essai` has a long title and 60 expectations."""
    asked = [{"type": KINDS[n % 3], "kwargs": {"column": ("texte", "theme", "id")[n % 3]}, "severity": "warning"} for n in range(60)]
    for n, one in enumerate(asked):
        one["kwargs"] |= {"min_value": n, "max_value": 90} if one["type"].endswith("between") else {}
        one["kwargs"] |= {"mostly": 0.95} if n % 5 == 0 else {}
    asked.append({"type": "expect_column_values_to_match_regex", "kwargs": {"column": "texte", "regex": f"^(?:{LONG}|{LONG})$"}})
    text = PROJECT.replace("title: Demandes reçues", f"title: {TITLE}").replace("on_failure: block", "on_failure: warn")
    write_project(root, text=text, suite={"name": "d", "expectations": json.loads(json.dumps(asked))})
    server = uvicorn.Server(uvicorn.Config(make_app(load_settings()), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def pages(docs: str, root: Path) -> list[str]:
    """Addresses, from the home page to a report with a history."""
    for count in (20, 30, 25):
        (root / "projects" / "essai" / "data" / "demandes.csv").write_text(csv_text([*rows(count), ("x" * 90, "", "")]))
        with open_run("essai") as run:
            report = load_dataset(run, "demandes").report
    assert report is not None
    return [f"{docs}{path}" for path in ("/", "/essai", "/essai/donnees/demandes", f"/essai/donnees/demandes/{report.load_id}")]


@pytest.fixture
def view(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(locale="fr-FR")
    yield page
    page.close()


@pytest.mark.parametrize("width", [1300, 390, 320])
def test_nothing_is_cut_off_and_all_can_be_read(pages: list[str], view: Page, width: int) -> None:
    view.set_viewport_size({"width": width, "height": 900})
    for number, address in enumerate(pages):
        view.goto(address)
        for more in view.locator("summary").all()[:2]:
            if more.is_visible():
                more.click()
        look(view, f"3{number}-docs-{width}")
        assert view.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
        assert view.evaluate(CONTRAST) == [], address


def test_the_basics_for_screen_readers(pages: list[str], view: Page) -> None:
    titles = set()
    for address in pages:
        view.goto(address)
        titles.add(view.title())
        assert view.locator("html").get_attribute("lang") == "fr"
        assert view.locator("h1").count() == view.locator("main").count() == 1
        for table in view.locator("table").all():
            assert table.locator("> caption").count() == 1 and table.locator("> thead th:not([scope])").count() == 0
        for drawing in view.locator("svg").all():
            assert drawing.get_attribute("role") == "img" and "Contrôlé 3 fois" in (drawing.get_attribute("aria-label") or "")
    assert len(titles) == len(pages), "each page has a title of its own"


def test_the_way_from_page_to_page(pages: list[str], view: Page) -> None:
    view.goto(pages[0])
    for link in ("essai", "Toutes les versions", "Publié avec réserves", "Version précédente", "Version suivante"):
        view.get_by_role("link", name=link).first.click()
    assert view.url == pages[3]
    view.get_by_text("Historique").first.click()
    assert view.get_by_role("table", name="Historique du contrôle").first.is_visible()


def test_before_the_first_load(docs: str, view: Page) -> None:
    view.set_viewport_size({"width": 390, "height": 900})
    view.goto(f"{docs}/essai/donnees/demandes")
    look(view, "34-docs-empty")
    assert view.get_by_text("Aucune version n'a encore été publiée").is_visible()
