"""Databases as a source: what all of them share, on SQLite. Servers: test_sql_servers.py."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.project.sources import SqlSource
from flows.sources.sql import SqlQuery
from flows.sources.sql import columns as sql_columns
from flows.sources.sql.other import PythonValues
from flows.sources.sql.position import Position, before, hashes
from tests.sources.context import context

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at TEXT, amount REAL, data BLOB)"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "projet").mkdir()
    return tmp_path / "projet"


@pytest.fixture
def base(folder):
    connection = sqlite3.connect(folder / "base.db", isolation_level=None)
    yield connection
    connection.close()


def fetch(folder, state=None, mode="append", options=None, **more):
    """The rows (None: nothing new), what comes next, the file."""
    source = SqlQuery(SqlSource(type="sql", **({"url": "sqlite:///base.db"} | more)), context(folder, state=state, **(options or {})))
    source.mode = mode
    files = source.fetch(folder.parent / "work")
    state = json.loads(json.dumps(source.next_state))
    return (pl.read_parquet(files[0].path) if files else None), state, (files[0] if files else None)


def rows(folder, **more):
    return fetch(folder, **more)[0].rows()


# ---- what is read --------------------------------------------------------------------------------------------------


def test_a_table_with_its_types_in_the_order_of_its_key(base, folder):
    base.execute(TABLE)
    base.execute("INSERT INTO t VALUES (2, 'é', '2024-01-02', 1.5, x'00ff'), (1, NULL, NULL, 2, NULL)")
    frame, state, file = fetch(folder, table="t", mode="replace")
    assert frame.rows() == [(1, None, None, 2.0, None), (2, "é", "2024-01-02", 1.5, b"\x00\xff")]
    assert frame.dtypes == [pl.Int64, pl.String, pl.String, pl.Float64, pl.Binary]
    assert (state, file.name, file.source) == ({}, "t.parquet", "sql:sqlite:///base.db t")


def test_the_same_rows_give_the_same_bytes_however_they_were_written(base, folder):
    base.execute("CREATE TABLE t (name TEXT COLLATE NOCASE, n)")
    content = [("a", 1), ("A", 2), ("b", None), ("a", 1), (None, 3)]
    base.executemany("INSERT INTO t VALUES (?, ?)", content)
    first = fetch(folder, table="t")[2].sha256
    base.execute("DELETE FROM t")
    base.executemany("INSERT INTO t VALUES (?, ?)", reversed(content))
    assert fetch(folder, table="t")[2].sha256 == first
    base.execute("UPDATE t SET n = 4 WHERE n = 3")
    assert fetch(folder, table="t")[2].sha256 != first


def test_columns_condition_and_query(base, folder):
    base.execute(TABLE)
    base.executemany("INSERT INTO t (id, name) VALUES (?, ?)", [(1, "a%s"), (2, "b:x"), (3, "c")])
    assert rows(folder, table="t", columns=["name"], where="id < 3 -- and no more") == [("a%s",), ("b:x",)]
    query = "SELECT upper(name) AS nom, id FROM t WHERE name LIKE '%:x' OR name = 'c' ; "
    assert rows(folder, query=query, order_by=["id"]) == [("B:X", 2), ("C", 3)]
    assert rows(folder, query="WITH a AS (SELECT 1 AS n UNION ALL SELECT 2) SELECT n FROM a") == [(1,), (2,)]


def test_odd_names(base, folder):
    base.execute('CREATE TABLE "Ma table" ("taux %" INTEGER PRIMARY KEY, "a ""b""" TEXT)')
    base.execute("""INSERT INTO "Ma table" VALUES (1, 'x')""")
    assert rows(folder, query='SELECT * FROM "Ma table"', cursor="taux %") == [(1, "x")]


def test_a_column_of_several_types(base, folder):
    base.execute("CREATE TABLE t (n, m, o)")
    base.execute("INSERT INTO t VALUES (1, 'x', NULL), (2.5, 3, NULL)")
    frame = fetch(folder, table="t")[0]
    assert frame.rows() == [(1.0, "x", None), (2.5, "3", None)]
    base.execute("INSERT INTO t VALUES (9007199254740993, 'y', NULL)")
    with pytest.raises(SourceRefused, match="'n'"):
        fetch(folder, table="t")
    base.execute("UPDATE t SET n = x'00' WHERE m = 'y'")
    with pytest.raises(ConfigurationError, match="bytes in some rows"):
        fetch(folder, table="t")


