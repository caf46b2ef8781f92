"""What a project team does when things go otherwise: a refused value, a failed run, cancelling, running again, going back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import choose, look, open_artifact, open_form, open_menu, open_run, submit_form
from tests.platform import Platform

pytestmark = pytest.mark.browser


@pytest.fixture
def two_versions(platform: Platform) -> Iterator[Platform]:
    """`essai` with a version of 90 rows and a newer one of 96."""
    for count in (90, 96):
        platform.write_rows(count)
        assert platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))["state_type"] == "COMPLETED"
    yield platform
    platform.write_rows(90)


def count_runs(platform: Platform) -> int:
    return int(platform.api("flow_runs/count", {"deployments": {"name": {"any_": ["essai"]}}}))


def test_the_form_refuses_a_bad_value_beside_its_field(page: Page, platform: Platform) -> None:
    before = count_runs(platform)
    open_form(page, platform, "rollback")
    choose(page, "Version", "demandes")
    page.locator("textarea").fill("abc")
    refused = page.get_by_text("is too short")
    for _ in range(20):  # before its fields are bound, the form takes the click and does nothing
        page.get_by_role("button", name="Submit").click()
        page.wait_for_timeout(1000)
        if refused.count():
            break
    expect(refused.first).to_be_visible()
    expect(page.get_by_text("5 caractères au moins")).to_be_visible()
    look(page, "7-refused-value")
    assert count_runs(platform) == before


def test_a_bad_value_that_the_form_was_told_to_accept_is_refused_by_the_run(page: Page, platform: Platform) -> None:
    open_form(page, platform, "rollback")
    choose(page, "Version", "demandes")
    page.locator("textarea").fill("abc")
    page.get_by_text("Validate parameters").click()
    open_run(page, platform, submit_form(page), "Failed")
    expect(page.get_by_text("« Pourquoi » : 5 caractères au moins. À faire : corriger cette valeur").first).to_be_visible()
    look(page, "8-refused-by-the-run")
    open_artifact(page, "echecs-essai")
    expect(page.get_by_text("Corriger cette valeur").first).to_be_visible()


def test_a_failed_run_says_what_to_do(page: Page, platform: Platform) -> None:
    platform.write_rows(90, ("d99999", "", "paie"))  # the suite refuses a row without text
    try:
        run = platform.trigger("pipeline/essai", {"project": "essai"})
        open_run(page, platform, run, "Failed")
        look(page, "9-failed-run")
        open_artifact(page, "resume-essai")
        look(page, "10-failed-result")
        expect(page.get_by_role("heading", name="À faire")).to_be_visible()
        body = page.inner_text("body")
        assert "Quelque chose a été refusé" in body
        assert "Ce qui était publié le reste" in body
        page.goto(page.get_by_text("Voir tous les contrôles").first.get_attribute("href") or "")
        expect(page.get_by_text("Refus").first).to_be_visible()
        look(page, "11-failed-data-docs")
    finally:
        platform.write_rows(90)


def test_go_back_to_the_version_before(page: Page, two_versions: Platform) -> None:
    open_form(page, two_versions, "rollback")
    look(page, "12-versions-to-choose")
    choose(page, "Version", "demandes")
    page.locator("textarea").fill("Lignes en double, demandé par l'équipe")
    open_run(page, two_versions, submit_form(page), "Completed")
    open_artifact(page, "retour-essai-demandes")
    look(page, "13-rollback")
    body = page.inner_text("body")
    assert "Lignes en double, demandé par l'équipe" in body
    assert "annuler" in body, "it says how to undo it"


def test_cancel_and_run_again(page: Page, platform: Platform) -> None:
    with platform.waiting():
        open_form(page, platform, "ingest", "lent")
        run = submit_form(page)
        platform.wait_running(run)
        open_run(page, platform, run, "Running")
        look(page, "14-running")
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Confirm").click()
        open_run(page, platform, run, "Cancelled")
        look(page, "15-cancelled")
    open_menu(page)
    page.get_by_text("Copy to new run").click()
    expect(page.get_by_text("Le projet de ce déploiement.")).to_be_visible()
    again = submit_form(page)
    open_run(page, platform, again, "Completed")
