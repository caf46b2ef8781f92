"""A page of a real Chromium, and what every test does with it. Screenshots go to $SOCLE_SCREENSHOTS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.platform import Platform

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
VIEWPORT: ViewportSize = {"width": 1300, "height": 1100}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip(f"no Chromium at {CHROMIUM} (SOCLE_CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport=VIEWPORT, locale="fr-FR")
    page.set_default_timeout(30_000)
    return page


def look(page: Page, name: str) -> None:
    if folder := SCREENSHOTS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def open_deployment(page: Page, platform: Platform, flow: str, project: str = "essai") -> None:
    page.goto(f"{platform.ui}/deployments")
    page.get_by_placeholder("Search deployments...").fill(project)  # the list shows ten at a time
    page.get_by_role("row").filter(has=page.get_by_text(flow, exact=True)).filter(has_text=project).get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def open_form(page: Page, platform: Platform, flow: str, project: str = "essai") -> None:
    open_deployment(page, platform, flow, project)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    expect(page.get_by_text("Le projet de ce déploiement.")).to_be_visible()


def choose(page: Page, field: str, value: str) -> None:
    """Pick a value from the list of a form's field."""
    button = page.locator(".schema-form-property").filter(has_text=field).locator(".p-select-button__control")
    button.focus()
    option = page.locator(".p-select-option").filter(has_text=re.compile(rf"^{re.escape(value)}$"))
    for _ in range(20):  # the list opens only once the field is bound
        page.keyboard.press("Space")
        page.wait_for_timeout(500)
        if option.count():
            break
        button.focus()
    option.click()
    expect(button).to_have_text(value)


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


def open_run(page: Page, platform: Platform, run: str, state: str) -> None:
    page.goto(f"{platform.ui}/runs/flow-run/{run}")
    expect(page.get_by_text(state, exact=True).first).to_be_visible(timeout=RUN_MS)


def open_artifact(page: Page, key: str) -> None:
    """From the page of a run."""
    page.get_by_text("Artifacts", exact=True).first.click()
    page.locator("a[href*='/artifacts/artifact/']").filter(has_text=key).first.click()
    expect(page.get_by_text("Show raw data")).to_be_visible()


def open_menu(page: Page) -> None:
    """The three dots at the top of a run's page."""
    page.locator(".page-heading button").last.click()
