"""The lists of the repository are those of the manifest, and a refresh replaces them only by what is plausible."""

from __future__ import annotations

import hashlib
import json
import zipfile
from types import SimpleNamespace

import polars as pl
import pytest

from flows.errors import ConfigurationError, SourceRefused
from flows.quality.french import lists, lists_refresh
from flows.quality.suites import Suite
from flows.settings import Settings
from flows.steps.fingerprints import changed, check_parts
from flows.steps.reference_lists import Stayed, refresh

COMMUNES = [
    {"code": "01015", "type": "commune-actuelle", "anciensCodes": ["01340"], "codesPostaux": ["01300"]},
    {"code": "01015", "type": "commune-deleguee", "chefLieu": "01015"},
    {"code": "01120", "type": "commune-associee", "chefLieu": "01262"},
    {"code": "75101", "type": "arrondissement-municipal", "commune": "75056", "codesPostaux": ["75001"]},
]


@pytest.mark.parametrize("name", sorted(lists.manifest()))
def test_a_list_is_the_one_of_the_manifest(name):
    entry, path = lists.manifest()[name], lists.FOLDER / f"{name}.csv"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    rows = lists.table(name)
    assert rows.height == entry["rows"] == rows.unique().height
    assert rows[rows.columns[0]].str.contains(lists_refresh.CODE[name]).all()
    assert {"title", "publisher", "licence", "sources", "read", "fetched"} <= set(entry)


def test_every_list_is_in_the_manifest():
    there = {p.stem for p in lists.FOLDER.glob("*.csv")}
    assert there == set(lists.manifest()) == set(lists_refresh.BUILDERS) == set(lists_refresh.CODE)


def test_the_lists_hang_together():
    communes, pairs = lists.table("communes"), lists.table("postal_codes")
    today = set(lists.codes("communes", "commune"))
    assert set(communes["current"]) <= today
    assert set(pairs["commune"]) <= today | set(lists.codes("communes", "arrondissement"))
    departments = set(lists.codes("departments", "department", "collectivity"))
    assert {c[:3] if c[:2] in ("97", "98") else c[:2] for c in today} <= departments
    assert len(lists.codes("departments", "department")) == 101


def test_the_lists_are_small():
    assert sum(p.stat().st_size for p in lists.FOLDER.iterdir()) < 2_000_000


@pytest.fixture
def place(tmp_path):
    """A folder of lists with one list, whose source is a file."""
    folder = tmp_path / "reference"
    folder.mkdir()
    entry = {"title": "Communes", "sources": [{"type": "file", "path": str(tmp_path / "communes.json")}]}
    (folder / lists.MANIFEST).write_text(json.dumps({"communes": entry}))
    (tmp_path / "communes.json").write_text(json.dumps(COMMUNES))
    return folder


def _refresh(place, *names, **settings):
    outcomes = list(refresh(list(names), Settings(**settings), place))
    for outcome in outcomes:
        if isinstance(outcome, Stayed):
            raise outcome.error
    return outcomes


def test_a_refresh_writes_list_and_manifest(place):
    (change,) = _refresh(place)
    assert (change.before, change.after, change.added) == (0, 4, ["01015", "01120", "01340", "75101"])
    path = place / "communes.csv"
    assert (
        path.read_text() == "code,kind,current\n01015,commune,01015\n01120,former,01262\n01340,former,01015\n75101,arrondissement,75056\n"
    )
    entry = lists.manifest(place)["communes"]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and entry["rows"] == 4
    assert entry["title"] == "Communes" and entry["read"] == entry["sources"]


def test_a_refresh_says_what_came_and_went(place):
    _refresh(place)
    (place.parent / "communes.json").write_text(json.dumps([*COMMUNES[:2], {"code": "01262", "type": "commune-actuelle"}, COMMUNES[3]]))
    (change,) = _refresh(place, "communes")
    assert (change.added, change.removed) == (["01262"], ["01120"])


def test_what_was_said_of_a_list_is_not_said_of_another(place):
    _refresh(place)
    told = lists.manifest(place)
    told["communes"]["of"] = "janvier"
    (place / lists.MANIFEST).write_text(json.dumps(told))
    _refresh(place)
    assert lists.manifest(place)["communes"]["of"] == "janvier"
    (place.parent / "communes.json").write_text(json.dumps([*COMMUNES, {"code": "01262", "type": "commune-actuelle"}]))
    _refresh(place)
    assert "of" not in lists.manifest(place)["communes"]


