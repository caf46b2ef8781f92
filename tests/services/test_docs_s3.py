"""Data docs on a real S3 server: one more result costs the same, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flows.lake import Lake
from flows.lake.s3 import S3Objects
from flows.serve import make_app
from flows.settings import Settings, load_settings
from tests.services.test_s3_run import environment
from tests.test_serve import load

pytestmark = pytest.mark.services


def test_a_new_result_reads_none_of_the_old_ones(root: Path, s3_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = s3_settings()
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    Lake(settings).bucket("essai").ensure()
    asked: list[str] = []
    for method in ("get", "stat", "list"):
        real = getattr(S3Objects, method)

        def counted(self: S3Objects, key: str = "", *args: object, real: Callable[..., object] = real, **options: object) -> object:
            asked.append(key)
            return real(self, key, *args, **options)

        monkeypatch.setattr(S3Objects, method, counted)

    def checks_asked(rows: int) -> list[str]:
        asked.clear()
        outcome = load(root, rows)
        assert outcome is not None and outcome.action == "loaded"
        report = f"/essai/donnees/demandes/{outcome.report.load_id}"
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert report in client.get("/essai/donnees/demandes").text
            assert "Version précédente" in client.get(report).text
        return sorted(key.rpartition("/")[2] for key in asked if key.startswith("checks/"))

    app = make_app(load_settings())
    load(root, 10)
    second = checks_asked(20)
    for count in (11, 12, 13, 14):
        load(root, count)
    assert checks_asked(30) == second
    assert second.count("index.html") == 1
