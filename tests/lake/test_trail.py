"""Records of the audit trail, on a folder and on a real S3 server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import StorageError
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.lake.touched import noting
from flows.lake.trail import LONGEST, Entry, Trail, newest
from tests.lake.conftest import local_lake
from tests.lake.support import commit_model, load, scanned

DAY = date(2026, 11, 24)


def entry(started: str = "2026-11-24T10:00:00.000001+00:00", **more: Any) -> Entry:
    return Entry(
        **({"id": "r1", "project": "essai", "what": "ingest", "who": "moi", "trigger": "command", "on": "ici"} | more), started=started
    )


def test_what_was_killed_has_a_start_alone_and_what_ended_has_its_end(lake: Lake) -> None:
    trail = Trail(lake, "essai")
    killed, ended = entry(id="k"), entry("2026-11-24T23:59:59.999999+00:00", id="e")
    trail.start(killed)
    trail.start(ended)
    trail.end(replace(ended, outcome="done", wrote=["essai/demandes@1"], moved={"essai/theme@champion": 2}))
    first, second = (trail.entry(DAY, stem) for stem in trail.stems(DAY))
    assert (first.id, first.outcome, first.wrote, first.moved) == ("e", "done", ["essai/demandes@1"], {"essai/theme@champion": 2})
    assert first.ended > "2026"
    assert second == killed
    assert trail.stems(DAY + timedelta(days=1)) == []


def test_a_record_is_never_replaced(lake: Lake) -> None:
    trail = Trail(lake, "essai")
    trail.start(entry())
    trail.start(entry())  # the same again: an answer that was lost
    with pytest.raises(StorageError, match="another record"):
        trail.start(entry(who="quelqu'un d'autre"))
    assert trail.entry(DAY, trail.stems(DAY)[0]).who == "moi"


def test_the_newest_come_first_over_projects_and_days(lake: Lake) -> None:
    lake.bucket("voisin").ensure()
    trails = [Trail(lake, "essai"), Trail(lake, "voisin")]
    times = ["2026-11-22T08:00:00.0+00:00", "2026-11-23T08:00:00.0+00:00", "2026-11-24T08:00:00.0+00:00", "2026-11-24T09:00:00.0+00:00"]
    for number, time in enumerate(times):
        trails[number % 2].end(entry(datetime.fromisoformat(time).isoformat(timespec="microseconds"), id=f"r{number}", outcome="done"))
    assert [e.id for e in newest(trails, date(2026, 11, 23), DAY)] == ["r3", "r2", "r1"]
    assert next(newest(trails, date(2000, 1, 1), DAY)).id == "r3"


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"\xff", b'{"id": 3, "more": 1}'])
def test_a_damaged_record_is_an_error_that_names_it(local: Lake, damage: bytes) -> None:
    local.bucket("essai").put(f"{keys.audit(DAY)}100000.000001-r1.ended.json", damage)
    trail = Trail(local, "essai")
    with pytest.raises(StorageError, match="damaged") as error:
        trail.entry(DAY, trail.stems(DAY)[0])
    assert "100000.000001-r1.ended.json" in error.value.where


def test_other_objects_of_the_day_are_not_records(local: Lake) -> None:
    local.bucket("essai").put(f"{keys.audit(DAY)}note.txt", b"x")
    assert Trail(local, "essai").stems(DAY) == []


TEXT = st.text(max_size=2 * LONGEST)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    st.dictionaries(TEXT, TEXT, max_size=3),
    TEXT,
    TEXT,
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)),
)
def test_whatever_somebody_sends_is_kept_bounded(tmp_path_factory, parameters, reason, who, at):
    lake = local_lake(tmp_path_factory.mktemp("lake"))
    trail = Trail(lake, "essai")
    trail.start(entry(at.isoformat(timespec="microseconds"), parameters=parameters, reason=reason, who=who))
    kept = trail.entry(at.date(), trail.stems(at.date())[0])
    assert all(len(text) <= LONGEST for text in (kept.reason, kept.who, *kept.parameters, *kept.parameters.values()))
    assert kept.reason == reason or (len(reason) > LONGEST and kept.reason.endswith("…") and reason.startswith(kept.reason[:-1]))


def test_the_end_is_tried_again_for_as_long_as_asked(local: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    trail, failures = Trail(local, "essai"), [1, 1]
    create = trail.objects.create

    def failing(key: str, data: bytes) -> bool:
        if failures:
            failures.pop()
            raise StorageError("down")
        return create(key, data)

    monkeypatch.setattr(trail.objects, "create", failing)
    monkeypatch.setattr("flows.lake.trail.RETRY_S", 0.01)
    with pytest.raises(StorageError):
        trail.end(entry(outcome="done"))
    failures.append(1)
    trail.end(entry(outcome="done"), patience_s=20)
    assert trail.entry(DAY, trail.stems(DAY)[0]).outcome == "done"


@pytest.mark.parametrize(
    ("reference", "found"),
    [("essai/demandes@1", True), ("essai/demandes", True), ("essai/demandes@11", False), ("essai/theme@2", True), ("essai/dem", False)],
)
def test_what_concerns_a_version(reference: str, found: bool) -> None:
    assert entry(read=["essai/demandes@1"], moved={"essai/theme@champion": 2}).concerns(reference) is found


# ---- what the lake notes by itself ---------------------------------------------------------------------------------------


def test_versions_that_are_read_and_written_are_noted(lake: Lake, tmp_path: Any) -> None:
    dataset, models = Dataset(lake, "essai", "demandes"), Models(lake, "essai", "theme")
    with noting() as touched:
        assert not touched.anything
        load(dataset, "l1", [{"id": "a", "n": 1}])
        load(dataset, "l2", [{"id": "b", "n": 2}])
        scanned(dataset, 1)
        scanned(dataset, 1)
        version = commit_model(models, tmp_path / "model")
        models.move({"champion": 1}, expected=None, who="moi", run="r", reason="essai")
        models.download(version, tmp_path / "back")
    scanned(dataset, 2)  # outside
    assert touched.wrote == ["essai/demandes@1", "essai/demandes@2", "essai/theme@1"]
    assert touched.read == ["essai/demandes@1", "essai/theme@1"]
    assert touched.moved == {"essai/theme@champion": 1}


def test_a_thread_notes_to_the_work_that_started_it(local: Lake) -> None:
    import anyio
    import anyio.to_thread

    dataset = Dataset(local, "essai", "demandes")

    async def work() -> list[str]:
        with noting() as touched:
            await anyio.to_thread.run_sync(lambda: load(dataset, "l1", [{"id": "a", "n": 1}]))
        return touched.wrote

    assert anyio.run(work) == ["essai/demandes@1"]


def test_refused_rows_are_not_a_version(local: Lake) -> None:
    import polars as pl

    from flows.lake.quarantine import Quarantine

    refused = pl.LazyFrame({"file": ["f"], "row_number": [1], "rules": [["r"]], "row": ["{}"]})
    with noting() as touched:
        Quarantine(local, "essai", "demandes").add(refused, "l1", "r1")
        assert Quarantine(local, "essai", "demandes").rows("l1")
    assert not touched.anything


def test_what_is_given_up_and_deleted_is_noted(lake: Lake) -> None:
    dataset = Dataset(lake, "essai", "demandes")
    load(dataset, "l1", [{"id": "a", "n": 1}])
    last = load(dataset, "l2", [{"id": "b", "n": 2}])
    lake.bucket("essai").put("raw/demandes/x", b"x")
    with noting() as touched:
        dataset.expire([1], last, "retention")
        lake.bucket("essai").delete("raw/demandes/x")
    assert (touched.expired, touched.deleted, touched.wrote) == (["essai/demandes@1"], 1, [])
    assert touched.anything
