"""The same project on a local folder and on a real S3 server: the same versions. And no secret anywhere."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.lake import Lake
from flows.settings import Settings
from flows.steps import open_run
from flows.steps.pipeline import RunResult, run_plain
from tests.platform import SOCLE

pytestmark = pytest.mark.services


def environment(settings: Settings) -> dict[str, str]:
    return {
        "SOCLE_STORAGE": settings.storage,
        "SOCLE_S3_ENDPOINT": settings.s3_endpoint,
        "SOCLE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "SOCLE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }


def run_here() -> RunResult:
    with open_run("essai") as run:
        return run_plain(run)


def facts(result: RunResult) -> dict[str, Any]:
    """What must not depend on where the lake is."""
    dataset, model = result.datasets[0], result.models[0]
    assert dataset.version and model.state
    weights = [v.files["model.safetensors"] for v in model.versions]
    return {
        "load": (dataset.version.number, dataset.version.load.load_id, dataset.version.load.check, dataset.version.load.rows),
        "models": [(v.number, v.fingerprint, v.metrics) for v in model.versions],
        "weights": weights,
        "aliases": model.state.aliases,
    }


def test_the_same_run_gives_the_same_versions_on_s3(
    root: Path, s3_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    local = facts(run_here())
    settings = s3_settings()
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    Lake(settings).bucket("essai").ensure()
    assert facts(run_here()) == local
    again = run_here()
    assert again.did_nothing


def test_doctor_creates_the_buckets_and_a_run_through_prefect_leaks_no_secret(root: Path, s3_settings: Callable[..., Settings]) -> None:
    settings = s3_settings()
    own = {"SOCLE_ROOT": str(root), "PATH": "/usr/bin:/bin", **environment(settings)}

    def socle(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(SOCLE), *words], env=own, capture_output=True, text=True, timeout=300, check=False)

    missing = socle("run", "essai")
    assert missing.returncode == 3
    assert "socle doctor --create" in missing.stderr
    assert socle("doctor").returncode == 3
    created = socle("doctor", "--create", "--json")
    assert created.returncode == 0, created.stdout
    assert {"ok"} == {f["state"] for f in json.loads(created.stdout) if f["what"].startswith("bucket")}
    ran = socle("run", "essai", "--json")
    assert ran.returncode == 0, ran.stderr
    secret = settings.s3_secret_key.get_secret_value()
    said = "".join(p.stdout + p.stderr for p in (missing, created, ran))
    assert secret not in said
    kept = [p for p in (root / ".socle").rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert kept == [], "Prefect's database and logs hold no secret"
    objects = Lake(settings).bucket("essai")
    assert [o.key for o in objects.list() if secret.encode() in objects.get(o.key)] == []
