"""Alerts, dashboards, metrics and runbook say the same: none names what another does not have."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import typer

from flows.cli import app
from flows.monitor.catalogue import METRICS
from tests.conftest import REPOSITORY
from tests.monitor.files import (
    GRAFANA,
    OTHERS,
    PROMETHEUS,
    RUNBOOK,
    dashboards,
    expressions,
    generated,
    kebab,
    load,
    named,
    rules,
)

ALERTS = {rule["alert"] for rule in rules()}
PAGES = {page.stem: page for page in sorted(RUNBOOK.glob("*.md")) if re.search(r"^Alert: `", page.read_text("utf-8"), re.MULTILINE)}
COMMANDS = typer.main.get_command(app).commands
PARTS = {"Français": ["Ce que cela veut dire", "Où regarder", "Que faire"], "English": ["What it means", "What to look at", "What to do"]}


# -- metrics


@pytest.mark.parametrize(("name", "expression"), expressions().items())
def test_expressions_name_only_metrics_that_there_are(name, expression):
    assert named(expression) <= set(METRICS) | OTHERS
    assert named(expression), expression


def test_every_metric_is_shown_or_watched_by_something():
    used = {metric for expression in expressions().values() for metric in named(expression)}
    assert set(METRICS) - used == {
        "socle_dataset_version",
        "socle_run_last_end_timestamp_seconds",
        "socle_run_last_duration_seconds",
        "socle_storage_objects",
    }


def test_every_metric_is_documented_with_its_labels():
    text = (RUNBOOK / "monitoring.md").read_text(encoding="utf-8")
    for name, metric in METRICS.items():
        row = re.search(rf"^\| `{name}` \| ([^|]*)\|", text, re.MULTILINE)
        assert row, name
        assert re.findall(r"`(\w+)`", row[1]) == list(metric.labels)
    assert set(re.findall(r"^\| `(socle_\w+)`", text, re.MULTILINE)) == set(METRICS)


# -- alerts and runbook


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r["alert"])
def test_each_alert_says_what_is_wrong_what_to_do_and_where_to_read_on(rule):
    assert rule["labels"]["severity"] in ("warning", "critical")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "action", "runbook"}
    assert notes["summary"].endswith(".") and notes["action"].endswith(".")
    assert notes["runbook"] == f"docs/ops/{kebab(rule['alert'])}.md"
    assert (REPOSITORY / notes["runbook"]).is_file()


def test_every_alert_has_its_page_and_every_page_its_alert():
    assert set(PAGES) == {kebab(name) for name in ALERTS}


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda p: p.stem)
def test_a_page_is_in_french_and_in_english_and_has_its_parts(page):
    text = page.read_text(encoding="utf-8")
    assert f"Alert: `{next(a for a in ALERTS if kebab(a) == page.stem)}`" in text
    languages = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert languages[1::2] == list(PARTS)
    for language, body in zip(PARTS, languages[2::2], strict=True):
        assert re.findall(r"^### (.+)$", body, re.MULTILINE) == PARTS[language]
        assert all(part.strip() for part in re.split(r"^### .+$", body, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("page", [*PAGES.values(), RUNBOOK / "monitoring.md"], ids=lambda p: p.stem)
def test_commands_and_options_and_modules_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for command, rest in re.findall(r"(?<![\w/-])socle ([a-z][a-z-]*)((?: [^`\n|#…]*)?)", "\n".join(_typed(text))):
        assert command in COMMANDS, command
        options = {opt for parameter in COMMANDS[command].params for opt in parameter.opts}
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)) <= options | {"--help"}, (command, rest)
    for module in re.findall(r"python -m (flows[\w.]*)", text):
        assert importlib.util.find_spec(module) is not None, module
    for script in re.findall(r"(?<![\w/.-])(infra/[\w./-]+\.(?:sh|py))", text):
        assert (REPOSITORY / script).is_file(), script


def _typed(text: str) -> list[str]:
    """Lines of code blocks, and what is in backquotes."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [*"\n".join(blocks).splitlines(), *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)]


def test_inhibitions_name_alerts_that_there_are():
    for rule in load(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            if matcher.startswith("alertname"):
                assert set(matcher.split('"')[1].split("|")) <= ALERTS


def test_addresses_are_services_of_the_compose_file():
    services = set(load(REPOSITORY / "docker-compose.yml")["services"])
    text = "".join((PROMETHEUS / name).read_text("utf-8") for name in ("prometheus.yml", "alertmanager.yml"))
    text += (GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8")
    assert set(re.findall(r"\b([a-z]+):\d{4}\b", text)) - {"localhost"} <= services


def test_in_containers_the_exporter_reaches_what_it_looks_at_and_the_notifier_answers_to_its_name():
    services = load(REPOSITORY / "docker-compose.yml")["services"]
    exporter, seen = services["metrics"], services["metrics"]["environment"]
    certificate = seen["SOCLE_METRICS_CERTIFICATES"].partition(":")[0]
    for name in (seen["SOCLE_DOCS_HOST"], certificate, "postgres", "prefect-1", "s3"):
        assert set(exporter["networks"]) & set(services[name]["networks"]), name
    for name in ("metrics", "notify", "alertmanager"):
        assert set(services["prometheus"]["networks"]) & set(services[name]["networks"]), name
    assert Path(seen["SOCLE_METRICS_DATABASE_URL_FILE"]).name in exporter["secrets"]
    address = load(PROMETHEUS / "alertmanager.yml")["receivers"][0]["webhook_configs"][0]["url"]
    assert address == services["notify"]["environment"]["SOCLE_NOTIFY_URL"] + "/alertmanager"


# -- dashboards


def test_dashboards_are_what_the_generator_makes():
    written = {path.name: path.read_text(encoding="utf-8") for path in (GRAFANA / "dashboards").glob("*")}
    assert written == generated(), "python infra/grafana/make.py"


@pytest.mark.parametrize("name", dashboards())
def test_dashboards_have_the_structure_that_grafana_reads(name):
    dashboard = dashboards()[name]
    source = load(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"][0]
    panels = dashboard["panels"]
    assert dashboard["uid"] and dashboard["title"] and dashboard["schemaVersion"] >= 39
    assert len({p["id"] for p in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= 24 and at["h"] > 0
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("timeseries", "stat", "table")
        assert panel["targets"] and len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])
        assert all(t["datasource"] == {"type": "prometheus", "uid": source["uid"]} and t["expr"] for t in panel["targets"])
        if panel["type"] == "table":
            assert len(panel["targets"]) == 1
            assert {t["id"] for t in panel["transformations"]} == {"filterFieldsByName", "organize"}


def test_the_folder_of_dashboards_is_the_one_that_is_provisioned():
    (provider,) = load(GRAFANA / "provisioning/dashboards/socle.yml")["providers"]
    assert provider["type"] == "file" and Path(provider["options"]["path"]).name == "dashboards"
