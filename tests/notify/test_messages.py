"""What people read, and what others' text cannot do in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flows.deployments import LOST
from flows.errors import ConfigurationError
from flows.notify import messages
from flows.settings import Settings, load_settings
from tests.conftest import REPOSITORY

RUN = "7f2a9f4f-57a7-4471-8862-25dbdc25cb67"
FAILED = {
    "kind": "failed",
    "run": RUN,
    "name": "essai",
    "flow": "ingest",
    "project": "essai",
    "state": "Failed",
    "message": "demandes refusé – une ligne sans texte.",
    "due": "2026-11-24 13:19:04.131542+00:00",
}


@pytest.fixture
def settings(root: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    return load_settings()


def test_a_failure_says_what_where_why_and_what_to_do(settings: Settings) -> None:
    message = messages.of_run(settings, FAILED)
    assert message.title == "Échec : ingest, projet essai"
    assert message.text.splitlines() == [
        "L'exécution « ingest » du projet « Demandes » (essai) a échoué.",
        "Raison : demandes refusé – une ligne sans texte.",
        "À faire : lire le résumé de l'exécution (onglet « Artifacts »), corriger ce qu'il dit, puis relancer. "
        "Ce qui était publié le reste.",
        f"L'exécution : http://127.0.0.1:4200/runs/flow-run/{RUN}",
        "Si cela ne suffit pas : docs/ops/run-failed.md",
    ]


def test_what_the_run_says_to_do_is_not_said_twice(settings: Settings) -> None:
    message = messages.of_run(settings, FAILED | {"message": "Refusé. À faire : corriger la source."})
    assert message.text.count("À faire : ") == 1


def test_a_run_that_was_lost_is_told_as_such(settings: Settings) -> None:
    lost = messages.of_run(settings, FAILED | {"kind": "crashed", "message": LOST})
    crashed = messages.of_run(settings, FAILED | {"kind": "crashed", "message": "Process exited with status code: -9."})
    assert "ne donne plus signe de vie et a été close" in lost.text and "zombie-run.md" in lost.text
    assert "a été interrompue" in crashed.text and "status code: -9" in crashed.text and "run-crashed.md" in crashed.text


def test_a_late_run_says_when_it_was_due_in_paris(settings: Settings) -> None:
    message = messages.of_run(settings, FAILED | {"kind": "late", "message": ""})
    assert "n'a pas commencé ; elle était prévue le 24/11/2026 à 14 h 19." in message.text


def test_addresses_that_people_can_open(settings: Settings) -> None:
    public = settings.model_copy(update={"ui_url": "https://socle.example/", "runbook_url": "https://docs.example/ops/"})
    text = messages.of_run(public, FAILED).text
    assert f"https://socle.example/runs/flow-run/{RUN}" in text and "https://docs.example/ops/run-failed.md" in text


@pytest.mark.parametrize("project", ["inconnu", "", "../ailleurs"])
def test_a_project_that_is_not_there_is_named_all_the_same(settings: Settings, project: str) -> None:
    assert f"du projet « {project or 'inconnu'} »" in messages.of_run(settings, FAILED | {"project": project}).text


@pytest.mark.parametrize("kind", messages.KINDS.values(), ids=messages.KINDS)
def test_every_message_has_a_page_in_the_runbook(kind: messages.Kind) -> None:
    assert (REPOSITORY / "docs" / "ops" / f"{kind.page}.md").exists()


@pytest.mark.parametrize("body", [None, [], 3, {"kind": "autre"}, {}, FAILED | {"run": "<script>"}])
def test_what_is_not_understood_is_refused_without_being_repeated(settings: Settings, body: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        messages.of_run(settings, body)
    assert "script" not in str(refused.value)


ALERT = {
    "status": "firing",
    "labels": {"alertname": "StaleData", "project": "essai", "severity": "warning"},
    "annotations": {
        "summary": "demandes n'a pas changé depuis 3 jours",
        "description": "Dernière version : 21/11.",
        "action": "vérifier la source",
    },
    "startsAt": "2026-11-24T13:00:00Z",
}


def test_an_alert_and_its_end(settings: Settings) -> None:
    (alert,) = messages.of_alerts(settings, {"version": "4", "alerts": [ALERT]})
    assert alert.project == "essai" and alert.title == "Alerte : demandes n'a pas changé depuis 3 jours"
    assert "À faire : vérifier la source" in alert.text and "docs/ops/stale-data.md" in alert.text and "24/11/2026 à 14 h 00" in alert.text
    (over,) = messages.of_alerts(settings, {"alerts": [ALERT | {"status": "resolved"}]})
    assert over.title.startswith("Terminé : ") and over.severity == "success" and "À faire" not in over.text
    assert over.key != alert.key


def test_a_page_that_an_alert_names_is_taken(settings: Settings) -> None:
    named = ALERT | {"annotations": {"runbook_url": "https://docs.example/ops/stale-data.md"}}
    assert "https://docs.example/ops/stale-data.md" in messages.of_alerts(settings, {"alerts": [named]})[0].text
    public = settings.model_copy(update={"runbook_url": "https://docs.example/ops"})
    ours = ALERT | {"annotations": {"runbook": "docs/ops/disk.md"}}
    assert "https://docs.example/ops/disk.md" in messages.of_alerts(public, {"alerts": [ours]})[0].text


def test_what_is_told_as_one_has_the_links(settings: Settings) -> None:
    first = messages.of_run(settings, FAILED)
    others = [messages.of_run(settings, FAILED | {"run": RUN.replace("7f2a", f"{n:04d}")}) for n in range(3)]
    one = messages.folded(first, others, 5)
    assert one.title == "Échec : ingest, projet essai (5 autres)" and one.text.count("/runs/flow-run/") == 3
    assert "... et 2 encore" in one.text


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["flow", "project", "message", "due"]), st.one_of(st.text(), st.none(), st.integers(), st.just("@all @channel"))
    )
)
def test_no_text_of_others_calls_everybody_or_fills_the_channel(settings: Settings, fields: dict[str, Any]) -> None:
    message = messages.of_run(settings, {"kind": "failed"} | fields)
    assert "@all" not in message.text.lower() and "@channel" not in (message.title + message.text).lower()
    assert len(message.text) < 8 * messages.MOST
