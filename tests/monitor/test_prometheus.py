"""Prometheus and Alertmanager, from Debian, beside a real platform: what is exported, asked and told is really so.

Grafana cannot be run here: its expressions are asked of Prometheus itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.monitor.catalogue import METRICS
from tests.conftest import PROJECT, csv_text, rows, write_project
from tests.monitor.files import OTHERS, PROMETHEUS, expressions, named, rules
from tests.platform import SCHEDULE, Platform, free_port, running

pytestmark = pytest.mark.services

START_S, TOLD_S = 90, 120
DISK = {"alertname": "Disk", "place": "lake"}
NOT_ALWAYS = {
    "socle_model_training_energy_kwh": "this machine may not be one whose energy is known",
    "socle_dataset_load_refused_timestamp_seconds": "no load was refused",
    "socle_certificate_expiry_timestamp_seconds": "nothing is served over TLS here",
    "socle_dataset_fresh_limit_seconds": "the project declares none",
    "socle_dataset_refused_ratio_usual": "there is one load only",
}


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed: apt-get install prometheus prometheus-alertmanager"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def checked(program: str, *arguments: str, given: bytes | None = None) -> str:
    done = subprocess.run([need(program), *arguments], input=given, capture_output=True, check=False, timeout=120)
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, said
    return said


# -- files


def test_the_configurations_are_what_the_programs_read():
    checked("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert "rules found" in checked("promtool", "check", "rules", str(PROMETHEUS / "alerts.yml"))
    checked("amtool", "check-config", str(PROMETHEUS / "alertmanager.yml"))


def test_each_alert_fires_when_it_should():
    checked("promtool", "test", "rules", str(PROMETHEUS / "alerts_test.yml"))


# -- processes


@dataclass
class Receiver:
    """A webhook that the notifier tells."""

    told: list[dict[str, Any]] = field(default_factory=list)

    def serve(self) -> ThreadingHTTPServer:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@dataclass
class Watched:
    platform: Platform
    exporter: str
    prometheus: str
    alertmanager: str
    receiver: Receiver
    stack: subprocess.Popen[bytes]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Raises: AssertionError with what Prometheus says of an expression that it does not take."""
        address = f"{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = read(address)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        assert answer["status"] == "success" and not answer.get("warnings"), answer
        return list(answer["data"]["result"])

    def exported(self) -> set[str]:
        return {series["metric"]["__name__"] for series in self.ask('{__name__=~"socle_.+"}')}


