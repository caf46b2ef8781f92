"""Resources of dlt as a source, with the real library in its process. Each start takes a second: some wait for `services`."""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.project.sources import DltSource
from flows.sources import dlt as dlt_source
from flows.sources.dlt import DltResource, process
from flows.sources.dlt.items import Rows, as_line
from tests.sources.context import context

CONNECTOR = """
import datetime, decimal
import dlt


@dlt.resource
def plain(count=3):
    yield [{"id": i, "name": f"é{i}"} for i in range(count)]


def generator():
    yield {"b": 1, "a": decimal.Decimal("1.10")}
    yield {"a": datetime.date(2024, 1, 2), "b": float("nan")}


@dlt.resource
def since(rows, at=dlt.sources.incremental("at", initial_value="2024-01-01")):
    yield [row for row in rows]


@dlt.source
def several():
    def one():
        yield {"of": "one"}

    def two():
        yield {"of": "two"}

    return dlt.resource(one, name="one"), dlt.resource(two, name="two")


@dlt.resource
def secret(api_key: str = dlt.secrets.value, nested: str = dlt.secrets.value):
    yield {"length": len(api_key), "nested": len(nested)}


def fails(token):
    yield {"id": 1}
    raise ValueError("the service said " + token)


def arrow():
    import pyarrow as pa
    for start in range(0, 120_000, 7_000):
        yield pa.table({"n": list(range(start, min(start + 7_000, 120_000)))})


def nothing():
    return iter([])


def sleeps():
    import time
    yield {"a": 1}
    time.sleep(60)


def killed():
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
    yield {}


def surroundings():
    import os
    yield {"names": sorted(os.environ), "cwd": os.getcwd()}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "projet").mkdir()
    (tmp_path / "projet" / "connecteur.py").write_text(CONNECTOR, encoding="utf-8")
    return tmp_path / "projet"


def fetch(folder: Path, name: str, state=None, mode="append", settings=None, module="connecteur", progress=None, **more):
    source = DltResource(DltSource(type="dlt", resource=f"{module}:{name}", **more), context(folder, state=state, **(settings or {})))
    source.mode = mode
    work = folder.parent / f"work-{len(list(folder.parent.iterdir()))}"
    return source.fetch(work, progress=progress), source


def lines(files) -> list[dict]:
    [file] = files
    assert file.path.stat().st_size == file.size
    return [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]


def test_records_become_json_lines_of_the_same_bytes_each_time(folder):
    first, source = fetch(folder, "plain", arguments={"count": 2}, mode="replace")
    again, _ = fetch(folder, "plain", arguments={"count": 2}, mode="replace")
    assert lines(first) == [{"id": 0, "name": "é0"}, {"id": 1, "name": "é1"}]
    assert first[0].sha256 == again[0].sha256 and (first[0].name, first[0].source) == ("plain.jsonl", "dlt:connecteur:plain")
    assert source.next_state == {}


@pytest.mark.services
def test_a_plain_generator_and_values_that_json_has_not(folder):
    files, _ = fetch(folder, "generator")
    assert files[0].path.read_bytes() == b'{"a": "1.10", "b": 1}\n{"a": "2024-01-02", "b": "nan"}\n'


def test_incremental_state_is_kept_in_the_next_state_and_given_back(folder):
    rows = [{"id": 1, "at": "2024-01-01"}, {"id": 2, "at": "2024-01-02"}]
    files, source = fetch(folder, "since", arguments={"rows": rows})
    assert [row["id"] for row in lines(files)] == [1, 2]
    state = json.loads(json.dumps(source.next_state))
    nothing, later = fetch(folder, "since", state=state, arguments={"rows": rows})
    assert nothing == [] and later.next_state == state
    more, _ = fetch(folder, "since", state=state, arguments={"rows": [*rows, {"id": 3, "at": "2024-01-02"}, {"id": 4, "at": "2024-01-03"}]})
    assert [row["id"] for row in lines(more)] == [3, 4], "a row that shares the greatest value is not lost"


@pytest.mark.services
def test_an_incremental_resource_is_never_taken_for_the_whole(folder):
    with pytest.raises(ConfigurationError, match="only what is new"):
        fetch(folder, "since", mode="replace", arguments={"rows": [{"at": "2024-01-01"}]})


@pytest.mark.services
def test_one_resource_of_several_is_selected(folder):
    assert lines(fetch(folder, "several", select="two")[0]) == [{"of": "two"}]
    with pytest.raises(ConfigurationError, match="several resources") as caught:
        fetch(folder, "several")
    assert "one, two" in caught.value.hint


def test_secrets_reach_the_resource_in_memory_only(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_API", "api_key=tres-secret\nnested={x}\n")
    files, source = fetch(folder, "secret", credentials="api")
    assert lines(files) == [{"length": 11, "nested": 3}]
    written = [p for p in tmp_path.rglob("*") if p.is_file() and b"tres-secret" in p.read_bytes()]
    assert written == [] and "tres-secret" not in json.dumps(source.next_state)
    with pytest.raises(ConfigurationError, match=r"neither .* have: .*api_key"):
        fetch(folder, "secret")


def test_a_secret_in_an_argument_and_hidden_in_errors(folder, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_API", "token=tres-secret")
    with pytest.raises(ConfigurationError) as caught:
        fetch(folder, "fails", credentials="api", arguments={"token": {"secret": "token"}})
    assert "ValueError: the service said ***" in caught.value.message and "connecteur.py, line" in caught.value.message
    with pytest.raises(ConfigurationError, match="no line 'autre'"):
        fetch(folder, "fails", credentials="api", arguments={"token": {"secret": "autre"}})


@pytest.mark.services
def test_tables_become_parquet_whose_bytes_do_not_follow_their_cuts(folder):
    files, _ = fetch(folder, "arrow")
    frame = pl.read_parquet(files[0].path)
    assert files[0].name == "arrow.parquet" and frame["n"].to_list() == list(range(120_000))


def test_frames_of_pandas_and_polars_and_what_is_nested_in_them(tmp_path):
    import pandas as pd

    with Rows(tmp_path, 1) as rows:
        rows.add(pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [{"d": 1}, None]}))
        rows.add(pl.DataFrame({"c": ['{"d": 2}'], "b": ["y"], "a": [3]}))
    assert pl.read_parquet(tmp_path / rows.name).rows() == [(1, "x", '{"d": 1}'), (2, None, None), (3, "y", '{"d": 2}')]


def test_records_and_tables_are_not_mixed(tmp_path):
    with pytest.raises(ConfigurationError, match="records and tables"), Rows(tmp_path, 1) as rows:
        rows.add({"a": 1})
        rows.add(pl.DataFrame({"a": [1]}))


def test_tables_have_to_fit_to_the_first(tmp_path):
    for other, said in ((pl.DataFrame({"a": ["x"]}), "does not fit"), (pl.DataFrame({"a": [1], "b": [1]}), "columns that")):
        with pytest.raises(SourceRefused, match=said), Rows(tmp_path, 1) as rows:
            rows.add(pl.DataFrame({"a": [1]}))
            rows.add(other)
        assert not (tmp_path / "rows.parquet").exists(), "a file that was not written to its end is not left behind"


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("connecteur:absent", "has no 'absent'"),
        ("no_such_module:x", "no module"),
        ("tests.sources.test_dlt:CONNECTOR", "no function"),
        ("os:getcwd", "has no rows"),
    ],
)
def test_what_is_wrong_is_said(folder, resource, said, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "connecteur", None)
    with pytest.raises(process.Wrong, match=said):
        process._resource({"project": str(folder), "resource": resource, "arguments": {}, "secrets": {}, "select": None})


def test_what_is_wrong_comes_back_from_the_process(folder):
    with pytest.raises(ConfigurationError, match="has no 'absent'"):
        fetch(folder, "absent")


@pytest.mark.services
def test_no_row(folder):
    assert fetch(folder, "nothing", mode="append")[0] == []
    with pytest.raises(SourceRefused, match="no row"):
        fetch(folder, "nothing", mode="replace")


@pytest.mark.services
def test_limits_of_time_and_size(folder):
    with pytest.raises(SystemFailure, match="longer than 1 s"):
        fetch(folder, "sleeps", settings={"dlt_timeout_s": 1})
    with pytest.raises(SourceRefused, match="more than"):
        fetch(folder, "plain", arguments={"count": 5000}, settings={"dlt_max_gb": 1e-5})


@pytest.mark.services
def test_a_process_that_is_killed_is_a_failure_of_the_system(folder):
    with pytest.raises(SystemFailure, match="SIGKILL"):
        fetch(folder, "killed")


def test_its_process_sees_no_secret_of_ours_and_writes_only_in_its_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_S3_SECRET_KEY", "geheim")
    monkeypatch.setenv("PREFECT_API_KEY", "geheim")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files, _ = fetch(folder, "surroundings")
    [seen] = lines(files)
    assert not [name for name in seen["names"] if name.startswith(("SOCLE", "PREFECT"))]
    assert Path(seen["cwd"]) == files[0].path.parent
    assert not (tmp_path / "home").exists() and {p.name for p in folder.iterdir()} <= {"connecteur.py", ".lake"}


def test_a_missing_library_is_said(folder, monkeypatch):
    monkeypatch.setattr(dlt_source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="not installed") as caught:
        fetch(folder, "plain")
    assert "socle[dlt]" in caught.value.hint


class _Api(BaseHTTPRequestHandler):
    """Two pages of a list, for who has the token."""

    def do_GET(self):
        if self.headers["Authorization"] != "Bearer tres-secret":
            self.send_response(401)
            self.end_headers()
            return
        page = 2 if "page=2" in self.path else 1
        following = f"http://127.0.0.1:{self.server.server_port}/rows?page=2" if page == 1 else None
        body = json.dumps({"items": [{"id": page * 10 + i} for i in range(2)], "next": following}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.services
def test_a_connector_of_dlt_itself(folder, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "client": {
            "base_url": f"http://127.0.0.1:{server.server_port}/",
            "auth": {"type": "bearer", "token": {"secret": "token"}},
            "paginator": {"type": "json_link", "next_url_path": "next"},
        },
        "resources": [{"name": "rows", "endpoint": {"path": "rows", "data_selector": "items"}}],
    }
    try:
        monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_API", "token=tres-secret")
        more = {"module": "dlt.sources.rest_api", "arguments": {"config": config}, "credentials": "api"}
        assert [row["id"] for row in lines(fetch(folder, "rest_api_source", **more)[0])] == [10, 11, 20, 21]
        monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_API", "token=faux-secret")
        with pytest.raises(ConfigurationError, match="401") as caught:
            fetch(folder, "rest_api_source", **more)
        assert "faux-secret" not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()


def test_a_line_is_the_same_whatever_the_order_of_keys():
    assert as_line({"b": 1, "a": "é"}) == as_line({"a": "é", "b": 1}) == '{"a": "é", "b": 1}\n'.encode()
    assert as_line({1: b"\x01", "a": {2}}) == b'{"1": "01", "a": [2]}\n'
    assert os.linesep.encode() in as_line({"a": "x\ny"}) and as_line({"a": "x\ny"}).count(b"\n") == 1
