"""Versions of a dataset: what a reader sees before, during and after loads."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flows.errors import Conflict, NotFound, SocleError, StorageError
from flows.lake import Lake
from flows.lake.data_files import DataFile
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.objects import Objects
from flows.lake.references import parse
from flows.project import Deletes
from tests.lake.support import SCHEMA, commit, content, load, reader, record, scanned

MODES = ["replace", "append", "upsert", "snapshot"]
ONE, TWO = {"id": "a", "n": 1}, {"id": "b", "n": 2}
WIDE = SCHEMA.append(pa.field("theme", pa.string()))


def ids(dataset: Dataset) -> list[str]:
    return [version.load.load_id for version in dataset.history()]


# -- before the first load


def test_a_dataset_that_was_never_loaded_has_no_versions(dataset: Dataset) -> None:
    assert (dataset.open(), dataset.delta_version(), dataset.history(), dataset.latest()) == (None, None, [], None)
    with pytest.raises(NotFound) as caught:
        dataset.resolve(parse("essai/demandes"))
    assert "none" in caught.value.where


def test_the_empty_table_is_not_a_version_and_is_made_once(dataset: Dataset) -> None:
    assert dataset.create_table(SCHEMA) == 0
    assert (dataset.history(), dataset.latest()) == ([], None)
    load(dataset, "load-1", [ONE])
    assert dataset.create_table(SCHEMA) == 1
    assert ids(dataset) == ["load-1"]


# -- the modes


def test_the_first_load_is_version_1_in_every_mode(lake: Lake) -> None:
    for mode in MODES:
        dataset = Dataset(lake, "essai", mode)
        assert load(dataset, "load-1", [ONE, TWO], mode) == 1
        assert content(dataset, 1) == [ONE, TWO]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("replace", [{"id": "b", "n": 20}, {"id": "c", "n": 3}]),
        ("snapshot", [{"id": "b", "n": 20}, {"id": "c", "n": 3}]),
        ("append", [ONE, TWO, {"id": "b", "n": 20}, {"id": "c", "n": 3}]),
        ("upsert", [ONE, {"id": "b", "n": 20}, {"id": "c", "n": 3}]),
    ],
)
def test_what_a_second_load_makes_of_the_first(dataset: Dataset, mode: str, expected: list[dict[str, Any]]) -> None:
    load(dataset, "load-1", [ONE, TWO], "append")
    assert load(dataset, "load-2", [{"id": "b", "n": 20}, {"id": "c", "n": 3}], mode) == 2
    assert content(dataset, 2) == sorted(expected, key=lambda row: (row["id"], str(row["n"])))
    assert content(dataset, 1) == [ONE, TWO]


def test_scan_reads_the_version_that_was_asked_for(dataset: Dataset) -> None:
    load(dataset, "load-1", [ONE])
    load(dataset, "load-2", [TWO])
    assert scanned(dataset, 1) == [ONE]
    assert scanned(dataset, 2) == [TWO]


def test_a_key_of_several_columns_with_names_as_people_write_them(dataset: Dataset) -> None:
    schema = pa.schema([("Nom complet", pa.string()), ("Année", pa.int64()), ("a.b", pa.string()), ("n", pa.int64())])
    key = ["Nom complet", "Année", "a.b"]
    names = {"Nom complet": "Zoé", "Année": 2026, "a.b": "x"}
    other = names | {"Année": 2025, "n": 7}
    dataset.create_table(schema)
    commit(dataset, reader([names | {"n": 1}, other], schema), 0, record("load-1", "upsert"), key)
    commit(dataset, reader([names | {"n": 2}], schema), 1, record("load-2", "upsert"), key)
    assert sorted(content(dataset, 2), key=lambda row: row["n"]) == [names | {"n": 2}, other]


def test_every_column_type_of_a_contract_comes_back(dataset: Dataset) -> None:
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("entier", pa.int64()),
            ("nombre", pa.float64()),
            ("vrai", pa.bool_()),
            ("jour", pa.date32()),
            ("instant", pa.timestamp("us", tz="UTC")),
        ]
    )
    full = {
        "id": "é\u2028'\"\\`$;",
        "entier": -(2**63),
        "nombre": 0.1 + 0.2,
        "vrai": False,
        "jour": dt.date(1789, 7, 14),
        "instant": dt.datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=dt.UTC),
    }
    empty = dict.fromkeys(full) | {"id": "vide"}
    dataset.create_table(schema)
    for n, mode in enumerate(["replace", "upsert"]):
        commit(dataset, reader([full, empty], schema), n, record(f"load-{n}", mode), ["id"])
        assert {row["id"]: row for row in content(dataset, n + 1)} == {full["id"]: full, "vide": empty}


# -- the record of a load


def test_what_a_load_was_made_from_travels_with_it(dataset: Dataset) -> None:
    made = record(
        "load-1",
        parts={"format": "csv é \"'\n", "transform": ""},
        raw={"a.csv": "0" * 64, "b.csv": "f" * 64},
        rows={"read": 10, "kept": 8, "refused": 2, "total": 8},
        quarantine_version=3,
    )
    dataset.create_table(SCHEMA)
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    returned = commit(dataset, reader([ONE]), 0, made, ["id"])
    assert returned.load == made
    assert dataset.latest() == returned
    assert before < returned.at < before + dt.timedelta(minutes=5)
    assert str(returned) == "essai/demandes@1"


@pytest.mark.parametrize("text", ["1", "null", "true", "[]", '{"a": 1}', "", "a\x1fb", "socle.load_id", "\U0001f600"])
def test_texts_in_a_record_come_back_as_texts(dataset: Dataset, text: str) -> None:
    dataset.create_table(SCHEMA)
    made = record("load-1", parts={text: text}, raw={text: text})
    made = type(made)(**(vars(made) | {"who": text, "run": text, "ingest": text}))
    assert commit(dataset, reader([ONE]), 0, made, ["id"]).load == made


# -- history and references


def test_history_is_the_newest_first_and_references_resolve_in_it(dataset: Dataset) -> None:
    for n in range(1, 13):
        load(dataset, f"load-{n}", [{"id": str(n), "n": n}], "append")
    assert ids(dataset) == [f"load-{n}" for n in range(12, 0, -1)]
    assert [version.number for version in dataset.history()] == list(range(12, 0, -1))
    resolved: list[DatasetVersion] = [dataset.resolve(parse(f"essai/demandes{at}")) for at in ("", "@latest", "@12", "@9", "@1")]
    assert [version.number for version in resolved] == [12, 12, 12, 9, 1]
    assert resolved[3].load.load_id == "load-9"


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_is_not_there_is_not_found_and_those_there_are_named(dataset: Dataset, version: int) -> None:
    load(dataset, "load-1", [ONE])
    load(dataset, "load-2", [TWO])
    with pytest.raises(NotFound) as caught:
        dataset.resolve(parse(f"essai/demandes@{version}"))
    assert "2, 1" in caught.value.where


def test_opening_a_version_that_is_not_there_is_not_found(dataset: Dataset) -> None:
    load(dataset, "load-1", [ONE])
    with pytest.raises(NotFound):
        dataset.open(99)


def test_rows_of_a_version_that_is_not_there_are_an_error_of_ours(dataset: Dataset) -> None:
    load(dataset, "load-1", [ONE])
    with pytest.raises((NotFound, StorageError)):
        scanned(dataset, 99)


def test_a_data_file_that_is_gone_is_a_storage_error(dataset: Dataset, bucket: Objects) -> None:
    load(dataset, "load-1", [ONE])
    (data,) = [found.key for found in bucket.list("tables/demandes/") if found.key.endswith(".parquet")]
    bucket.delete(data)
    with pytest.raises(StorageError, match="essai/demandes"):
        scanned(dataset, 1)


def test_maintenance_is_not_a_version_but_the_next_load_must_be_based_on_it(dataset: Dataset) -> None:
    for n in (1, 2, 3):
        load(dataset, f"load-{n}", [{"id": str(n), "n": n}], "append")
    dataset.open().optimize.compact()
    dataset.open().vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, keep_versions=[1, 2, 3])
    newest = dataset.delta_version()
    assert newest > 3
    assert dataset.latest().number == 3
    assert ids(dataset) == ["load-3", "load-2", "load-1"]
    with pytest.raises(NotFound):
        dataset.resolve(parse(f"essai/demandes@{newest}"))
    with pytest.raises(Conflict):
        commit(dataset, reader([TWO]), 3, record("load-4", "append"), ["id"])
    assert commit(dataset, reader([TWO]), newest, record("load-4", "append"), ["id"]).number == newest + 1
    assert [len(content(dataset, n)) for n in (1, 2, 3, newest + 1)] == [1, 2, 3, 4]


def test_old_versions_outlive_a_checkpoint(dataset: Dataset) -> None:
    load(dataset, "load-1", [ONE])
    load(dataset, "load-2", [TWO])
    table = dataset.open()
    table.create_checkpoint()
    table.cleanup_metadata()
    assert table.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"
    assert ids(dataset) == ["load-2", "load-1"]
    assert content(dataset, 1) == [ONE]


def test_a_log_that_another_tool_cleaned_never_shifts_the_numbers_of_versions(dataset: Dataset, bucket: Objects) -> None:
    """An error is fine, a wrong number is not: models say which version they were trained on."""
    for n in (1, 2, 3):
        load(dataset, f"load-{n}", [{"id": str(n), "n": n}], "append")
    dataset.open().create_checkpoint()
    for n in (0, 1):
        bucket.delete(f"tables/demandes/_delta_log/{n:020}.json")
    try:
        numbers = {version.load.load_id: version.number for version in dataset.history()}
    except StorageError:
        return
    assert numbers == {"load-3": 3, "load-2": 2}


# -- other writers, and loads that fail


@pytest.mark.parametrize("mode", MODES)
def test_a_load_based_on_an_old_version_is_a_conflict_and_leaves_nothing(dataset: Dataset, mode: str) -> None:
    load(dataset, "load-1", [ONE])
    load(dataset, "load-2", [TWO])
    for base in (0, 1):
        with pytest.raises(Conflict) as caught:
            commit(dataset, reader([{"id": "late", "n": 9}]), base, record("late", mode), ["id"])
        assert "essai/demandes" in caught.value.message
    assert ids(dataset) == ["load-2", "load-1"]
    assert dataset.delta_version() == 2
    assert content(dataset, 2) == [TWO]


@pytest.mark.parametrize("mode", MODES)
def test_a_file_that_is_gone_leaves_no_version(dataset: Dataset, mode: str, tmp_path: Path) -> None:
    load(dataset, "load-1", [ONE])
    with pytest.raises(SocleError):
        dataset.commit([DataFile(tmp_path / "gone.parquet", 1)], SCHEMA, 1, record("load-2", mode), ["id"])
    assert ids(dataset) == ["load-1"]
    assert content(dataset, 1) == [ONE]


DELETES = Deletes(column="statut", values=["supprimé", "l'autre"])
STATUS = pa.schema([("id", pa.string()), ("statut", pa.string())])


def test_an_upsert_takes_out_the_keys_that_the_source_marks_as_gone(dataset: Dataset) -> None:
    dataset.create_table(STATUS)
    first = [{"id": i, "statut": s} for i, s in [("a", "actif"), ("b", None), ("c", "actif"), ("d", "actif")]]
    commit(dataset, reader(first, STATUS), 0, record("load-1", "upsert"), ["id"])
    marked = [("a", "supprimé"), ("b", "l'autre"), ("c", None), ("nouveau", "actif"), ("jamais vu", "supprimé")]
    second = [{"id": i, "statut": s} for i, s in marked]
    commit(dataset, reader(second, STATUS), 1, record("load-2", "upsert"), ["id"], deletes=DELETES)
    assert {r["id"]: r["statut"] for r in content(dataset, 2)} == {"c": None, "d": "actif", "nouveau": "actif"}
    assert content(dataset, 1) == first


def test_two_rows_for_one_key_are_refused_by_an_upsert(dataset: Dataset) -> None:
    load(dataset, "load-1", [ONE])
    with pytest.raises(StorageError):
        commit(dataset, reader([{"id": "a", "n": 5}, {"id": "a", "n": 6}]), 1, record("load-2", "upsert"), ["id"])
    assert content(dataset, dataset.delta_version()) == [ONE]


# -- columns


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_a_new_column_is_taken_when_asked_and_old_versions_keep_theirs(dataset: Dataset, mode: str) -> None:
    load(dataset, "load-1", [ONE])
    new = {"id": "b", "n": 2, "theme": "paie"}
    commit(dataset, reader([new], WIDE), 1, record("load-2", mode), ["id"], evolve=True)
    assert content(dataset, 2) == [ONE | {"theme": None}, new]
    assert content(dataset, 1) == [ONE]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_a_new_column_is_refused_and_not_dropped_when_not_asked(dataset: Dataset, mode: str) -> None:
    load(dataset, "load-1", [ONE])
    with pytest.raises(StorageError):
        commit(dataset, reader([{"id": "b", "n": 2, "theme": "paie"}], WIDE), 1, record("load-2", mode), ["id"])
    assert ids(dataset) == ["load-1"]


def test_a_replaced_table_has_the_new_columns_only(dataset: Dataset) -> None:
    other = pa.schema([("id", pa.string()), ("n", pa.string())])
    load(dataset, "load-1", [ONE])
    commit(dataset, reader([{"id": "a", "n": "un"}], other), 1, record("load-2"), ["id"])
    assert content(dataset, 2) == [{"id": "a", "n": "un"}]
    assert content(dataset, 1) == [ONE]
