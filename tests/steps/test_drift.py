"""Columns that are not those declared."""

from __future__ import annotations

import json

import pytest

from flows.errors import ConfigurationError, Refused, SourceRefused
from tests.conftest import csv_text

DRIFTED = "id,texte,thème,lieu\nz1,bonjour,paie,Brest\n"


def test_drift_refused_names_what_differs(load, data, history):
    load()
    data(DRIFTED)
    with pytest.raises(Refused) as caught:
        load()
    assert caught.value.exit_code == 1
    for word in ("'theme' is missing", "'thème'", "'lieu' is not declared", "demandes.csv"):
        assert word in str(caught.value)
    assert history() == [1]


def test_drift_evolves_with_new_columns_as_text(load, data, edit, served):
    edit("expectations:", "on_drift: evolve\n    expectations:")
    load()
    data(csv_text([("z1", "un", "paie", "29200")], header="id,texte,theme,code"))
    load()
    assert served() == [{"id": "z1", "texte": "un", "theme": "paie", "code": "29200"}]
    data(csv_text([("z2", "deux")], header="id,texte"))
    load()
    assert served() == [{"id": "z2", "texte": "deux", "theme": None}]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_drift_evolves_and_later_files_may_lack_the_column(load, data, edit, served, mode):
    edit("expectations:", f"on_drift: evolve\n    mode: {mode}\n    expectations:")
    data(csv_text([("a", "un", "paie")]))
    load()
    data(csv_text([("b", "deux", "paie", "x")], header="id,texte,theme,code"), "b.csv")
    load()
    data(csv_text([("c", "trois", "paie")]), "c.csv")
    load()
    assert [(r["id"], r["code"]) for r in served()] == [("a", None), ("b", "x"), ("c", None)]


def test_drift_evolve_still_needs_the_key(load, data, edit, history):
    edit("expectations:", "on_drift: evolve\n    expectations:")
    data("texte,theme\nun,paie\n")
    with pytest.raises(Refused, match="id"):
        load()
    assert history() == []


def test_drift_quarantines_the_whole_file_and_keeps_the_others(load, data, edit, served, quarantined):
    edit("on_failure: block", "on_failure: quarantine")
    edit("expectations:", "on_drift: quarantine\n    expectations:")
    data(DRIFTED, "drifted.csv")
    outcome = load()
    assert outcome.report.rows == {"read": 91, "kept": 90, "refused": 1, "total": 90}
    [rules] = quarantined(outcome.report).values()
    assert len(rules) == 1 and next(iter(rules)).startswith("drift:")
    assert len(served()) == 90


@pytest.mark.parametrize("name", ["__row", "__file", "__autre"])
def test_a_column_under_a_reserved_name_does_not_disappear_in_silence(load, data, name):
    data(csv_text([("a", "un", "paie", "x")], header=f"id,texte,theme,{name}"))
    with pytest.raises(Refused, match=name):
        load()


@pytest.mark.parametrize("name", ["*", "^id$"])
def test_a_name_that_is_a_pattern_to_polars_is_refused_as_such(load, data, edit, name):
    """It would stand for other columns: their values would be loaded under it."""
    edit("format: {type: csv}", "format: {type: json}\n    on_drift: evolve")
    data(None)
    data(json.dumps([{"id": "a", "texte": "un", "theme": "paie", name: "x"}]), "demandes.json")
    edit("data/*.csv", "data/*.json")
    with pytest.raises(SourceRefused, match="is no name of a column"):
        load()


@pytest.mark.parametrize("header", ["id,texte,theme,ID", "id,texte,theme,Lieu,lieu"])
def test_names_that_differ_in_capitals_alone_are_refused_before_the_table_is_asked(load, data, edit, history, header):
    edit("format: {type: csv}", "format: {type: csv}\n    on_drift: evolve")
    data(csv_text([("z", "un", "paie", *"xy"[: header.count(",") - 2])], header=header))
    with pytest.raises(Refused, match="in capitals alone"):
        load()
    assert history() == []


def test_a_new_column_that_differs_in_capitals_from_one_that_came_before(load, data, edit, unchecked, history):
    edit("format: {type: csv}", "format: {type: csv}\n    mode: append\n    on_drift: evolve")
    data(csv_text([("a", "un", "paie", "x")], header="id,texte,theme,lieu"))
    load()
    data(csv_text([("b", "un", "paie", "x")], header="id,texte,theme,LIEU"), "b.csv")
    with pytest.raises(ConfigurationError, match="'lieu' and 'LIEU' differ in capitals alone"):
        load()
    assert history() == [1]
