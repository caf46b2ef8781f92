"""Databases as a source, on real servers: PostgreSQL and MariaDB."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.project.sources import SqlSource
from flows.sources.sql import SqlQuery
from flows.sources.sql import columns as sql_columns
from tests.sources.context import context
from tests.sources.databases import PASSWORD, USER, mariadb, or_skip, postgresql

pytestmark = pytest.mark.services

MANY = {
    "postgresql": "CREATE TABLE many AS SELECT i AS id, repeat(md5(i::text), 10) AS text FROM generate_series(1, 400000) i",
    "mysql": "CREATE TABLE many AS SELECT seq AS id, repeat(md5(seq), 10) AS text FROM seq_1_to_100000",
}
SLOW = {"postgresql": "SELECT 1 AS n, pg_sleep(30)", "mysql": "SELECT 1 AS n, sleep(30) AS s"}
KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE info LIKE '%many%' AND id <> connection_id()",
}


@pytest.fixture(scope="session")
def postgresql_server():
    yield from or_skip(postgresql)


@pytest.fixture(scope="session")
def mariadb_server():
    yield from or_skip(mariadb)


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request, monkeypatch):
    return _emptied(request.getfixturevalue(f"{request.param}_server"), monkeypatch)


@pytest.fixture
def postgres(postgresql_server, monkeypatch):
    return _emptied(postgresql_server, monkeypatch)


@pytest.fixture
def maria(mariadb_server, monkeypatch):
    return _emptied(mariadb_server, monkeypatch)


def _emptied(database, monkeypatch):
    if database.scheme == "postgresql":
        database.do("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    else:
        database.do("DROP DATABASE essai", "CREATE DATABASE essai CHARACTER SET utf8mb4")
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_BASE", PASSWORD)
    return database


def fetch(tmp_path, database, state=None, mode="append", options=None, progress=None, **more):
    """The rows (None: nothing new), what comes next, the file."""
    declared = SqlSource(type="sql", **({"url": database.url, "credentials": "base"} | more))
    source = SqlQuery(declared, context(tmp_path, state=state, **(options or {})))
    source.mode = mode
    files = source.fetch(tmp_path / "work", progress=progress)
    state = json.loads(json.dumps(source.next_state))
    return (pl.read_parquet(files[0].path) if files else None), state, (files[0] if files else None)


# ---- types ---------------------------------------------------------------------------------------------------------


def test_types_of_postgresql(postgres, tmp_path):
    postgres.do(
        "CREATE TYPE humeur AS ENUM ('bonne', 'mauvaise')",
        """CREATE TABLE t (a smallint PRIMARY KEY, b bigint, c numeric(20,3), d numeric, e real, f double precision, g boolean, h date,
           i timestamp, j timestamptz, k bytea, l uuid, m json, n jsonb, o text[], p interval, q time, r inet, s humeur,
           t varchar, u text)""",
        """INSERT INTO t VALUES (1, 9223372036854775807, 12345678901234567.891, 0.1234567890123456789, 0.1, 1e-300, true, '2024-02-29',
           '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00+02', '\\x00ff41', '0189d2b4-0000-7000-8000-000000000001', '{"a": 1.10}',
           '{"b":1}', '{"x,y",NULL}', '1 day 02:00', '24:00', '10.0.0.1', 'bonne', '', E'é"\\n,;\\\\.')""",
        "INSERT INTO t (a, u) VALUES (2, '\\.')",
    )
    frame = fetch(tmp_path, postgres, table="t")[0]
    first, second = frame.rows()
    assert first[:7] == (1, 9223372036854775807, Decimal("12345678901234567.891"), "0.1234567890123456789", 0.1, 1e-300, True)
    assert first[7:9] == (date(2024, 2, 29), datetime(2024, 1, 1, 10, 0, 0, 123456))
    assert first[9] == datetime(2024, 1, 1, 8, tzinfo=UTC) and frame.schema["j"] == pl.Datetime("us", "UTC")
    assert first[10:14] == (b"\x00\xffA", "0189d2b4-0000-7000-8000-000000000001", '{"a": 1.10}', '{"b": 1}')
    assert first[14:] == ('["x,y",null]', "P1DT2H", "24:00:00", "10.0.0.1", "bonne", "", 'é"\n,;\\.')
    assert second == (2, *[None] * 19, "\\.")


def test_types_of_mariadb(maria, tmp_path):
    maria.do(
        """CREATE TABLE t (a tinyint PRIMARY KEY, b bigint unsigned, c decimal(20,3), d decimal(65,30), e float, f double, g boolean,
           h date, i datetime(6), j timestamp(3) NULL, k varbinary(9), l char(3), m json, n enum('x','y'), o time, p bit(9), q year,
           r longtext, s decimal(5,0) unsigned, t varchar(20) CHARACTER SET latin1)""",
        "SET time_zone = '+02:00'",
    )
    maria.do(
        """SET time_zone = '+02:00'""",
        """INSERT INTO t VALUES (1, 18446744073709551615, 12345678901234567.891, 0.123456789012345678901234567890, 16777217, 1e-300, 1,
           '2024-02-29', '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00.5', 0x00ff41, 'abc', '{"a": 1.10}', 'y', '838:59:59',
           b'100000001', 2024, 'é"\\n,;', 12345, 'été')""",
    )
    maria.do("SET time_zone = '+02:00'", "INSERT INTO t (a, r) VALUES (-2, '')")
    frame = fetch(tmp_path, maria, table="t")[0]
    second, first = frame.rows()
    digits = "0.123456789012345678901234567890"
    assert first[:7] == (1, 18446744073709551615, Decimal("12345678901234567.891"), digits, 16777216.0, 1e-300, 1)
    assert first[7:9] == (date(2024, 2, 29), datetime(2024, 1, 1, 10, 0, 0, 123456))
    assert frame.schema["i"] == pl.Datetime("us") and frame.schema["j"] == pl.Datetime("us", "UTC") and first[9].microsecond == 500000
    assert first[10:16] == (b"\x00\xffA", "abc", '{"a": 1.10}', "y", "838:59:59", b"\x01\x01")
    assert first[16:] == (2024, 'é"\n,;', Decimal(12345), "été")
    assert second == (-2, *[None] * 16, "", None, None)


@pytest.mark.parametrize("value", ["'infinity'::timestamptz", "'0044-03-15 BC'::date", "'NaN'::numeric(5,2)"])
def test_what_no_type_holds_is_said_and_not_changed(postgres, tmp_path, value):
    with pytest.raises(SourceRefused, match="the column 'x'"):
        fetch(tmp_path, postgres, query=f"SELECT {value} AS x")
    assert fetch(tmp_path, postgres, query=f"SELECT ({value})::text AS x")[0].height == 1


def test_zero_dates_of_mysql(maria, tmp_path):
    maria.do("CREATE TABLE t (d date)")
    maria.do("SET sql_mode = ''", "INSERT INTO t VALUES ('0000-00-00')")
    with pytest.raises(SourceRefused, match="the column 'd'"):
        fetch(tmp_path, maria, table="t")


# ---- rows ----------------------------------------------------------------------------------------------------------


def test_many_rows_in_pieces_give_the_same_bytes(server, tmp_path, monkeypatch):
    server.do(MANY[server.scheme])
    moved = []
    frame, _, file = fetch(tmp_path, server, table="many", order_by=["id"], progress=moved.append)
    assert frame["id"].to_list() == list(range(1, frame.height + 1)) and frame.height >= 100_000
    assert len(moved) > 1 and sum(moved) <= file.size
    assert fetch(tmp_path, server, table="many", order_by=["id"])[2].sha256 == file.sha256
    assert fetch(tmp_path, server, table="many")[0]["id"].n_unique() == frame.height, "without a key: ordered by every column"


def test_a_value_of_many_megabytes(server, tmp_path):
    server.do("CREATE TABLE t (id int PRIMARY KEY, x " + ("text)" if server.scheme == "postgresql" else "longtext)"))
    server.do("INSERT INTO t VALUES (1, 'a'), (2, repeat('é', 4000000)), (3, NULL)")
    frame = fetch(tmp_path, server, table="t")[0]
    assert frame["x"].str.len_chars().to_list() == [1, 4_000_000, None]


def test_names_and_texts_that_look_like_parameters(server, tmp_path):
    quote = '"' if server.scheme == "postgresql" else "`"
    server.do(f"CREATE TABLE t ({quote}Taux %{quote} int PRIMARY KEY, b varchar(20))", "INSERT INTO t VALUES (5, '%s :a ? \\\\')")
    query = f"SELECT * FROM t WHERE b LIKE '%s%' AND {quote}Taux %{quote} % 5 = 0 -- :x"
    frame, state, _ = fetch(tmp_path, server, query=query, cursor="Taux %")
    assert frame.columns == ["Taux %", "b"] and frame["b"][0].startswith("%s :a ? ")
    assert fetch(tmp_path, server, state=state, query=query, cursor="Taux %")[0] is None


def test_one_column_without_values(server, tmp_path):
    server.do("CREATE TABLE t (x varchar(5))", "INSERT INTO t VALUES (NULL), (''), (NULL)")
    values = fetch(tmp_path, server, table="t")[0]["x"].to_list()
    assert sorted(values, key=str) == ["", None, None]


def test_a_query_with_a_column_twice(server, tmp_path):
    server.do("CREATE TABLE t (id int)")
    with pytest.raises(ConfigurationError, match=r"(?i)two columns named id|duplicate column name 'id'"):
        fetch(tmp_path, server, query="SELECT a.id, b.id FROM t a, t b")


def test_a_view_and_a_schema(server, tmp_path):
    server.do("CREATE TABLE t (id int)", "INSERT INTO t VALUES (2), (1)", "CREATE VIEW v AS SELECT id + 1 AS n FROM t")
    schema = "public" if server.scheme == "postgresql" else "essai"
    assert fetch(tmp_path, server, table=f"{schema}.v")[0]["n"].to_list() == [2, 3]
    if server.scheme == "postgresql":
        server.do("CREATE MATERIALIZED VIEW mv AS SELECT id FROM t")
        assert fetch(tmp_path, server, table="mv")[0].height == 2


def test_everything_is_of_one_moment(server, tmp_path, monkeypatch):
    """Rows that come while the first are read are not in it, whatever is asked meanwhile."""
    server.do("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    if server.scheme == "mysql":
        server.do("ALTER TABLE t ENGINE = InnoDB")
    source = SqlQuery(SqlSource(type="sql", url=server.url, credentials="base", table="t", cursor="id"), context(tmp_path))
    describe = source._describe

    def then_write(*arguments):
        found = describe(*arguments)
        server.do("INSERT INTO t VALUES (2)")
        return found

    monkeypatch.setattr(source, "_describe", then_write)
    [file] = source.fetch(tmp_path / "work")
    assert pl.read_parquet(file.path)["id"].to_list() == [1] and source.next_state["value"] == "1"


# ---- cursors -------------------------------------------------------------------------------------------------------


def test_a_moment_as_a_cursor(server, tmp_path):
    kind = "timestamptz" if server.scheme == "postgresql" else "timestamp(6)"
    server.do(f"CREATE TABLE t (id int PRIMARY KEY, at {kind} NOT NULL)")

    def insert(*rows):
        for row, at in rows:
            zone = "+00" if server.scheme == "postgresql" else ""
            server.do(f"INSERT INTO t VALUES ({row}, '{at}{zone}')")

    if server.scheme == "mysql":
        server.do("SET GLOBAL time_zone = '+00:00'")
    how = {"table": "t", "cursor": "at", "lag": "10 min"}
    insert((1, "2024-03-31 00:59:59.999999"), (2, "2024-03-31 01:00:00.000001"))
    first, state, _ = fetch(tmp_path, server, **how)
    assert first["id"].to_list() == [1, 2] and state["value"] == "2024-03-31T01:00:00.000001+00:00"
    assert fetch(tmp_path, server, state=state, **how)[0] is None
    insert((3, "2024-03-31 00:55:00"), (4, "2024-03-31 01:00:00.000001"), (5, "2024-03-31 02:30:00"))
    second, state, _ = fetch(tmp_path, server, state=state, **how)
    assert second["id"].to_list() == [3, 4, 5] and fetch(tmp_path, server, state=state, **how)[0] is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("date", ["2024-01-01", "2024-01-02", "2024-01-03"]),
        ("decimal(20,6)", ["1.000001", "1.000002", "12345678901234.5"]),
        ("varchar(20)", ["B", "a", "é'\\\\"]),
        ("bigint", ["-1", "0", "9223372036854775807"]),
    ],
)
def test_cursors_of_any_type(server, tmp_path, kind, values):
    escaped = (lambda v: v.replace("'", "''")) if server.scheme == "mysql" else (lambda v: v.replace("'", "''").replace("\\\\", "\\"))
    server.do(f"CREATE TABLE t (c {kind} NOT NULL, n int)")
    state, seen = {}, []
    for number, value in enumerate(values):
        server.do(f"INSERT INTO t VALUES ('{escaped(value)}', {number}), ('{escaped(value)}', {number})")
        frame, state, _ = fetch(tmp_path, server, state=state, table="t", cursor="c")
        seen += frame["n"].to_list()
        assert fetch(tmp_path, server, state=state, table="t", cursor="c")[0] is None
    assert seen == [0, 0, 1, 1, 2, 2]


def test_texts_that_a_server_takes_for_equal(server, tmp_path):
    server.do("CREATE TABLE t (c varchar(20) NOT NULL)", "INSERT INTO t VALUES ('a'), ('A'), ('á')")
    frame, state, _ = fetch(tmp_path, server, table="t", cursor="c")
    assert frame.height == 3 and fetch(tmp_path, server, state=state, table="t", cursor="c")[0] is None


# ---- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_wrong_password_is_never_said(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_BASE", "faux-mot-de-passe")
    with pytest.raises(ConfigurationError, match="refuses us") as caught:
        fetch(tmp_path, server, table="t")
    assert "faux-mot-de-passe" not in str(caught.value) + repr(caught.value.__context__) and "'base'" in caught.value.where
    with pytest.raises(ConfigurationError, match="refuses us"):
        fetch(tmp_path, server, table="t", credentials=None)


def test_user_and_password_in_the_credentials(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_BASE", f"user={USER}\npassword={PASSWORD}")
    assert fetch(tmp_path, server, url=server.url.replace(f"{USER}@", ""), query="SELECT 1 AS n")[0].rows() == [(1,)]


def test_passwords_of_whoever_runs_it_are_not_used(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    with pytest.raises(ConfigurationError, match="refuses us"):
        fetch(tmp_path, postgres, query="SELECT 1 AS n", credentials=None)


def test_unknown_database_table_and_column(server, tmp_path):
    server.do("CREATE TABLE clients (id int)")
    with pytest.raises(ConfigurationError, match="no table 'client'") as caught:
        fetch(tmp_path, server, table="client")
    assert "clients" in caught.value.hint
    with pytest.raises(ConfigurationError, match=r"cannot do what it is asked: .*nom"):
        fetch(tmp_path, server, table="clients", columns=["nom"])
    with pytest.raises(ConfigurationError, match=r"refuses us: .*absente"):
        fetch(tmp_path, server, url=server.url.replace("/essai", "/absente"), table="clients")


def test_nobody_there(server, tmp_path):
    with pytest.raises(SystemFailure, match="cannot be reached") as caught:
        fetch(tmp_path, server, url=server.url.replace(f":{server.port}/", ":1/"), table="t")
    assert caught.value.where.endswith("127.0.0.1:1/essai") and PASSWORD not in str(caught.value)


def test_nothing_is_written(server, tmp_path):
    server.do("CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
    writes = [
        "DELETE FROM t",
        "DELETE FROM t RETURNING id",
        "SELECT 1; DELETE FROM t",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    ]
    if server.scheme == "postgresql":
        server.do("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t; SELECT 1'", "CREATE SEQUENCE s")
        writes += ["SELECT f() AS n", "SELECT nextval('s') AS n"]
    else:
        server.do("CREATE FUNCTION f() RETURNS int BEGIN DELETE FROM t; RETURN 1; END")
        writes += ["SELECT f() AS n"]
    for query in writes:
        with pytest.raises(ConfigurationError):
            fetch(tmp_path, server, query=query)
    assert server.do("SELECT id FROM t") == [(1,)] or server.do("SELECT id FROM t") == ((1,),)


def test_a_statement_that_takes_too_long(server, tmp_path):
    with pytest.raises(SystemFailure, match="longer than 1 s"):
        fetch(tmp_path, server, query=SLOW[server.scheme], options={"sql_statement_timeout_s": 1})


@pytest.mark.parametrize("when", [1, 3])
def test_a_connection_that_is_killed_while_rows_come(server, tmp_path, monkeypatch, when):
    server.do(MANY[server.scheme])
    monkeypatch.setattr(sql_columns, "MAX_ROWS", 1000)
    monkeypatch.setattr("flows.sources.sql.postgresql.MAX_ROWS", 1000)
    moved = []

    def progress(count):
        moved.append(count)
        if len(moved) == when:
            found = server.do(KILL[server.scheme])
            assert found, "the connection that reads is there"
            if server.scheme == "mysql":
                server.do(f"KILL {found[0][0]}")
            time.sleep(0.2)

    with pytest.raises(SystemFailure, match="went away"):
        fetch(tmp_path, server, query="SELECT * FROM many a", order_by=["id"], progress=progress)
    assert list((tmp_path / "work").iterdir()) == [], "no half file is left"


def test_a_reader_that_stops_early_does_not_read_the_rest(server, tmp_path, monkeypatch):
    server.do(MANY[server.scheme])
    with pytest.raises(SourceRefused, match="SOCLE_SQL_MAX_GB"):
        fetch(tmp_path, server, table="many", order_by=["id"], options={"sql_max_gb": 1e-4})
    time.sleep(0.2)
    left = [t for t in threading.enumerate() if t.name.startswith("psycopg")]
    assert left == [] and fetch(tmp_path, server, query="SELECT 1 AS n")[0].rows() == [(1,)]
