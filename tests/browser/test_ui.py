"""A person in Chromium: find the project, run it from the form, watch, read the result. Screenshots go to $SOCLE_SCREENSHOTS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.platform import Platform

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("SOCLE_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = os.environ.get("SOCLE_SCREENSHOTS")  # read before tests clear the environment
RUN_MS = 180_000


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip(f"no Chromium at {CHROMIUM} (SOCLE_CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1300, "height": 1100}, locale="fr-FR")
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def look(page: Page, name: str) -> None:
    if folder := SCREENSHOTS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def open_deployment(page: Page, platform: Platform, flow: str) -> None:
    page.goto(f"{platform.ui}/deployments")
    page.get_by_role("row").filter(has=page.get_by_text(flow, exact=True)).filter(has_text="essai").get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def submit_form(page: Page) -> str:
    """Submit the open form; the id of the run that it made."""
    with page.expect_response(re.compile("create_flow_run")) as answer:
        # Before its fields are bound, the form takes the click and does nothing: ask until it sends.
        for _ in range(20):
            page.get_by_role("button", name="Submit").click()
            page.wait_for_timeout(500)
            if "/run" not in page.url:
                break
    return str(answer.value.json()["id"])


def test_find_run_watch_and_read(page: Page, platform: Platform) -> None:
    open_deployment(page, platform, "pipeline")
    look(page, "1-deployment")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    expect(page.get_by_text("Le projet de ce déploiement.")).to_be_visible()
    look(page, "2-form")
    run = submit_form(page)

    page.goto(f"{platform.ui}/runs/flow-run/{run}")
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=RUN_MS)
    look(page, "3-run")
    page.get_by_text("Artifacts", exact=True).first.click()
    page.locator("a[href*='/artifacts/artifact/']").first.click()
    expect(page.get_by_role("heading", name="Données")).to_be_visible()
    body = page.inner_text("body")
    assert re.search(r"90 lignes lues, 90 gardées|rien n'a été refait", body)
    assert not re.search(r"\d[.,]\d{5,}", body), "figures are rounded"
    look(page, "4-result")

    page.goto(page.get_by_text("fiche du modèle").first.get_attribute("href") or "")
    expect(page.get_by_role("heading", name="Thème d'une demande")).to_be_visible()
    look(page, "5-model-card")


def test_the_steps_have_french_names(page: Page, platform: Platform) -> None:
    run = platform.trigger("ingest/essai", {"project": "essai"})
    platform.wait(run)
    page.goto(f"{platform.ui}/runs/flow-run/{run}")
    page.get_by_text("Task Runs", exact=True).click()
    expect(page.get_by_text("demandes : que faut-il faire ?").first).to_be_visible()


def test_project_page_leads_to_data_docs(page: Page, platform: Platform) -> None:
    platform.wait(platform.trigger("pipeline/essai", {"project": "essai"}))
    page.goto("about:blank")  # what the page before still asked for is cut off here, unseen
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(f"{platform.docs}/essai")
    expect(page.get_by_text("Version 1").first).to_be_visible()
    page.get_by_role("link", name="contrôles").first.click()
    expect(page.get_by_text("Conforme")).to_be_visible()
    expect(page.get_by_text("2 / 2")).to_be_visible()
    look(page, "6-data-docs")
    assert failed == [], "the page asks for nothing that it cannot have"
