"""socle quarantine as it is typed: what is shown and what is hidden, a file out and back, a replay."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import PROJECT as TEXT
from tests.conftest import SUITE, csv_text, write_project

SECRET = "Durand"
PROJECT = TEXT.replace("on_failure: block", "on_failure: quarantine").replace("theme: string", "theme: {type: string, required: true}")


@pytest.fixture
def refused(root: Path) -> Path:
    """Two rows kept, two refused, of a dataset with personal data."""
    folder = write_project(root, text=PROJECT.replace("personal_data: none", "personal_data: personal"), suite=SUITE | {"expectations": []})
    rows = [("d1", "un", "paie"), ("d2", "deux", "paie"), ("d3", SECRET, ""), ("d4", "quatre", "")]
    (folder / "data" / "demandes.csv").write_text(csv_text(rows), encoding="utf-8")
    with open_run("essai") as run:
        assert load_dataset(run, "demandes").version is not None
    return folder


def change(path: Path, **cells: str) -> None:
    """Fill cells of all rows in, as a French Excel saves."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file, delimiter=";")
    for line in lines:
        for column, text in cells.items():
            line[header.index(column)] = text
    with path.open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *lines])


@pytest.mark.usefixtures("refused")
def test_rows_are_shown_by_cause_with_their_place_and_values_stay_hidden(socle) -> None:
    done = socle("quarantine", "essai/demandes")
    assert done.code == 0
    assert "2  required:theme" in done.out and "« theme » manque" in done.out
    assert "data/demandes.csv, row 3" in done.out and "version 1: 2 open" in done.out
    assert SECRET not in done.out and "--show-values" in done.out
    assert SECRET in socle("quarantine", "essai/demandes", "--show-values").out


@pytest.mark.usefixtures("refused")
def test_the_same_as_json(socle) -> None:
    found = socle("quarantine", "essai/demandes", "--json", "--limit", "1").json
    assert found["rows"] == {"open": 2, "held": 0, "let in": 0, "closed": 0, "expired": 0}
    (cause,) = found["causes"]
    assert (cause["cause"], cause["french"], cause["rows"], len(cause["examples"])) == ("required:theme", "« theme » manque", 2, 1)
    assert cause["examples"][0]["row_number"] == 3 and "row" not in cause["examples"][0]
    shown: dict[str, Any] = socle("quarantine", "essai/demandes", "--json", "--show-values").json
    assert shown["causes"][0]["examples"][0]["row"]["texte"] == SECRET
    assert socle("quarantine", "essai/demandes", "--json", "--load", found["loads"][0]["load_id"][:6]).json["causes"] == [
        cause | {"examples": [{k: v for k, v in e.items() if k not in ("row", "raw")} for e in shown["causes"][0]["examples"]]}
    ]


@pytest.mark.usefixtures("refused")
def test_out_and_back_and_in(socle, tmp_path) -> None:
    path = tmp_path / "refusees.csv"
    done = socle("quarantine", "essai/demandes", "--export", str(path))
    assert done.code == 0 and "keep it safe" in done.out
    assert path.stat().st_mode & 0o077 == 0
    change(path, theme="congé")
    done = socle("quarantine", "essai/demandes", "--correct", str(path), "--replay")
    assert done.code == 0
    assert "2 row(s) tried, 2 came in" in done.out and "essai/demandes@2 is served now" in done.out
    again = socle("quarantine", "essai/demandes", "--replay", "--json").json
    assert (again["replayed"]["tried"], again["replayed"]["outcomes"]) == (0, [])
    shown = socle("show", "essai/demandes", "--json").json
    assert [(r["id"], r["theme"]) for r in shown["rows"]][2:] == [("d3", "congé"), ("d4", "congé")]


@pytest.mark.usefixtures("refused")
def test_an_export_and_a_replay_are_on_record_without_a_value(socle, tmp_path) -> None:
    socle("quarantine", "essai/demandes", "--export", str(tmp_path / "a.csv"))
    socle("quarantine", "essai/demandes", "--replay")
    records = socle("audit", "essai", "--json").json["entries"]
    assert {r["what"] for r in records} >= {"quarantine", "replay"}
    assert SECRET not in str(records)


@pytest.mark.usefixtures("refused")
def test_what_cannot_be_is_said(socle, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("", encoding="utf-8")
    for typed, code, said in (
        (("essai/demandes@1",), 2, "of all versions"),
        (("essai/autre",), 2, "datasets there: demandes"),
        (("essai/demandes", "--load", "zz"), 2, "loads there"),
        (("essai/demandes", "--rule", "zz"), 2, "rules there: required:theme"),
        (("essai/demandes", "--export", str(path)), 2, "not written over"),
        (("essai/demandes", "--export", str(path), "--replay"), 2, "--export comes before"),
        (("essai/demandes", "--correct", str(path)), 2, "empty"),
        (("essai/demandes", "--correct", str(tmp_path / "none.csv")), 2, "cannot be read"),
    ):
        done = socle("quarantine", *typed)
        assert done.code == code, typed
        assert said in " ".join(done.err.split()), typed


def test_a_dataset_that_was_never_loaded_has_none(socle, root) -> None:
    done = socle("quarantine", "essai/demandes")
    assert (done.code, done.out.strip()) == (0, "essai/demandes: no row was ever refused.")
    assert "nothing to replay" in socle("quarantine", "essai/demandes", "--replay").out
