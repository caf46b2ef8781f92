"""The settings of the Prefect server that Socle starts are ones that it has, and say what they should."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from prefect.settings import Settings as PrefectSettings

from flows.cli.prefect_server import HEARTBEAT, server_environment
from flows.settings import Settings


def test_prefect_understands_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server_environment(Settings(runs_kept_days=30.5, events_kept_days=2), 4242).items():
        monkeypatch.setenv(name, value)
    server = PrefectSettings().server
    assert server.api.cors_allowed_origins == "http://127.0.0.1:4242,http://localhost:4242"
    assert server.services.db_vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert server.services.db_vacuum.retention_period == timedelta(days=30.5)
    assert server.services.db_vacuum.event_retention_overrides == {HEARTBEAT: timedelta(days=1)}
    assert server.events.retention_period == timedelta(days=2)
    assert server.events.expired_bucket_buffer == timedelta(days=30)
    assert server.services.late_runs.after_seconds == timedelta(seconds=60)
    assert server.concurrency.lease_storage.endswith(".filesystem")


def test_the_public_address_is_an_origin_without_its_path() -> None:
    origins = server_environment(Settings(ui_url="https://socle.example/ui/"), 4200)["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert "https://socle.example" in origins.split(",")


def test_what_the_environment_says_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_EVENTS_RETENTION_PERIOD", "P1D")
    found = server_environment(Settings(), 4200)
    assert found["PREFECT_SERVER_EVENTS_RETENTION_PERIOD"] == "P1D" and set(found) - set(os.environ)
