"""What happened -> a message in French that says what, where, and what to do. Whom it goes to is not known here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from flows.deployments import LOST
from flows.errors import ConfigurationError, SocleError
from flows.settings import Settings
from flows.validation import load_project

PARIS = ZoneInfo("Europe/Paris")
MOST = 1500  # characters of one text that others wrote
ALL = re.compile(r"@(?=all\b|channel\b|here\b|room\b)", re.IGNORECASE)

Text = Annotated[str, BeforeValidator(lambda value: ALL.sub("@\u200b", str(value if value is not None else ""))[:MOST])]
"""Text of others: it shall not call a whole channel, and not fill it."""


@dataclass(frozen=True)
class Message:
    project: str
    """Empty: it is about no project."""
    key: str
    """Messages with the same key within a while are told as one."""
    title: str
    text: str
    severity: Literal["failure", "warning", "success", "info"] = "warning"


@dataclass(frozen=True)
class Kind:
    title: str
    what: str
    todo: str
    page: str
    severity: Literal["failure", "warning"] = "failure"


KINDS = {
    "failed": Kind(
        "Échec",
        "a échoué",
        "lire le résumé de l'exécution (onglet « Artifacts »), corriger ce qu'il dit, puis relancer. Ce qui était publié le reste.",
        "run-failed",
    ),
    "crashed": Kind(
        "Interruption",
        "a été interrompue",
        "relancer ; c'est toujours sans risque. Si cela se reproduit, regarder la mémoire et le disque de la machine.",
        "run-crashed",
    ),
    "lost": Kind(
        "Exécution perdue",
        "ne donne plus signe de vie et a été close",
        "vérifier que la machine et le worker fonctionnent, puis relancer ; c'est toujours sans risque.",
        "zombie-run",
    ),
    "late": Kind(
        "Retard",
        "n'a pas commencé",
        "vérifier qu'un worker prend les exécutions de ce projet, et qu'une autre n'occupe pas sa place.",
        "run-late",
        "warning",
    ),
}


class RunEvent(BaseModel):
    """What an automation says (flows/deploy/automations.py)."""

    kind: Literal["failed", "crashed", "late"]
    run: Annotated[str, Field(pattern=r"^[0-9a-f-]{0,36}$")] = ""
    flow: Text = ""
    project: Text = ""
    message: Text = ""
    due: Text = ""


class Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: dict[str, Text] = {}
    annotations: dict[str, Text] = {}
    startsAt: Text = ""


class Alerts(BaseModel):
    """What Alertmanager says: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

    alerts: Annotated[list[Alert], Field(max_length=1000)]


def of_run(settings: Settings, body: Any) -> Message:
    event = _parsed(RunEvent, body)
    kind = "lost" if event.kind == "crashed" and event.message == LOST else event.kind
    said = KINDS[kind]
    about = _project(settings, event.project)
    lines = [f"L'exécution « {event.flow} » du projet {about} {said.what}{_since(kind, event.due)}."]
    if event.message and kind in ("failed", "crashed"):
        lines.append(f"Raison : {event.message}")
    if "À faire : " not in event.message:  # the run knows better than we do
        lines.append(f"À faire : {said.todo}")
    if event.run:
        lines.append(f"L'exécution : {ui(settings)}/runs/flow-run/{event.run}")
    lines.append(f"Si cela ne suffit pas : {runbook(settings, said.page)}")
    title = f"{said.title} : {event.flow}, projet {event.project or 'inconnu'}"
    return Message(event.project, f"{kind}/{event.project}/{event.flow}", title, "\n".join(lines), said.severity)


def of_alerts(settings: Settings, body: Any) -> list[Message]:
    return [_of_alert(settings, alert) for alert in _parsed(Alerts, body).alerts]


def _of_alert(settings: Settings, alert: Alert) -> Message:
    name, project = alert.labels.get("alertname", "alerte"), alert.labels.get("project", "")
    notes = alert.annotations
    over = alert.status == "resolved"
    summary = notes.get("summary") or name
    lines = [f"{'Terminé' if over else 'Alerte'} : {summary}"]
    if project:
        lines.append(f"Projet : {_project(settings, project)}")
    if not over:
        lines += [notes["description"]] if notes.get("description") else []
        lines += [f"À faire : {notes['action']}"] if notes.get("action") else []
        page = PurePosixPath(notes.get("runbook") or _kebab(name)).stem
        lines.append(f"Si cela ne suffit pas : {notes.get('runbook_url') or runbook(settings, page)}")
    if since := _moment(alert.startsAt):
        lines.append(f"Depuis : {since}")
    severity: Literal["failure", "warning", "success"] = "warning"
    severity = "success" if over else "failure" if alert.labels.get("severity") == "critical" else severity
    which = "/".join(f"{key}={value}" for key, value in sorted(alert.labels.items()))
    return Message(project, f"{alert.status}/{which}", f"{'Terminé' if over else 'Alerte'} : {summary}", "\n".join(lines), severity)


def trial(project: str) -> Message:
    """What `socle notify` sends."""
    text = "Ceci est un essai : les messages de la plateforme Socle arrivent bien ici.\nÀ faire : rien."
    return Message(project, "essai", "Essai des notifications", text, "info")


def folded(first: Message, others: list[Message], count: int) -> Message:
    """What came after the first message of a kind, as one."""
    lines = [f"{count} autre{'s' * (count > 1)} depuis le message « {first.title} »."]
    lines += [line for each in others for line in each.text.splitlines() if line.startswith("L'exécution : ")]
    if count > len(others):
        lines.append(f"... et {count - len(others)} encore, à voir dans l'interface.")
    return Message(first.project, first.key, f"{first.title} ({count} autre{'s' * (count > 1)})", "\n".join(lines), first.severity)


def ui(settings: Settings) -> str:
    import os

    api = os.environ.get("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    return settings.ui_url.rstrip("/") or api.removesuffix("/").removesuffix("/api")


def runbook(settings: Settings, page: str) -> str:
    return f"{settings.runbook_url.rstrip('/')}/{page}.md" if settings.runbook_url else f"docs/ops/{page}.md"


def _project(settings: Settings, name: str) -> str:
    try:
        return f"« {load_project(settings.root, name).title} » ({name})"
    except SocleError:  # gone, or it does not load: its name says enough
        return f"« {name or 'inconnu'} »"


def _since(kind: str, due: str) -> str:
    moment = _moment(due)
    return f" ; elle était prévue le {moment}" if kind == "late" and moment else ""


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f"{moment.astimezone(PARIS):%d/%m/%Y à %H h %M}" if moment.year > 1 else ""


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _parsed(model: type[Any], body: Any) -> Any:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        where = "; ".join(".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors(include_input=False)[:3])
        raise ConfigurationError(f"not what is understood here: {where}", where=f"the {model.__name__} that was sent") from None
