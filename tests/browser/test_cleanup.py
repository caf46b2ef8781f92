"""The form of a cleanup in a real browser: it only shows, unless somebody says otherwise."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import look, open_artifact, open_form, open_run, submit_form
from tests.platform import Platform

pytestmark = pytest.mark.browser


def test_a_cleanup_is_shown_before_anything_is_deleted(page: Page, platform: Platform) -> None:
    assert platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))["state_type"] == "COMPLETED"
    open_form(page, platform, "maintain")
    expect(page.get_by_text("Montrer seulement").first).to_be_visible()
    look(page, "17-cleanup-form")
    run = submit_form(page)
    open_run(page, platform, run, "Completed")
    assert platform.api(f"flow_runs/{run}")["parameters"].get("dry_run", True) is True
    open_artifact(page, "menage-essai")
    expect(page.get_by_role("heading", name="Ce que le ménage supprimerait")).to_be_visible()
    expect(page.get_by_text("Rien à supprimer")).to_be_visible()
    look(page, "18-cleanup-result")
