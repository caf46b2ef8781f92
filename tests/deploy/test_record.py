"""What `socle deploy` leaves in the audit trail: who changed which deployments of a project."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.deploy.plan import Change
from flows.deploy.record import record
from flows.errors import StorageError
from flows.lake import Lake
from flows.lake.local import LocalObjects
from flows.lake.trail import Entry, Trail, newest
from flows.settings import load_settings

CHANGES = [
    Change("added", "ingest/essai"),
    Change("added", "check/essai"),
    Change("changed", "pipeline/essai", ["schedule", "version"]),
    Change("unchanged", "maintain/essai"),
    Change("removed", "pipeline/parti"),
    Change("unchanged", "pipeline/calme"),
    Change("kept", "pipeline/abime"),
    Change("added", "pipeline/nouveau"),
    Change("added", "reference_lists/Plateforme"),
]


@pytest.fixture
def lake(root: Path) -> Lake:
    return Lake(load_settings())


def entries(lake: Lake, project: str) -> list[Entry]:
    return list(newest([Trail(lake, project)], datetime.now(UTC).date() - timedelta(days=1)))


def test_each_project_has_what_was_changed_for_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCLE_WHO", "camille")
    assert record(CHANGES, lake.settings) == {}
    (essai,) = entries(lake, "essai")
    assert (essai.what, essai.who, essai.trigger, essai.outcome) == ("deploy", "camille", "command", "done")
    assert essai.details == {"added": "ingest, check", "changed": "pipeline (schedule, version)"}
    (gone,) = entries(lake, "parti")
    assert gone.details == {"removed": "pipeline"}, "a project that is gone keeps its trail"
    assert entries(lake, "calme") == entries(lake, "abime") == []


def test_a_project_without_a_bucket_has_no_trail(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """On S3: buckets are made by `socle doctor --create`, which may come later."""
    monkeypatch.setattr(LocalObjects, "bucket_exists", lambda self: self.name != "socle-nouveau")
    assert record(CHANGES, lake.settings) == {}
    assert entries(lake, "nouveau") == []


def test_what_could_not_be_recorded_is_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    end = Trail.end

    def fail(self: Trail, entry: Entry, patience_s: float = 0.0) -> None:
        if self.project == "parti":
            raise StorageError("the storage does not answer")
        end(self, entry, patience_s)

    monkeypatch.setattr(Trail, "end", fail)
    assert record(CHANGES, lake.settings) == {"parti": "the storage does not answer"}
    assert len(entries(lake, "essai")) == 1
