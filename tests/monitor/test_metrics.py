"""The exporter: what was found last, how old it is, and nothing that a scrape waits for."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from flows.errors import SystemFailure
from flows.metrics import Part, database_url, make_app, make_parts
from flows.monitor import Samples
from flows.monitor.api import PrefectApi
from flows.monitor.catalogue import METRICS
from flows.settings import load_settings
from tests.monitor.prefect import Server


def samples(value: float = 1.0, errors: list[str] | None = None) -> Samples:
    found = Samples(errors=errors or [])
    found.add("socle_workers_online", value, pool="socle")
    return found


def scrape(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(answer.text) for s in f.samples}


def one(found: dict[Any, float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_a_scrape_does_not_wait_for_a_look():
    stuck = threading.Event()
    with TestClient(make_app([Part("lake", 60, lambda: (stuck.wait() and samples()) or samples())])) as client:  # type: ignore[func-returns-value]
        found = scrape(client)
        assert one(found, "socle_collect_errors", part="lake") == 0
        assert not [name for name, _ in found if name == "socle_collect_age_seconds"]  # nothing was found yet
        stuck.set()


def test_a_look_that_fails_leaves_what_was_found_and_its_age():
    answers: list[Any] = [samples(3), SystemFailure("Prefect does not answer")]

    def collect() -> Samples:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    part = Part("runs", 3600, collect)
    part.look()
    first = part.at
    with TestClient(make_app([part])) as client:  # looks again, at once
        while not part.errors:
            time.sleep(0.01)
        found = scrape(client)
        assert client.get("/health").text == "ok\n"
    assert one(found, "socle_workers_online", pool="socle") == 3
    assert one(found, "socle_collect_errors", part="runs") == 1
    assert part.at == first


def test_an_error_is_logged_once(caplog):
    part = Part("runs", 60, lambda: samples(errors=["casse: ..."]))
    with caplog.at_level(logging.WARNING):
        part.look()
        part.look()
    assert [r.message for r in caplog.records] == ["casse: ..."]
    assert part.errors == 1


def test_what_other_libraries_say_is_not_repeated(caplog):
    def collect() -> Samples:
        raise RuntimeError("postgresql://socle:mot-de-passe@base/prefect")

    part = Part("machine", 60, collect)
    part.look()
    assert part.errors == 1
    assert "mot-de-passe" not in caplog.text and "RuntimeError" in caplog.text


@pytest.mark.parametrize(("metric", "labels"), [("socle_nothing", {}), ("socle_workers_online", {}), ("socle_workers_online", {"x": "y"})])
def test_only_what_the_catalogue_has_is_exported(metric, labels):
    with pytest.raises(ValueError, match="catalogue"):
        Samples().add(metric, 1, **labels)


def test_names_and_labels_of_the_catalogue_are_those_that_prometheus_wants():
    for name, metric in METRICS.items():
        assert name.startswith("socle_") and metric.help.endswith(".") and "\n" not in metric.help
        assert not {"le", "quantile", "job", "instance"} & set(metric.labels)


def test_all_parts_together(root):
    server = Server()
    server.deploy("essai", "pipeline")
    api = PrefectApi("http://prefect.test/api", transport=server.transport)
    parts = make_parts(load_settings(), api, "")
    with TestClient(make_app(parts)) as client:
        while any(part.at is None for part in parts):
            time.sleep(0.01)
        found = scrape(client)
    assert one(found, "socle_project_unreadable", project="essai") == 0
    assert one(found, "socle_reachable", service="prefect") == 1
    assert {dict(labels)["part"] for name, labels in found if name == "socle_collect_errors"} == {"runs", "lake", "sizes", "machine"}


def test_which_database(root, monkeypatch):
    assert database_url(load_settings()) == f"sqlite+aiosqlite:///{root}/.socle/prefect/prefect.db"
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a@/prefect")
    assert database_url(load_settings()) == "postgresql+asyncpg://a@/prefect"
    file = root / "url"
    file.write_text("postgresql://lecteur:mot@base/prefect\n", encoding="utf-8")
    monkeypatch.setenv("SOCLE_METRICS_DATABASE_URL_FILE", str(file))
    settings = load_settings()
    assert database_url(settings) == "postgresql://lecteur:mot@base/prefect"
    assert "mot@" not in repr(settings)
