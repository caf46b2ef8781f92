"""A person in Chromium: find the project, run it from the form, watch, read the result."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import look, open_artifact, open_deployment, open_form, open_run, submit_form
from tests.platform import Platform

pytestmark = pytest.mark.browser


def test_find_run_watch_and_read(page: Page, platform: Platform) -> None:
    open_deployment(page, platform, "pipeline")
    look(page, "1-deployment")
    open_form(page, platform, "pipeline")
    look(page, "2-form")
    run = submit_form(page)

    open_run(page, platform, run, "Completed")
    look(page, "3-run")
    open_artifact(page, "resume-essai")
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
