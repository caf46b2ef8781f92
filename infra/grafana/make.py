"""Makes the Grafana dashboards: `python infra/grafana/make.py` writes dashboards/*.json, and a test compares.

A dashboard is a list of rows, a row a title and its panels. Where a panel goes follows from its width; what all panels share is
said once. Every expression names metrics of flows/monitor/catalogue.py only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
STATES = {"completed": "green", "failed": "red", "crashed": "dark-red", "cancelled": "yellow", "running": "blue", "pending": "light-blue"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    title: str
    expressions: dict[str, str]
    """Legend -> expression; in a table, name of the column of values (none if it is always 1) -> expression."""
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7
    text: str = ""
    """What it says, for who hovers over its corner."""
    steps: list[tuple[float | None, str]] = field(default_factory=list)
    """Colours from a value on."""
    columns: dict[str, str] = field(default_factory=dict)
    """Of a table: label -> heading, in this order; other labels are hidden."""
    most: float | None = None


def stat(title: str, expression: str, text: str, bad_from: float | None = 1, unit: str = "short", width: int = 3) -> Panel:
    steps: list[tuple[float | None, str]] = [(None, "green")]
    steps += [(bad_from, "red")] if bad_from is not None else []
    return Panel(title, {title: expression}, "stat", unit, width, 4, text, steps)


def table(title: str, value: str, expression: str, columns: dict[str, str], unit: str, text: str, width: int = 12) -> Panel:
    return Panel(title, {value: expression}, "table", unit, width, 8, text, columns=columns)


RUN_COLUMNS = {"project": "Project", "flow": "Flow", "state": "State"}
OPS: list[tuple[str, list[Panel]]] = [
    (
        "Now",
        [
            stat("Alerts", 'count(ALERTS{alertstate="firing"}) or vector(0)', "Alerts that fire. Each has a page in docs/ops/."),
            stat("Failing", 'sum(socle_run_last_state{state=~"failed|crashed"})', "Flows whose latest run failed or crashed."),
            stat("Projects late", "count(socle_runs_late_seconds > 900) or vector(0)", "With a run that has waited 15 min for a worker."),
            stat("Running", 'sum(socle_runs_active{state="running"})', "Runs that execute now.", None),
            stat("Waiting", "sum(socle_runs_due)", "Runs that are due and have not begun.", None),
            stat(
                "Workers missing",
                "count((socle_workers_online == 0) * on (pool) (socle_deployments > 0)) or vector(0)",
                "Pools without one.",
            ),
            stat("Unreadable", "sum(socle_project_unreadable)", "Projects whose file or data cannot be read."),
            stat("Services down", "count(socle_reachable == 0) or vector(0)", "Of Prefect, docs and storage."),
        ],
    ),
    (
        "Runs",
        [
            Panel(
                "Ended within the window",
                {"{{state}}": "sum by (state) (socle_runs_ended)"},
                text="SOCLE_METRICS_WINDOW_HOURS, 24 h unless set.",
            ),
            Panel("Under way", {"{{state}}": "sum by (state) (socle_runs_active)"}),
            Panel("Due, not begun", {"{{waits_for}}": "sum by (waits_for) (socle_runs_due)"}, text="What they wait for."),
            Panel("Late for a worker", {"{{project}}": "topk(10, socle_runs_late_seconds > 0)"}, unit="s", text="The ten latest projects."),
            Panel(
                "Longest runs",
                {"{{project}} {{flow}}": 'topk(10, socle_run_duration_seconds{statistic="max"})'},
                unit="s",
                text="Of those that ended within the window.",
            ),
            Panel(
                "Oldest run under way",
                {"{{project}} {{flow}} {{state}}": "topk(10, socle_runs_oldest_seconds > 0)"},
                unit="s",
                text="One that never ends: docs/ops/zombie-run.md",
            ),
            table(
                "Failing flows",
                "",
                'socle_run_last_state{state=~"failed|crashed"} == 1',
                RUN_COLUMNS,
                "short",
                "Their latest run ended so.",
            ),
            table(
                "Time since the last success, of what has a schedule",
                "Since",
                "time() - socle_run_last_success_timestamp_seconds and on (project, flow) socle_schedule_period_seconds",
                {"project": "Project", "flow": "Flow"},
                "s",
                "Later than the schedule and its grace: docs/ops/no-recent-run.md",
            ),
        ],
    ),
    (
        "Workers and queues",
        [
            Panel("Workers online", {"{{pool}}": "socle_workers_online"}),
            Panel("Queues not asked for", {"{{project}}": "topk(10, time() - socle_queue_polled_timestamp_seconds > 60)"}, unit="s"),
            table("Paused queues", "", "socle_queue_paused == 1", {"project": "Project"}, "short", "Their runs wait.", width=8),
        ],
    ),
    (
        "Data and cost",
        [
            Panel("Rows refused", {"{{project}} {{dataset}}": "topk(10, socle_dataset_refused_ratio > 0)"}, unit="percentunit"),
            Panel(
                "Checks passed", {"{{project}} {{dataset}}": "bottomk(10, socle_dataset_checks_passed_ratio)"}, unit="percentunit", most=1
            ),
            Panel("Age of the data", {"{{project}} {{dataset}}": "topk(10, time() - socle_dataset_version_timestamp_seconds)"}, unit="s"),
            Panel("Storage by project", {"{{project}}": "topk(20, sum by (project) (socle_storage_bytes))"}, unit="bytes"),
            Panel("Storage by kind", {"{{kind}}": "sum by (kind) (socle_storage_bytes)"}, unit="bytes"),
            Panel(
                "Training time",
                {"{{project}}": "topk(20, sum by (project) (socle_model_training_seconds))"},
                unit="s",
                text="All versions together.",
            ),
        ],
    ),
    (
        "Machine and monitoring",
        [
            Panel("Free disk", {"{{place}}": "socle_disk_free_bytes / socle_disk_size_bytes"}, unit="percentunit", most=1),
            Panel("Prefect's database", {"all": "socle_database_bytes", "{{table}}": "socle_database_table_bytes"}, unit="bytes"),
            Panel("Reachable", {"{{service}}": "socle_reachable"}, most=1),
            Panel("Certificates end in", {"{{address}}": "socle_certificate_expiry_timestamp_seconds - time()"}, unit="s"),
            Panel("Age of the numbers", {"{{part}}": "socle_collect_age_seconds"}, unit="s"),
            Panel(
                "Looking takes",
                {"{{part}}": "socle_collect_duration_seconds", "scrape": 'scrape_duration_seconds{job="socle"}'},
                unit="s",
            ),
            Panel("Notifications in an hour", {"{{result}}": "sum by (result) (increase(socle_notify_messages_total[1h]))"}),
            Panel("Not readable", {"{{part}}": "socle_collect_errors"}, text="The exporter's log says what."),
        ],
    ),
]
MINE = '{project="$project"}'
FRENCH_STATES = {"completed": "réussie", "failed": "échouée", "crashed": "interrompue", "cancelled": "annulée"}
TEAM: list[tuple[str, list[Panel]]] = [
    (
        "En ce moment",
        [
            table(
                "Dernière exécution de chaque traitement",
                "",
                f"socle_run_last_state{MINE} == 1",
                {"flow": "Traitement", "state": "Résultat"},
                "short",
                "Comment la dernière exécution de chaque traitement s'est terminé.",
                width=8,
            ),
            table(
                "Dernière réussite",
                "Il y a",
                f"time() - socle_run_last_success_timestamp_seconds{MINE}",
                {"flow": "Traitement"},
                "s",
                "Depuis quand chaque traitement n'a pas réussi.",
                width=8,
            ),
            table(
                "Prochaine exécution prévue",
                "Dans",
                f"socle_schedule_next_timestamp_seconds{MINE} - time()",
                {"flow": "Traitement"},
                "s",
                "D'après la planification du projet. Vide : rien n'est planifié.",
                width=8,
            ),
        ],
    ),
    (
        "Données",
        [
            Panel(
                "Âge de la dernière version",
                {"{{dataset}}": f"time() - socle_dataset_version_timestamp_seconds{MINE}"},
                unit="s",
                text="Le temps depuis que ces données ont été publiées. Une source qui ne change pas ne donne pas de nouvelle version.",
            ),
            Panel("Lignes de la version servie", {"{{dataset}}": 'socle_dataset_rows{project="$project",kind="total"}'}),
            Panel(
                "Lignes du dernier chargement",
                {
                    "{{dataset}} : lues": 'socle_dataset_rows{project="$project",kind="read"}',
                    "{{dataset}} : gardées": 'socle_dataset_rows{project="$project",kind="kept"}',
                    "{{dataset}} : écartées": 'socle_dataset_rows{project="$project",kind="refused"}',
                },
            ),
            Panel(
                "Part des lignes écartées",
                {
                    "{{dataset}}": f"socle_dataset_refused_ratio{MINE}",
                    "{{dataset}} : d'habitude": f"socle_dataset_refused_ratio_usual{MINE}",
                },
                unit="percentunit",
                text="Les lignes que les règles du projet ont refusées ; d'habitude : dans les dix chargements d'avant.",
            ),
            Panel(
                "Qualité : contrôles satisfaits",
                {"{{dataset}}": f"socle_dataset_checks_passed_ratio{MINE}"},
                unit="percentunit",
                most=1,
                text="Part des contrôles que la version servie satisfait.",
            ),
            Panel(
                "Contrôles non satisfaits",
                {"{{dataset}} : {{severity}}": 'socle_dataset_checks{project="$project",result="failed"}'},
                text="Contrôles que la version servie ne satisfait pas, par importance. Lesquels, depuis quand : sa page des contrôles.",
            ),
            table(
                "Conclusion des contrôles",
                "",
                f"socle_dataset_verdict{MINE} == 1",
                {"dataset": "Jeu de données", "verdict": "Conclusion"},
                "short",
                "Ce que les contrôles de la dernière version ont donné.",
                width=8,
            ),
            table(
                "Derniers chargements refusés",
                "Depuis",
                f"time() - socle_dataset_load_refused_timestamp_seconds{MINE}",
                {"dataset": "Jeu de données"},
                "s",
                "Jeux de données dont rien n'a été publié depuis un refus. Pourquoi : la page du jeu de données.",
                width=8,
            ),
        ],
    ),
    (
        "Modèles",
        [
            Panel(
                "Score du modèle servi",
                {
                    "{{model}} : {{metric}}, test": 'socle_model_score{project="$project",side="test"}',
                    "{{model}} : {{metric}}, demandé": f"socle_model_score_wanted{MINE}",
                },
                most=1,
                text="Sur des lignes que le modèle n'a jamais vues ; 1 serait parfait.",
            ),
            Panel(
                "Version servie et dernière version",
                {
                    "{{model}} : servie": 'socle_model_version{project="$project",which="champion"}',
                    "{{model}} : dernière": 'socle_model_version{project="$project",which="latest"}',
                },
            ),
            Panel("Âge du modèle servi", {"{{model}}": f"time() - socle_model_champion_timestamp_seconds{MINE}"}, unit="s"),
        ],
    ),
    (
        "Coût",
        [
            Panel("Temps d'entraînement, en tout", {"{{model}}": f"socle_model_training_seconds{MINE}"}, unit="s"),
            Panel("Dernier entraînement", {"{{model}}": f"socle_model_last_training_seconds{MINE}"}, unit="s"),
            Panel(
                "Énergie des entraînements",
                {"{{model}}": f"socle_model_training_energy_kwh{MINE}"},
                unit="kwatth",
                text="Vide si elle n'a pas été mesurée.",
            ),
            Panel(
                "Place occupée",
                {"{{kind}}": f"socle_storage_bytes{MINE}"},
                unit="bytes",
                text="raw : fichiers reçus ; tables : données publiées.",
            ),
            Panel("Taille du modèle servi", {"{{model}}": f"socle_model_size_bytes{MINE}"}, unit="bytes"),
            Panel(
                "Durée des exécutions",
                {"{{flow}}": 'socle_run_duration_seconds{project="$project",statistic="median"}'},
                unit="s",
                text="Médiane de celles qui se sont terminées dans les dernières 24 heures.",
            ),
        ],
    ),
]


def dashboard(uid: str, title: str, rows: list[tuple[str, list[Panel]]], variables: list[Json], translated: dict[str, str]) -> Json:
    panels: list[Json] = []
    top = 0
    for name, row in rows:
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": name, "collapsed": False, "panels": [], "gridPos": _place(0, top, COLUMNS, 1)}
        )
        top, left, height = top + 1, 0, 0
        for panel in row:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            panels.append(_panel(panel, len(panels) + 1, _place(left, top, panel.width, panel.height), translated))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return {
        "uid": uid,
        "title": title,
        "tags": ["socle"],
        "timezone": "browser",
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": variables},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _place(x: int, y: int, w: int, h: int) -> Json:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(panel: Panel, number: int, place: Json, translated: dict[str, str]) -> Json:
    instant = panel.kind != "timeseries"
    targets = [
        {"refId": chr(65 + i), "datasource": SOURCE, "expr": expression, "legendFormat": legend, "instant": instant, "range": not instant}
        | ({"format": "table"} if panel.kind == "table" else {})
        for i, (legend, expression) in enumerate(panel.expressions.items())
    ]
    steps = panel.steps or [(None, "blue")]
    defaults: Json = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]},
    }
    if panel.most is not None:
        defaults["max"] = panel.most
    if translated and panel.kind == "table":
        defaults["mappings"] = [{"type": "value", "options": {word: {"text": text} for word, text in translated.items()}}]
    made: Json = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }
    if panel.kind == "table":
        made["transformations"] = _columns(panel)
        made["options"] = {"showHeader": True, "cellHeight": "sm"}
    elif panel.kind == "stat":
        made["options"] = {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
    else:
        defaults["custom"] = {"drawStyle": "line", "lineInterpolation": "stepAfter", "fillOpacity": 10, "showPoints": "never"}
        made["fieldConfig"]["overrides"] = [
            {
                "matcher": {"id": "byName", "options": state},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for state, colour in STATES.items()
            if "{{state}}" in panel.expressions
        ]
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return made


def _columns(panel: Panel) -> list[Json]:
    """Its labels and, unless that is always 1, its value: chosen, put in order and named."""
    (value,) = panel.expressions
    names = panel.columns | ({"Value": value} if value else {})
    order = {name: index for index, name in enumerate(names)}
    return [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}},
        {"id": "organize", "options": {"indexByName": order, "renameByName": names}},
    ]


def made() -> dict[str, Json]:
    """File name -> dashboard."""
    project = {
        "name": "project",
        "label": "Projet",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(socle_project_unreadable, project)", "refId": "projects"},
        "refresh": 2,
        "sort": 1,
        "includeAll": False,
        "multi": False,
    }
    verdicts = {"passed": "satisfaits", "warned": "avertissements", "quarantined": "lignes écartées"}
    return {
        "ops.json": dashboard("socle-ops", "Socle – operations", OPS, [], {}),
        "projet.json": dashboard("socle-projet", "Socle – un projet", TEAM, [project], FRENCH_STATES | verdicts),
    }


def as_text(dashboard: Json) -> str:
    return json.dumps(dashboard, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name, content in made().items():
        (FOLDER / name).write_text(as_text(content), encoding="utf-8")
