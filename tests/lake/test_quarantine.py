"""Refused rows are kept once a load, whatever happens to the run."""

from __future__ import annotations

import json

import polars as pl
import pytest

from flows.lake import Lake
from flows.lake.quarantine import Quarantine
from tests.lake.support import read_rows

EMPTY = {"file": pl.String, "row_number": pl.Int64, "rules": pl.List(pl.String), "row": pl.String}


def refused(count: int, file: str = "demandes.csv") -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "file": [file] * count,
            "row_number": list(range(1, count + 1)),
            "rules": [["texte: vide", "id: en double"][: 1 + n % 2] for n in range(count)],
            "row": [json.dumps({"id": f"d{n}", "texte": 'é "\n'}) for n in range(count)],
        },
        schema=EMPTY,
    )


def stored(quarantine: Quarantine) -> list[tuple[str, int]]:
    """(load_id, row_number) of everything in the table, read past Quarantine."""
    version = quarantine.delta_version()
    return sorted((row["load_id"], row["row_number"]) for row in read_rows(quarantine.lake, quarantine.uri, version))


def test_refused_rows_come_back_with_every_rule(quarantine: Quarantine) -> None:
    assert quarantine.add(refused(3), "load-1", "run-1") == 1
    rows = sorted(quarantine.rows("load-1"), key=lambda row: row["row_number"])
    assert [row["row_number"] for row in rows] == [1, 2, 3]
    assert {k: v for k, v in rows[1].items() if v is not None and k != "id"} == {
        "load_id": "load-1",
        "run": "run-1",
        "file": "demandes.csv",
        "row_number": 2,
        "rules": ["texte: vide", "id: en double"],
        "row": {"id": "d1", "texte": 'é "\n'},
    }
    assert len(quarantine.rows("load-1", limit=2)) == 2


def test_a_row_is_kept_with_its_place_its_text_and_the_version_of_its_rules(quarantine: Quarantine) -> None:
    placed = refused(2, "lot.zip/a.csv").with_columns(line=pl.lit(7), offset=pl.lit(1 << 40), raw=pl.lit("d0;é"))
    quarantine.add(placed, "load-1", "run-1", rules_version="r1", sha256={"lot.zip": "ab" * 32}, expected=2)
    first, second = sorted(quarantine.rows("load-1"), key=lambda row: row["row_number"])
    assert (first["line"], first["offset"], first["raw"], first["rules_version"]) == (7, 1 << 40, "d0;é", "r1")
    assert (first["sha256"], first["member"], first["origin"]) == ("ab" * 32, "/a.csv", None)
    assert first["id"] != second["id"] and len(first["id"]) == 20


def test_an_id_says_where_a_row_was_and_nothing_of_it(quarantine: Quarantine, lake: Lake) -> None:
    quarantine.add(refused(2), "load-1", "run-1")
    others = refused(2).with_columns(row=pl.lit('{"id": "x"}'))
    Quarantine(lake, "essai", "autres").add(others, "load-1", "run-2")
    ids = [[row["id"] for row in q.rows("load-1")] for q in (quarantine, Quarantine(lake, "essai", "autres"))]
    assert ids[0] == ids[1]


def test_a_record_that_is_no_row_has_an_id_of_its_own(quarantine: Quarantine) -> None:
    """Rows that a transform makes have numbers of their own."""
    record = refused(1).with_columns(row=pl.lit("{}"), raw=pl.lit("a;b;c"))
    quarantine.add(pl.concat([refused(1), record], how="diagonal"), "load-1", "run-1")
    assert len({row["id"] for row in quarantine.rows("load-1")}) == 2


def test_rows_that_are_not_all_there_are_not_written(quarantine: Quarantine) -> None:
    with pytest.raises(AssertionError, match="3 rows were refused, 2"):
        quarantine.add(refused(2), "load-1", "run-1", expected=3)
    assert quarantine.delta_version() is None


def test_rows_that_a_replay_let_in_are_lines_without_rules(quarantine: Quarantine) -> None:
    quarantine.add(refused(2), "load-1", "run-1", expected=2)
    ids = [row["id"] for row in quarantine.rows("load-1")]
    lines = refused(2).with_columns(origin=pl.Series(ids), rules=pl.Series([["texte: vide"], []], dtype=pl.List(pl.String)))
    quarantine.add(lines, "load-2", "run-2", expected=1)
    assert quarantine.counts() == {"load-1": 2, "load-2": 1}
    assert [row["origin"] for row in quarantine.rows("load-2")] == [ids[0]]
    assert quarantine.replays() == {"load-2": {"load-1"}}