def test_a_list_that_shrinks_too_much_stays(place):
    _refresh(place)
    before = (place / "communes.csv").read_text()
    (place.parent / "communes.json").write_text(json.dumps(COMMUNES[:3]))
    with pytest.raises(SourceRefused, match="from 4 to 3 rows"):
        _refresh(place)
    assert (place / "communes.csv").read_text() == before
    assert _refresh(place, reference_shrink_percent=25.0)[0].after == 3


@pytest.mark.parametrize(
    "found", ["[]", "{}", "<html>", '[{"code": "1", "type": "commune-actuelle"}]', '[{"code": "01001", "type": "autre"}]']
)
def test_a_source_of_another_shape_is_refused(place, found):
    (place.parent / "communes.json").write_text(found)
    with pytest.raises(SourceRefused, match="communes"):
        _refresh(place)
    assert not (place / "communes.csv").exists()


def test_a_list_that_fails_keeps_no_other_from_its_refresh(place):
    entries = lists.manifest(place)
    entries["aaa"] = {"title": "Absente", "sources": [{"type": "file", "path": str(place / "absent.json")}]}
    (place / lists.MANIFEST).write_text(json.dumps(entries))
    stayed, change = refresh([], Settings(), place)
    assert isinstance(stayed, Stayed) and stayed.name == "aaa" and "absent.json" in stayed.error.message
    assert change.name == "communes" and change.after == 4


def test_a_list_that_there_is_not(place):
    with pytest.raises(ConfigurationError, match="commune") as caught:
        _refresh(place, "commune")
    assert "did you mean 'communes'" in caught.value.hint


def test_naf_and_idcc_are_built_from_two_files(tmp_path):
    (tmp_path / "naf.json").write_text(json.dumps([{"id": "01"}, {"id": "01.11Z"}]))
    (tmp_path / "naf.ts").write_text('export const x = {\n  "01.11Y":\n    "Culture",\n};')
    assert lists_refresh.build("naf", [tmp_path / "naf.json", tmp_path / "naf.ts"]).rows() == [("01.11Y", "2025"), ("01.11Z", "rev2")]
    (tmp_path / "now.json").write_text(json.dumps([{"num": 16}, {"num": "1486"}]))
    (tmp_path / "before.json").write_text(json.dumps([{"num": 16}, {"num": 2111}]))
    built = lists_refresh.build("idcc", [tmp_path / "now.json", tmp_path / "before.json"])
    assert built.rows() == [("0016", "current"), ("1486", "current"), ("2111", "former")]


def test_rome_is_built_from_the_archive_of_france_travail(tmp_path):
    with zipfile.ZipFile(tmp_path / "rome.zip", "w") as archive:
        archive.writestr("unix_texte_v460_utf8.csv", '"code_rome","libelle"\n"A1101","x"\n')
        archive.writestr(
            "unix_referentiel_code_rome_v460_utf8.csv", '"code_rome","libelle_rome"\n"M1805","Développeur"\n"A1101","Conducteur"\n'
        )
    assert lists_refresh.build("rome", [tmp_path / "rome.zip"]).rows() == [("A1101",), ("M1805",)]


def test_the_revision_is_of_the_lists_that_are_used():
    naf, communes = (lists.revision([f"expect_column_values_to_be_{name}"]) for name in ("naf", "commune"))
    assert len({naf, communes, lists.revision(["expect_column_values_to_be_siren"])}) == 3
    assert lists.revision(["expect_column_values_to_be_siren"]) == ""
    assert lists.revision(["expect_column_values_to_not_be_null", "expect_column_values_to_be_naf"]) == naf


def test_a_changed_list_is_a_changed_check(monkeypatch):
    dataset = SimpleNamespace(not_personal={}, on_failure="block", personal_data=None)
    suites = [Suite("essai.json", [{"type": "expect_column_values_to_be_naf", "kwargs": {}}], "0" * 64)]
    before = check_parts(dataset, suites)
    told = lists.manifest()
    monkeypatch.setattr(lists, "manifest", lambda: told | {"naf": {"sha256": "other"}})
    assert changed(before, check_parts(dataset, suites)) == ["reference lists"]


def test_a_missing_list_says_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(lists, "FOLDER", tmp_path)
    lists.forget()
    with pytest.raises(ConfigurationError, match="communes"):
        lists.codes("communes")
    lists.forget()


def test_codes_are_sorted_and_each_once():
    found = lists.codes("postal_codes")
    assert found.dtype == pl.String and found.is_sorted() and found.is_unique().all()
