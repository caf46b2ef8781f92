"""Corrections of rows are kept beside the bytes that they lie over; nobody's are lost, and an erasure takes a person's out."""

from __future__ import annotations

import pytest

from flows.lake.corrections import Correction, Corrections
from flows.lake.objects import Objects

FILE, OTHER = "ab" * 32, "cd" * 32


def one(number: int, text: str = "bien", member: str = "") -> Correction:
    return Correction(f"id-{number}", member, number, False, {"texte": None}, {"texte": text})


@pytest.fixture
def store(bucket: Objects) -> Corrections:
    return Corrections(bucket, "demandes")


def test_the_last_correction_of_a_row_counts(store: Corrections) -> None:
    store.add(FILE, [one(1), one(2)], "run-1", "moi")
    store.add(FILE, [one(2, "mieux"), one(2, "dedans", "/a.csv")], "run-2", "moi")
    found = store.of(FILE)
    assert {place: c.changes["texte"] for place, c in found.items()} == {("", 1): "bien", ("", 2): "mieux", ("/a.csv", 2): "dedans"}
    assert store.of(OTHER) == {}


def test_a_version_names_the_corrections_of_some_files(store: Corrections) -> None:
    assert store.version([FILE]) == ""
    store.add(FILE, [one(1)], "run-1", "moi")
    first = store.version([FILE])
    assert first and store.version([OTHER]) == "" and store.version([FILE, OTHER]) == first
    store.add(FILE, [one(1)], "run-1", "moi")
    assert store.version([FILE]) != first


def test_two_people_at_once_both_keep_theirs(store: Corrections, monkeypatch: pytest.MonkeyPatch) -> None:
    create, calls = type(store.objects).create, []

    def late(objects: Objects, key: str, data: bytes) -> bool:
        calls.append(key)
        if len(calls) == 1:
            Corrections(store.objects, "demandes").add(FILE, [one(1)], "run-2", "elle")
        return create(objects, key, data)

    monkeypatch.setattr(type(store.objects), "create", late)
    store.add(FILE, [one(2)], "run-1", "lui")
    assert sorted(store.of(FILE)) == [("", 1), ("", 2)]


def test_an_erasure_takes_rows_out_and_leaves_the_version(store: Corrections) -> None:
    store.add(FILE, [one(1), one(2, "Durand")], "run-1", "moi")
    before = store.version([FILE])
    assert store.erase(lambda c: "Durand" in (c.changes["texte"] or ""), dry_run=True) == 1
    assert len(store.of(FILE)) == 2
    assert store.erase(lambda c: "Durand" in (c.changes["texte"] or ""), dry_run=False) == 1
    assert sorted(store.of(FILE)) == [("", 1)]
    assert store.version([FILE]) == before


def test_no_value_is_in_what_is_printed() -> None:
    assert "Durand" not in repr(one(1, "Durand"))
