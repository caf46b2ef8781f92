"""What infra/ holds for Prometheus, Alertmanager and Grafana, read for the tests."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

PROMETHEUS, GRAFANA = REPOSITORY / "infra" / "prometheus", REPOSITORY / "infra" / "grafana"
RUNBOOK = REPOSITORY / "docs" / "ops"
OTHERS = {"up", "ALERTS", "scrape_duration_seconds", "alertmanager_notifications_failed_total", "socle_notify_messages_total"}
"""Metrics that are not ours."""


def load(path: Any) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    return [rule for group in load(PROMETHEUS / "alerts.yml")["groups"] for rule in group["rules"]]


def dashboards() -> dict[str, Any]:
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def generated() -> dict[str, str]:
    """What infra/grafana/make.py writes."""
    spec = importlib.util.spec_from_file_location("grafana_make", GRAFANA / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses ask for it
    spec.loader.exec_module(module)
    return {name: module.as_text(made) for name, made in module.made().items()}


def expressions() -> dict[str, str]:
    """Every expression of alerts and dashboards, under a name; the variables of dashboards have a value."""
    found = {f"alert {r['alert']} {i}": r["expr"] for i, r in enumerate(rules())}
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                found[f"{name}: {panel['title']} {target['refId']}"] = target["expr"].replace("$project", "essai")
        for variable in dashboard["templating"]["list"]:
            query = re.fullmatch(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            assert query is not None, variable
            found[f"{name}: variable {variable['name']}"] = query[1]
    return found


def named(expression: str) -> set[str]:
    """The metrics that it names: words with an underscore or known ones, in front of no bracket of a function, outside of quotes
    and of label lists."""
    plain = re.sub(r'"[^"]*"', "", expression)
    plain = re.sub(r"\{[^}]*\}", "{}", plain)
    plain = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", plain)
    words = set(re.findall(r"\b[a-zA-Z_][\w]*\b(?!\s*\()", plain))
    return {w for w in words if w in OTHERS or w.startswith("socle_") or w.endswith("_total")}


def kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