def test_many_rows_and_rows_of_many_bytes(base, folder, monkeypatch):
    monkeypatch.setattr(sql_columns, "MAX_BYTES", 100_000)
    base.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    base.execute("BEGIN")
    base.executemany("INSERT INTO t VALUES (?, ?)", ((i, "x" * (i % 3000)) for i in range(5000)))
    base.execute("COMMIT")
    frame, _, file = fetch(folder, table="t")
    assert frame["id"].to_list() == list(range(5000))
    assert frame["text"].str.len_chars().to_list() == [i % 3000 for i in range(5000)]
    assert fetch(folder, table="t")[2].sha256 == file.sha256


def test_no_rows(base, folder):
    base.execute(TABLE)
    assert fetch(folder, table="t")[0].shape == (0, 5), "a whole table that is empty is a file without rows: the load says so"
    assert fetch(folder, table="t", cursor="id") == (None, {}, None)


# ---- cursors -------------------------------------------------------------------------------------------------------


def test_only_what_is_new_and_ties_are_neither_lost_nor_doubled(base, folder):
    base.execute(TABLE)
    base.executemany("INSERT INTO t (id, at) VALUES (?, ?)", [(1, "2024-01-01"), (2, "2024-01-02"), (3, "2024-01-02")])
    how = {"table": "t", "columns": ["id", "at"], "cursor": "at"}
    first, state, _ = fetch(folder, **how)
    assert first["id"].to_list() == [1, 2, 3] and state["value"] == "2024-01-02"
    assert fetch(folder, state=state, **how)[:2] == (None, state)
    base.executemany("INSERT INTO t (id, at) VALUES (?, ?)", [(4, "2024-01-02"), (5, "2024-01-03")])
    second, after, _ = fetch(folder, state=state, **how)
    assert second["id"].to_list() == [4, 5] and after["value"] == "2024-01-03"
    assert fetch(folder, state=state, **how)[0].equals(second), "not committed: the same again"
    assert fetch(folder, state=after, **how)[0] is None


def test_two_equal_rows_are_two_rows(base, folder):
    base.execute("CREATE TABLE t (at INTEGER, name TEXT)")
    base.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (1, "a")])
    _, state, _ = fetch(folder, table="t", cursor="at")
    assert fetch(folder, state=state, table="t", cursor="at")[0] is None
    base.execute("INSERT INTO t VALUES (1, 'a')")
    third, state, _ = fetch(folder, state=state, table="t", cursor="at")
    assert third.rows() == [(1, "a")] and len(state["seen"]) == 3
    assert fetch(folder, state=state, table="t", cursor="at")[0] is None


def test_late_rows_within_the_lag(base, folder):
    base.execute(TABLE)
    base.executemany("INSERT INTO t (id, amount) VALUES (?, 0)", [(10,), (20,), (30,)])
    how = {"table": "t", "columns": ["id"], "cursor": "id", "lag": 15}
    _, state, _ = fetch(folder, **how)
    base.executemany("INSERT INTO t (id) VALUES (?)", [(5,), (25,), (40,)])
    second, state, _ = fetch(folder, state=state, **how)
    assert second["id"].to_list() == [25, 40], "5 came later than the lag allows"
    assert fetch(folder, state=state, **how)[0] is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), max_size=6), min_size=1, max_size=6), st.integers(0, 3))
def test_whatever_comes_after_the_lag_is_read_exactly_once(tmp_path_factory, arrivals, lag):
    folder = tmp_path_factory.mktemp("p")
    base = sqlite3.connect(folder / "base.db", isolation_level=None)
    base.execute("CREATE TABLE t (at INTEGER, name TEXT)")
    read, expected, state, greatest = Counter(), Counter(), {}, None
    for step, arrival in enumerate(arrivals):
        arrival = [(at + step, name) for at, name in arrival]
        base.executemany("INSERT INTO t VALUES (?, ?)", arrival)
        expected.update(row for row in arrival if greatest is None or row[0] >= greatest - lag)
        frame, state, _ = fetch(folder, state=state, table="t", cursor="at", lag=lag)
        read.update(frame.rows() if frame is not None else [])
        greatest = max([greatest, *(at for at, _ in arrival)], key=lambda v: -1 if v is None else v) if arrival else greatest
        assert read == expected
    base.close()


def test_rows_without_a_value_in_the_cursor_are_not_lost_silently(base, folder):
    base.execute(TABLE)
    base.execute("INSERT INTO t (id, at) VALUES (1, NULL), (2, 'x')")
    with pytest.raises(ConfigurationError, match="1 rows have no value") as caught:
        fetch(folder, table="t", cursor="at")
    assert "COALESCE" in caught.value.hint
    assert fetch(folder, table="t", cursor="at", where="at IS NOT NULL")[0]["id"].to_list() == [2]