def read(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def until(what: str, ready: Callable[[], Any], limit_s: float = START_S) -> Any:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            if found := ready():
                return found
        except (OSError, urllib.error.URLError):
            pass
        assert time.monotonic() < deadline, f"{what}: not in {limit_s} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A platform of its own after a run, with its exporter and notifier; Prometheus and Alertmanager beside it."""
    for program in ("prometheus", "prometheus-alertmanager"):
        need(program)
    root, folder = tmp_path_factory.mktemp("watched"), tmp_path_factory.mktemp("prometheus")
    with (write_project(root) / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(SCHEDULE)
    write_project(root, "casse", "title: [")
    poor = write_project(root, "mauvais", PROJECT.replace("on_failure: block", "on_failure: warn"))
    (poor / "data" / "demandes.csv").write_text(csv_text([*rows(9), ("x", "", "paie")]), encoding="utf-8")
    receiver = Receiver()
    told = receiver.serve()
    targets = folder / "targets"
    targets.write_text(f"* = json://127.0.0.1:{told.server_port}/\n", encoding="utf-8")
    names = ("SOCLE_METRICS_PORT", "SOCLE_NOTIFY_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")
    ports = {name: str(free_port()) for name in names}
    paces = {"SOCLE_METRICS_RUNS_S": "5", "SOCLE_METRICS_LAKE_MINUTES": "0.1", "SOCLE_METRICS_SIZES_MINUTES": "0.1"}
    settings = ports | paces | {"SOCLE_NOTIFY_URLS_FILE": str(targets)}
    with running(root, settings=settings) as platform, (folder / "log").open("wb") as log:
        stack = subprocess.Popen([str(PROMETHEUS / "machine.sh"), str(folder / "data")], env=os.environ | ports, stdout=log, stderr=log)
        addresses = (f"http://127.0.0.1:{ports[name]}" for name in ("SOCLE_METRICS_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"))
        made = Watched(platform, *addresses, receiver, stack)
        try:
            runs = [platform.trigger("pipeline/essai", {"project": "essai"}), platform.trigger("ingest/mauvais", {"project": "mauvais"})]
            assert {platform.wait(run)["state_type"] for run in runs} == {"COMPLETED"}
            until("Alertmanager", lambda: read(f"{made.alertmanager}/api/v2/status"))
            read(
                f"{made.alertmanager}/api/v2/alerts",
                [{"labels": DISK | {"severity": s}, "annotations": {}} for s in ("critical", "warning")],
            )
            until("a scrape of everything", lambda: set(METRICS) - set(NOT_ALWAYS) <= made.exported())
            until("four targets", lambda: len(made.ask("up == 1")) == 4)
            yield made
        finally:
            stack.terminate()
            stack.wait(30)
            told.shutdown()
            print((folder / "log").read_text(errors="replace"))


def scraped(watched: Watched) -> str:
    with urllib.request.urlopen(f"{watched.exporter}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_what_is_exported_is_what_prometheus_wants(watched):
    text = scraped(watched)
    assert checked("promtool", "check", "metrics", given=text.encode()) == ""
    there = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert there | set(NOT_ALWAYS) == set(METRICS)


def test_what_is_exported_is_so(watched):
    def one(expression: str) -> float:
        (found,) = watched.ask(expression)
        return float(found["value"][1])

    assert one('socle_run_last_state{project="essai",flow="pipeline",state="completed"}') == 1
    assert one('socle_runs_ended{project="essai",flow="pipeline",state="completed"}') >= 1
    assert one('socle_schedule_period_seconds{project="essai",flow="pipeline"}') == 7 * 86_400
    assert one('socle_workers_online{pool="socle"}') == 1
    assert one('socle_dataset_rows{project="essai",dataset="demandes",kind="kept"}') >= 90
    assert one('socle_project_unreadable{project="casse"}') == 1
    assert one('socle_project_unreadable{project="essai"}') == 0
    assert one("socle_database_bytes") > 1e6
    assert one('socle_reachable{service="prefect"}') == one('socle_reachable{service="docs"}') == 1
    assert one("sum(socle_storage_bytes) > 0") > 0
    assert 0 < one('socle_model_score{project="essai",model="theme",side="test",metric="macro_f1"}') <= 1


def test_a_run_that_fails_is_seen(watched):
    platform = watched.platform
    labels = '{flow="ingest",project="essai",state="failed"}'
    platform.write_rows(90, ("sans-texte", "", "paie"))
    assert platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))["state_type"] == "FAILED"
    until("the failed run", lambda: f"socle_run_last_state{labels} 1.0" in scraped(watched))
    platform.write_rows(90)
    assert platform.wait(platform.trigger("ingest/essai", {"project": "essai"}))["state_type"] == "COMPLETED"
    until("the success after it", lambda: f"socle_run_last_state{labels} 0.0" in scraped(watched))
    assert f"socle_runs_ended{labels} 1.0" in scraped(watched)


@pytest.mark.parametrize("name", expressions())
def test_prometheus_answers_every_expression_of_alerts_and_dashboards(watched, name):
    expression = expressions()[name]
    watched.ask(expression)
    assert named(expression) - OTHERS - set(NOT_ALWAYS) <= watched.exported()


def test_prometheus_loaded_our_alerts_and_found_alertmanager(watched):
    groups = read(f"{watched.prometheus}/api/v1/rules")["data"]["groups"]
    assert not [rule["name"] for group in groups for rule in group["rules"] if rule.get("lastError")]
    until("the alert of the broken project", lambda: watched.ask('ALERTS{alertname="ProjectUnreadable",project="casse"}'))
    found = read(f"{watched.prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert [manager["url"] for manager in found] == [f"{watched.alertmanager}/api/v2/alerts"]


def test_an_alert_reaches_people_in_french_with_what_to_do(watched):
    """A version that does not meet its checks: from the lake to the exporter, Prometheus, Alertmanager, the notifier, a webhook."""
    (told,) = until("the alert", lambda: [m for m in watched.receiver.told if "mauvais" in m["title"]], TOLD_S)
    assert told["title"] == "[Socle] Alerte : mauvais : 50% seulement des contrôles de « demandes » sont satisfaits."
    (rule,) = [r for r in rules() if r["alert"] == "QualityLow"]
    assert f"À faire : {rule['annotations']['action']}" in told["message"]
    assert "docs/ops/quality-low.md" in told["message"]


def test_what_follows_from_a_worse_alert_is_not_told_beside_it(watched):
    until("the worse one", lambda: [m for m in watched.receiver.told if "disk.md" in m["message"]], TOLD_S)
    found = read(f"{watched.alertmanager}/api/v2/alerts?" + urllib.parse.urlencode({"filter": 'alertname="Disk"'}))
    assert {a["labels"]["severity"]: a["status"]["state"] for a in found} == {"critical": "active", "warning": "suppressed"}
    assert len([m for m in watched.receiver.told if "disk.md" in m["message"]]) == 1


def test_both_end_with_the_script(watched):
    """The last test of this file: nothing answers afterwards."""
    family = psutil.Process(watched.stack.pid).children(recursive=True)
    assert {Path(p.exe()).name for p in family if p.is_running()} >= {"prometheus", "prometheus-alertmanager"}
    watched.stack.send_signal(signal.SIGTERM)
    watched.stack.wait(30)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