def test_a_table_of_an_earlier_socle_is_read_and_added_to(lake: Lake, quarantine: Quarantine) -> None:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, write_deltalake

    columns = [("load_id", pa.string()), ("run", pa.string()), ("file", pa.string()), ("row_number", pa.int64())]
    old = pa.schema([*columns, ("rules", pa.list_(pa.string())), ("row", pa.string())])
    quarantine.create_table(old)
    table = DeltaTable(quarantine.uri, storage_options=lake.storage_options)
    line = {"load_id": "load-0", "run": "run-0", "file": "demandes.csv", "row_number": 4, "rules": ["required:id"], "row": '{"id": null}'}
    properties = CommitProperties(custom_metadata={"socle.quarantined": "load-0"})
    write_deltalake(table, pa.Table.from_pylist([line], schema=old), mode="append", commit_properties=properties)
    before = quarantine.rows("load-0")
    assert [(row["rules"], row["line"], row["raw"]) for row in before] == [(["required:id"], None, None)]
    quarantine.add(refused(2).with_columns(line=pl.lit(3)), "load-1", "run-1")
    assert quarantine.rows("load-0") == before
    assert [row["line"] for row in quarantine.rows("load-1")] == [3, 3]
    assert quarantine.counts() == {"load-0": 1, "load-1": 2}


def test_nothing_refused_writes_nothing(quarantine: Quarantine) -> None:
    assert quarantine.add(refused(0), "load-1", "run-1") is None
    assert quarantine.delta_version() is None
    assert (quarantine.version_of("load-1"), quarantine.rows("load-1")) == (None, [])


def test_a_load_that_is_run_again_writes_its_rows_once(quarantine: Quarantine) -> None:
    first = quarantine.add(refused(3), "load-1", "run-1")
    other = quarantine.add(refused(2, "autre.csv"), "load-2", "run-2")
    assert quarantine.add(refused(3), "load-1", "run-3") == first
    assert quarantine.delta_version() == other == first + 1
    assert stored(quarantine) == [("load-1", 1), ("load-1", 2), ("load-1", 3), ("load-2", 1), ("load-2", 2)]
    assert {row["run"] for row in quarantine.rows("load-1")} == {"run-1"}


def test_loads_are_shown_apart(quarantine: Quarantine) -> None:
    quarantine.add(refused(3), "load-1", "run-1")
    quarantine.add(refused(2, "autre.csv"), "load-2", "run-2")
    assert {row["file"] for row in quarantine.rows("load-2")} == {"autre.csv"}
    assert len(quarantine.rows("load-1")) == 3
    assert quarantine.rows("load-3") == []


def test_the_quarantine_of_a_dataset_is_not_the_dataset_nor_another(lake: Lake, quarantine: Quarantine, dataset) -> None:
    quarantine.add(refused(1), "load-1", "run-1")
    assert dataset.history() == []
    assert quarantine.history() == []  # refused rows are not a version of anything
    assert Quarantine(lake, "essai", "autres").rows("load-1") == []


def test_another_load_that_comes_between_is_kept_too(lake: Lake, quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our write is refused once, then follows the other."""
    quarantine.add(refused(1), "load-0", "run-0")
    import deltalake

    write, calls = deltalake.write_deltalake, []

    def late(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            assert Quarantine(lake, "essai", "demandes").add(refused(2), "load-1", "run-1") == 2
        return write(*args, **kwargs)

    monkeypatch.setattr(deltalake, "write_deltalake", late)
    assert quarantine.add(refused(1), "load-2", "run-2") == 3
    assert stored(quarantine) == [("load-0", 1), ("load-1", 1), ("load-1", 2), ("load-2", 1)]


def test_the_same_load_that_comes_between_is_written_once(lake: Lake, quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run of the load ends its write after ours looked whether there is one."""
    quarantine.add(refused(1), "load-0", "run-0")
    look, calls = Quarantine.version_of, []

    def slow(self: Quarantine, load_id: str) -> int | None:
        seen = look(self, load_id)
        calls.append(1)
        if len(calls) == 1:
            Quarantine(lake, "essai", "demandes").add(refused(2), "load-1", "run-1")
        return seen

    monkeypatch.setattr(Quarantine, "version_of", slow)
    assert quarantine.add(refused(2), "load-1", "run-2") == 2
    assert stored(quarantine) == [("load-0", 1), ("load-1", 1), ("load-1", 2)]