def test_more_rows_at_the_end_than_can_be_remembered(base, folder):
    base.execute(TABLE)
    base.executemany("INSERT INTO t (id, at) VALUES (?, 'x')", [(i,) for i in range(20)])
    how = {"table": "t", "cursor": "at", "options": {"sql_boundary_rows": 10}}
    with pytest.raises(ConfigurationError, match="more than 10 rows"):
        fetch(folder, **how)
    _, state, _ = fetch(folder, mode="upsert", **how)
    assert state["seen"] is None
    again, _, _ = fetch(folder, mode="upsert", state=state, **how)
    assert again.height == 20, "merged into themselves by their key"


def test_a_changed_question(base, folder):
    base.execute(TABLE)
    base.execute("INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b')")
    narrow = {"table": "t", "columns": ["id"], "cursor": "id"}
    wide = narrow | {"columns": ["id", "name"]}
    _, state, _ = fetch(folder, **narrow)
    assert fetch(folder, state=state, **wide)[0] is None, "appended rows stay; the boundary is known by the columns of then"
    assert fetch(folder, state=state, mode="upsert", **wide)[0].height == 2, "merged again, with the new column"
    _, state, _ = fetch(folder, **wide)
    with pytest.raises(ConfigurationError, match="no longer have name"):
        fetch(folder, state=state, **narrow)
    with pytest.raises(ConfigurationError, match="the cursor changed"):
        fetch(folder, state=state, table="t", columns=["id", "name"], cursor="name")


def test_cursors_that_cannot_be(base, folder):
    base.execute(TABLE)
    base.execute("INSERT INTO t VALUES (1, 'a', 'x', 1.5, NULL)")
    with pytest.raises(ConfigurationError, match="'amount' is double"):
        fetch(folder, table="t", cursor="amount")
    with pytest.raises(ConfigurationError, match="a number"):
        fetch(folder, table="t", cursor="id", lag="2 h")
    with pytest.raises(ConfigurationError, match="text has no lag"):
        fetch(folder, table="t", cursor="at", lag="2 h")
    with pytest.raises(ConfigurationError, match="no column 'nom'") as caught:
        fetch(folder, table="t", cursor="nom")
    assert "name" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "value", "lag", "start"),
    [
        ("int64", -5, 2, -7),
        ("decimal128(20, 3)", Decimal("10.500"), 2, Decimal("8.500")),
        ("date32[day]", date(2024, 3, 1), 90_000, date(2024, 2, 28)),
        ("timestamp[us, tz=UTC]", datetime(2024, 1, 1, 0, 0, 0, 5, UTC), 60, datetime(2023, 12, 31, 23, 59, 0, 5, UTC)),
        ("timestamp[us]", datetime(2024, 1, 1), None, datetime(2024, 1, 1)),
        ("string", "é", None, "é"),
    ],
)
def test_a_position_comes_back_from_the_commit_as_it_was(kind, value, lag, start):
    position = Position("c", kind, value, ["c", "d"], "asked", Counter({"h": 2}))
    assert Position.from_state(json.loads(json.dumps(position.to_state()))) == position
    assert before(value, lag) == start


def test_hashes_tell_values_and_columns_apart():
    batch = pa.record_batch({"a": ["x", "", None, "1"], "b": [None, "x", "x", None], "c": [1.0, 1.0, 1.0, 1.0]})
    assert len(set(hashes(batch, ["a", "b", "c"]))) == 4
    assert list(hashes(batch, ["a"])) != list(hashes(batch, ["b"]))


# ---- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_missing_file_is_not_made(folder):
    with pytest.raises(ConfigurationError, match=r"no file 'base\.db'") as caught:
        fetch(folder, table="t")
    assert str(folder) in caught.value.where and not (folder / "base.db").exists()


def test_a_file_that_is_no_database(folder):
    (folder / "base.db").write_bytes(b"id;name\n" * 500)
    with pytest.raises(SourceRefused, match="no whole SQLite file"):
        fetch(folder, table="t")


def test_unknown_names_say_which_there_are(base, folder):
    base.execute("CREATE TABLE clients (id)")
    with pytest.raises(ConfigurationError, match="no table 'client'") as caught:
        fetch(folder, table="client")
    assert "clients" in caught.value.hint
    with pytest.raises(ConfigurationError, match="no such column: nom"):
        fetch(folder, query="SELECT nom FROM clients")
    with pytest.raises(ConfigurationError, match="syntax error"):
        fetch(folder, query="SELEC 1")


@pytest.mark.parametrize(
    "query", ["DELETE FROM t", "INSERT INTO t VALUES (3)", "ATTACH DATABASE 'x.db' AS x", "PRAGMA user_version = 3", "DROP TABLE t"]
)
def test_nothing_is_written(base, folder, query):
    base.execute("CREATE TABLE t (id)")
    base.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ConfigurationError):
        fetch(folder, query=query)
    assert base.execute("SELECT count(*) FROM t").fetchone() == (1,) and not (folder / "x.db").exists()


