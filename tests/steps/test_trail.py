"""Work on record: its start before it changes anything, its end however it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flows.errors import Refused, StorageError, SystemFailure
from flows.lake import Lake
from flows.lake.touched import note_wrote
from flows.lake.trail import Entry, Trail
from flows.steps.trail import NOT_RECORDED, note, recorded
from tests.lake.conftest import local_lake


@pytest.fixture
def lake(tmp_path: Any) -> Lake:
    return local_lake(tmp_path / "lake")


def entries(lake: Lake) -> list[Entry]:
    trail, day = Trail(lake, "essai"), datetime.now(UTC).date()
    return [trail.entry(day, stem) for stem in trail.stems(day)]


def test_the_start_is_there_before_the_work_and_the_end_after_it(lake: Lake) -> None:
    with recorded(lake, "essai", "purge", parameters={"key": "id", "left out": None}, reason="demande 12", who="moi") as details:
        (started,) = entries(lake)
        assert (started.outcome, started.ended) == ("", "")
        note_wrote("essai/demandes@2")
        details["proof"] = "ici"
    (done,) = entries(lake)
    assert (done.outcome, done.what, done.who, done.reason, done.parameters) == ("done", "purge", "moi", "demande 12", {"key": "id"})
    assert (done.wrote, done.details) == (["essai/demandes@2"], {"proof": "ici"})


def test_work_that_found_nothing_to_do_says_so(lake: Lake) -> None:
    with recorded(lake, "essai", "rollback"):
        pass
    note(lake, "essai", "pipeline")
    assert [e.outcome for e in entries(lake)] == ["nothing", "nothing"]


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (Refused("les lignes ne vont pas"), "refused", "les lignes ne vont pas"),
        (StorageError("pas de réponse"), "failed", "pas de réponse"),
        (RuntimeError("secret=tres-secret"), "failed", "RuntimeError"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt"),
    ],
)
def test_an_end_by_an_error_is_on_record_with_what_was_done_until_then(
    lake: Lake, error: BaseException, outcome: str, message: str
) -> None:
    with pytest.raises(type(error)), recorded(lake, "essai", "purge"):
        note_wrote("essai/demandes@2")
        raise error
    (kept,) = entries(lake)
    assert (kept.outcome, kept.message, kept.wrote) == (outcome, message, ["essai/demandes@2"])


def test_nothing_is_done_that_would_not_be_on_record(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trail, "start", _down)
    with pytest.raises(StorageError), recorded(lake, "essai", "purge"):
        pytest.fail("the work was begun")


def test_work_whose_end_cannot_be_recorded_fails_and_says_that_it_is_done(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trail, "end", _down)
    with pytest.raises(SystemFailure, match=r"the work itself is done \(essai/demandes@2\)") as error, recorded(lake, "essai", "purge"):
        note_wrote("essai/demandes@2")
    assert "journal d'audit" in error.value.french
    assert entries(lake)[0].outcome == ""


def test_what_work_failed_of_is_not_hidden_by_its_record(lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(Trail, "end", _down)
    with pytest.raises(Refused), recorded(lake, "essai", "purge"):
        raise Refused("non")
    assert NOT_RECORDED in caplog.text


def _down(*arguments: Any) -> None:
    raise StorageError("down")
