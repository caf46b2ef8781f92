"""Retention and erasure on real servers: the lake on Ceph RGW, the flow on a Prefect server and worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error

import pytest

from flows.lake import Lake
from tests.platform import Platform
from tests.services.test_s3_run import environment

# Fixtures, and tests that are run again with the lake on S3: nothing in them knows where it is.
from tests.steps.conftest import append, data, history, load, served, suite, train, unchecked  # noqa: F401
from tests.steps.test_maintain import (  # noqa: F401
    lake_keys,
    maintain,
    test_a_load_or_a_rollback_that_comes_between_loses_nothing,
    test_a_version_that_a_model_was_made_from_stays_whole,
    test_bytes_that_came_again_meanwhile_stay,
    test_files_of_a_load_that_goes_on_stay_and_those_of_a_dead_one_go,
    test_refused_rows_go_with_their_versions,
    test_what_the_dry_run_said_is_what_goes,
    three,
)
from tests.steps.test_purge import (  # noqa: F401
    erase,
    leaks,
    old_table,
    test_a_person_is_gone_from_every_object_and_the_others_are_as_before,
    test_again_finds_nothing_and_says_so,
    test_bytes_without_the_person_are_kept_as_ever,
    test_refused_rows_and_samples_of_the_person_go,
    test_the_source_does_not_bring_the_person_back,
)

pytestmark = pytest.mark.services

CLEAN = """
import asyncio, json, sys
from datetime import UTC, datetime, timedelta
from flows.runs.old_runs import _clean
before = datetime.now(UTC) + timedelta(minutes=float(sys.argv[2]))
print(json.dumps([asyncio.run(_clean(sys.argv[1], before, dry_run)).count for dry_run in (True, False, True)]))
"""


@pytest.fixture(autouse=True)
def lake_on_s3(request, monkeypatch) -> None:
    if "platform" in request.fixturenames:
        return
    settings = request.getfixturevalue("s3_settings")()
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    Lake(settings).bucket("essai").ensure()


def test_the_form_only_shows_unless_told_otherwise_and_the_summary_says_what(platform: Platform) -> None:
    schema = platform.api("deployments/name/maintain/essai")["parameter_openapi_schema"]["properties"]
    assert schema["dry_run"] == schema["dry_run"] | {"type": "boolean", "default": True, "title": "Montrer seulement"}
    run = platform.wait(platform.trigger("maintain/essai", {}))
    assert run["state_type"] == "COMPLETED", run["state"]
    assert platform.artifacts("menage-essai")[0]["data"].startswith("# Ce que le ménage supprimerait : Demandes")
    run = platform.wait(platform.trigger("maintain/essai", {"dry_run": False}))
    assert run["state_type"] == "COMPLETED", run["state"]
    assert platform.artifacts("menage-essai")[0]["data"].startswith("# Ce que le ménage a supprimé : Demandes")
    with pytest.raises(urllib.error.HTTPError):
        platform.trigger("maintain/essai", {"dry_run": "peut-être"})


def test_old_runs_go_with_their_logs_and_those_of_others_stay(platform: Platform) -> None:
    ours = [platform.trigger("maintain/lent", {}), platform.trigger("maintain/lent", {})]
    others = platform.trigger("maintain/essai", {})
    for run in (*ours, others):
        assert platform.wait(run)["state_type"] == "COMPLETED"
    assert logs(platform, ours[0]) and clean(platform, "lent", minutes=-600) == [0, 0, 0]
    planned, done, left = clean(platform, "lent", minutes=1)
    assert planned == done >= 2 and left == 0
    for run in ours:
        with pytest.raises(urllib.error.HTTPError):
            platform.api(f"flow_runs/{run}")
    assert platform.api(f"flow_runs/{others}")["state_type"] == "COMPLETED"
    deadline = time.monotonic() + 60
    while logs(platform, ours[0]):  # the server deletes them in the background
        assert time.monotonic() < deadline
        time.sleep(1)
    assert logs(platform, others)


def logs(platform: Platform, run: str) -> list[object]:
    return platform.api("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 5})


def clean(platform: Platform, project: str, minutes: float) -> list[int]:
    own = {**os.environ, "PREFECT_API_URL": f"{platform.ui}/api", "SOCLE_ROOT": str(platform.root)}
    done = subprocess.run(
        [sys.executable, "-c", CLEAN, project, str(minutes)], env=own, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
