"""A person in Chromium behind the login proxy: log in, find the project, run it from the form. Nothing is asked of any other host."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, HttpCredentials, Page, TimeoutError, expect

from tests.browser.conftest import RUN_MS, VIEWPORT, look, open_artifact
from tests.proxy import PEOPLE
from tests.stack import Stack, created_by

pytestmark = pytest.mark.browser

CAMILLE = next(iter(PEOPLE))


def open_page(browser: Browser, password: str | None) -> Page:
    login: HttpCredentials | None = {"username": CAMILLE, "password": password} if password else None
    context = browser.new_context(ignore_https_errors=True, http_credentials=login, locale="fr-FR", viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(60_000)
    return page


def submit(page: Page) -> str:
    """The id of the run. Before its fields are bound the form takes a click and does nothing, and after one it may be gone."""
    with page.expect_response(re.compile("create_flow_run")) as answer:
        while page.url.endswith("/run") or "/run?" in page.url:
            with suppress(TimeoutError):
                page.get_by_role("button", name="Submit").click(timeout=5_000)
            page.wait_for_timeout(500)
    return str(answer.value.json()["id"])


def test_without_the_password_there_is_no_page(browser: Browser, stack: Stack) -> None:
    page = open_page(browser, "faux")
    answer = page.goto(stack.proxy.people)
    assert answer is not None and answer.status == 401


def test_log_in_run_and_read_without_any_other_host(browser: Browser, stack: Stack) -> None:
    page = open_page(browser, PEOPLE[CAMILLE])
    hosts: set[str] = set()
    refused: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on(
        "response", lambda answer: refused.append(f"{answer.status} {answer.request.method} {answer.url}") if answer.status >= 400 else None
    )

    page.goto(f"{stack.proxy.people}/deployments")
    page.get_by_role("row").filter(has=page.get_by_text("pipeline", exact=True)).get_by_role("link").first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    expect(page.get_by_text("Le projet de ce déploiement.")).to_be_visible()
    run = submit(page)
    page.goto(f"{stack.proxy.people}/runs/flow-run/{run}")
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=RUN_MS)
    look(page, "7-behind-the-proxy")
    open_artifact(page, "resume-essai")
    expect(page.get_by_role("heading", name="Données")).to_be_visible()
    card = page.get_by_text("fiche du modèle").first.get_attribute("href") or ""
    assert card.startswith(f"{stack.proxy.people}/docs/essai/modeles/")
    page.goto(card)
    expect(page.get_by_role("heading", name="Thème d'une demande")).to_be_visible()
    look(page, "8-docs-behind-the-proxy")

    assert hosts == {urlsplit(stack.proxy.people).netloc}
    assert [line for line in refused if re.match(r"403|5..", line)] == [], "what the UI needs is let through"
    blocked = [text for text in said if "Content Security Policy" in text or text.startswith("error:")]
    assert [text for text in blocked if "amplitude" not in text] == [], "the policy stops the analytics host, and nothing that the UI needs"
    assert created_by(stack.platform.api(f"flow_runs/{run}")) == CAMILLE


def test_pages_that_people_use_lack_nothing(browser: Browser, stack: Stack) -> None:
    """A new version of Prefect's UI may call what our list does not let through."""
    run = stack.platform.trigger("ingest/essai", {"project": "essai"})
    stack.platform.wait(run)
    deployment = stack.platform.api("deployments/name/pipeline/essai")["id"]
    page = open_page(browser, PEOPLE[CAMILLE])
    lacking: list[str] = []
    page.on(
        "response",
        lambda a: lacking.append(f"{a.status} {a.request.method} {a.url}") if a.status in (401, 403) or a.status >= 500 else None,
    )
    page.on("pageerror", lambda error: lacking.append(str(error)))
    for path in (
        "dashboard",
        "runs",
        "deployments",
        f"deployments/deployment/{deployment}/run",
        f"runs/flow-run/{run}",
        "automations",
        "events",
    ):
        page.goto(f"{stack.proxy.people}/v2/{path}")
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("link", name="Deployments").first).to_be_visible()
        assert lacking == [], path