def test_a_statement_that_never_ends(base, folder):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS c FROM n"
    with pytest.raises(SystemFailure, match=r"longer than 0\.2 s") as caught:
        fetch(folder, query=endless, options={"sql_statement_timeout_s": 0.2})
    assert "SOCLE_SQL_STATEMENT_TIMEOUT_S" in caught.value.hint


def test_more_than_may_be_kept(base, folder):
    with pytest.raises(SourceRefused, match="SOCLE_SQL_MAX_GB"):
        fetch(folder, query="SELECT hex(randomblob(20000)) AS x", options={"sql_max_gb": 1e-6})
    assert list((folder.parent / "work").iterdir()) == []


def test_a_kind_of_database_without_a_driver(folder):
    with pytest.raises(ConfigurationError, match="no driver for nosuchbase"):
        fetch(folder, url="nosuchbase://h/b", table="t")


# ---- other databases -----------------------------------------------------------------------------------------------


def other(base_path, statement):
    """What the reader for any database of SQLAlchemy gives."""
    from sqlalchemy import create_engine

    reader = PythonValues()
    with create_engine(f"sqlite:///{base_path}").connect() as connection:
        connection = connection.execution_options(no_parameters=True)
        columns = reader.describe(connection, f"(\n{statement}\n) socle_rows")
        batches = list(reader.batches(connection, statement, columns))
    return pa.Table.from_batches(batches)


def test_values_of_any_other_database(base, folder):
    base.execute(TABLE)
    base.execute("PRAGMA synchronous = OFF")
    base.executemany("INSERT INTO t VALUES (?, ?, NULL, ?, ?)", [(i, f"n{i}", i / 2, bytes([i % 256])) for i in range(1000)])
    table = other(folder / "base.db", "SELECT * FROM t")
    assert table.schema.types == [pa.int64(), pa.string(), pa.string(), pa.float64(), pa.binary()]
    assert table.num_rows == 1000 and table["name"][999].as_py() == "n999"
    base.execute("UPDATE t SET amount = 'text' WHERE id = 999")
    with pytest.raises(SourceRefused, match="'amount'"):
        other(folder / "base.db", "SELECT * FROM t")


# ---- the project file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "block"),
    [
        ("either a table or a query", {"url": "postgresql://h/b"}),
        ("either a table or a query", {"url": "postgresql://h/b", "table": "t", "query": "SELECT 1"}),
        ("no password", {"url": "postgresql://u:secret@h/b", "table": "t"}),
        ("no password", {"url": "mysql://h/b?password=secret", "table": "t"}),
        ("relative to the project's folder", {"url": "sqlite://", "table": "t"}),
        ("of the options of an address", {"url": "mysql://h/b?read_default_file=/etc/x", "table": "t"}),
        ("of the options of an address", {"url": "postgresql://h/b?passfile=/etc/x", "table": "t"}),
        ("lag belongs to a cursor", {"url": "postgresql://h/b", "table": "t", "lag": 3}),
        ("begins with postgresql://", {"url": "h/b", "table": "t"}),
        ("a query says them itself", {"url": "postgresql://h/b", "query": "SELECT 1", "where": "x"}),
        ("not one of the columns", {"url": "postgresql://h/b", "table": "t", "columns": ["a"], "cursor": "b"}),
    ],
)
def test_what_a_project_cannot_declare(said, block):
    with pytest.raises(ValidationError, match=said):
        SqlSource(type="sql", **block)


def test_a_full_picture_is_no_source_of_what_is_new(root, edit):
    from flows.validation import check_project

    edit("source: {type: file, path: data/*.csv}", "source: {type: sql, url: 'sqlite:///b.db', table: t, cursor: id}")
    _, [problem] = check_project(root, "essai")
    assert "mode: replace takes each load for the whole" in problem.message


def test_a_load_by_key_of_the_dataset_is_ordered_by_it_first(base, folder):
    base.execute("CREATE TABLE t (a, b, c)")
    base.execute("INSERT INTO t VALUES (1, 2, 0), (2, 1, 0), (0, 1, 1)")
    source = SqlQuery(SqlSource(type="sql", url="sqlite:///base.db", table="t"), context(folder))
    source.key = ["b"]
    [file] = source.fetch(folder.parent / "work")
    assert pl.read_parquet(file.path)["b"].to_list() == [1, 1, 2] and pl.read_parquet(file.path)["a"].to_list() == [0, 2, 1]
