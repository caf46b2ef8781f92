"""Paginated JSON APIs, from a real server on loopback: every way to the next page, circles, limits, what is new since."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.project.web_sources import RestSource
from flows.sources.rest import RestPages
from flows.sources.web.pages import MISSING, ExactJson, at
from flows.sources.web.since import MOST, earlier, order
from tests.sources.context import context
from tests.sources.server import serving
from tests.sources.test_web import FAST, SECRET

ROWS = [{"id": n, "nom": f"commune {n}", "prix": 1.5 * n, "maj": f"2024-01-{1 + n // 10:02}T00:00:{n % 10:02}Z"} for n in range(95)]


@pytest.fixture
def site():
    with serving() as opened:
        yield opened


class Api:
    """A service over ROWS that pages as `style` says, `size` records at most."""

    def __init__(self, site, rows=None, size: int = 10) -> None:
        self.site, self.rows, self.size = site, list(ROWS if rows is None else rows), size

    def query(self, request) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}

    def slice(self, start: int, query: dict[str, str]) -> tuple[list, int]:
        rows = [r for r in self.rows if "depuis" not in query or r["maj"] is None or r["maj"] >= query["depuis"]]
        return rows[start : start + self.size], len(rows)

    def by_page(self, request) -> None:
        query = self.query(request)
        records, total = self.slice((int(query["page"]) - 1) * self.size, query)
        request.say(200, json.dumps({"data": records, "meta": {"total": total}}))

    def by_offset(self, request) -> None:
        query = self.query(request)
        records, total = self.slice(int(query["offset"]), query)
        request.say(200, json.dumps({"results": records, "total_count": total}))

    def by_cursor(self, request) -> None:
        query = self.query(request)
        start = int(query.get("cursor", "c0")[1:])
        records, total = self.slice(start, query)
        following = f"c{start + self.size}" if start + self.size < total else None
        request.say(200, json.dumps({"data": records, "meta": {"next_cursor": following}}))

    def by_next(self, request) -> None:
        query = self.query(request)
        start = int(query.get("start", 0))
        records, total = self.slice(start, query)
        link = f"/api?{urlencode(query | {'start': start + self.size})}" if start + self.size < total else None
        body = {"data": records, "links": {"self": self.site.url, "next": link}}
        request.say(200, json.dumps(body))

    def by_link(self, request) -> None:
        query = self.query(request)
        start = int(query.get("start", 0))
        records, total = self.slice(start, query)
        links = [f'<{self.site.url}/api?start=0>; rel="first"']
        if start + self.size < total:
            links.append(f'<{self.site.url}/api?{urlencode(query | {"start": start + self.size})}>; rel="next last"; title="a, b"')
        request.say(200, json.dumps(records), {"Link": ", ".join(links)})


STYLES = {
    "page": ({"by": "page"}, "data"),
    "offset": ({"by": "offset", "size": 50}, "results"),
    "cursor": ({"by": "cursor", "path": "meta.next_cursor"}, "data"),
    "next": ({"by": "next", "path": "links.next"}, "data"),
    "link": ({"by": "link"}, ""),
}


@pytest.fixture
def source(site, tmp_path):
    def make(state: dict | None = None, mode: str = "append", settings: dict | None = None, **declared) -> RestPages:
        block = RestSource(type="rest", **({"url": f"{site.url}/api"} | declared))
        opened = context(tmp_path, None, state, **(FAST | (settings or {})))
        opened.project.datasets["demandes"] = SimpleNamespace(mode=mode)
        return RestPages(block, opened)

    return make


def read(files) -> list[dict]:
    return [json.loads(line) for file in files for line in file.path.read_bytes().decode().splitlines()]


def says(site, *bodies, headers: dict | None = None) -> None:
    """One answer a request; the last for all that follow."""
    left = list(bodies)

    def answer(request) -> None:
        body = left.pop(0) if len(left) > 1 else left[0]
        request.say(200, body if isinstance(body, str | bytes) else json.dumps(body), headers)

    site.answers["/api"] = answer


# ---- from page to page ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [10, 19, 95, 200])
def test_every_way_gives_all_records_once(site, source, tmp_path, style, size):
    pages, records = STYLES[style]
    site.answers["/api"] = getattr(Api(site, size=size), f"by_{style}")
    [file] = source(pages=pages, records=records).fetch(tmp_path / "1")
    assert read([file]) == ROWS and file.name == "api.jsonl" and file.source == f"{site.url}/api"
    assert source(pages=pages, records=records).identify() is None
    [again] = source(pages=pages, records=records).fetch(tmp_path / "2")
    assert again.sha256 == file.sha256


def test_a_single_answer(site, source, tmp_path):
    says(site, [{"b": 1, "a": "é"}])
    moved = []
    [file] = source().fetch(tmp_path / "1", progress=moved.append)
    assert file.path.read_bytes() == '{"a":"é","b":1}\n'.encode() and sum(moved) == file.size
    assert site.requests[0][1]["accept"] == "application/json"


def test_no_records_are_an_empty_file(site, source, tmp_path):
    says(site, [])
    assert source().fetch(tmp_path / "1")[0].size == 0


def test_parameters_are_sent_on_each_page(site, source, tmp_path):
    site.answers["/api"] = Api(site, size=50).by_page
    pages = {"by": "page", "size_parameter": "page_size", "size": 50}
    source(url=f"{site.url}/api?fixe=1", params={"dep": "75", "actif": True, "mot": "a&b é"}, pages=pages, records="data").fetch(
        tmp_path / "1"
    )
    for number, (path, _) in enumerate(site.requests, 1):
        expected = {"fixe": ["1"], "dep": ["75"], "actif": ["true"], "mot": ["a&b é"], "page_size": ["50"], "page": [str(number)]}
        assert parse_qs(path.partition("?")[2]) == expected


def test_fewer_records_than_asked_for_do_not_end_it(site, source, tmp_path):
    """A service that caps pages at 10 is asked for 50: a short page is not the last one."""
    site.answers["/api"] = Api(site, size=10).by_page
    pages = {"by": "page", "size_parameter": "limit", "size": 50}
    assert len(read(source(pages=pages, records="data").fetch(tmp_path / "1"))) == 95


@pytest.mark.parametrize("wrap", [lambda link: {"_links": {"next": {"href": link}}}, lambda link: {"@odata.nextLink": link}])
def test_other_forms_of_next(site, source, tmp_path, wrap):
    says(site, {"data": [{"a": 1}]} | wrap(f"{site.url}/api?p=2"), {"data": [{"a": 2}]})
    path = "_links.next" if "_links" in wrap("") else "@odata.nextLink"
    assert read(source(pages={"by": "next", "path": path}, records="data").fetch(tmp_path / "1")) == [{"a": 1}, {"a": 2}]


def test_empty_pages_between_cursors(site, source, tmp_path):
    says(site, *({"data": data, "next": cursor} for data, cursor in [([{"a": 1}], 5), ([], "b"), ([{"a": 2}], "c"), ([], "c")]))
    found = source(pages={"by": "cursor", "path": "next", "parameter": "apres"}, records="data").fetch(tmp_path / "1")
    assert read(found) == [{"a": 1}, {"a": 2}]
    assert [path.partition("?")[2] for path, _ in site.requests] == ["", "apres=5", "apres=b", "apres=c"]


# ---- what would lose records ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pages", "body"),
    [
        ({"by": "page"}, {"data": [{"a": 1}]}),
        ({"by": "offset"}, {"data": [{"a": 1}]}),
        ({"by": "cursor", "path": "next"}, {"data": [{"a": 1}], "next": "x"}),
        ({"by": "next", "path": "next"}, {"data": [{"a": 1}], "next": "/api"}),
        ({"by": "next", "path": "next"}, {"data": [{"a": 1}], "next": "/api?page=2"}),
    ],
)
def test_circles(site, source, tmp_path, pages, body):
    says(site, body)
    with pytest.raises(SourceRefused, match=r"again|came already"):
        source(pages=pages, records="data").fetch(tmp_path / "1")
    assert len(site.requests) <= 3


def test_a_longer_circle(site, source, tmp_path):
    site.answers["/api"] = lambda r: r.say(
        200, json.dumps({"data": [{"p": r.query}], "next": "/api?p=" + ("1" if r.query == "p=3" else str(int(r.query[2:] or 0) + 1))})
    )
    with pytest.raises(SourceRefused, match="came already"):
        source(pages={"by": "next", "path": "next"}, records="data").fetch(tmp_path / "1")


def test_a_last_page_that_is_repeated_ends_with_the_total(site, source, tmp_path):
    says(site, {"data": [{"a": 1}], "n": "2"}, {"data": [{"a": 2}], "n": "2"})
    with pytest.raises(SourceRefused, match="again"):
        source(pages={"by": "page"}, records="data").fetch(tmp_path / "1")
    says(site, {"data": [{"a": 1}], "n": "2"}, {"data": [{"a": 2}], "n": "2"})
    assert len(read(source(pages={"by": "page"}, records="data", total="n").fetch(tmp_path / "2"))) == 2


@pytest.mark.parametrize("total", [1, 3])
def test_another_total_than_was_announced(site, source, tmp_path, total):
    says(site, {"data": [{"a": 1}, {"a": 2}], "n": total}, {"data": []})
    with pytest.raises(SourceRefused, match=f"announced {total} records and gave 2"):
        source(pages={"by": "page"}, records="data", total="n").fetch(tmp_path / "1")


@pytest.mark.parametrize("total", [None, "x", True, [], 1.5])
def test_a_total_that_is_none(site, source, tmp_path, total):
    says(site, {"data": [{"a": 1}], "n": total})
    with pytest.raises(ConfigurationError, match="no number at 'n'"):
        source(records="data", total="n").fetch(tmp_path / "1")


@pytest.mark.parametrize(
    ("body", "headers", "pages"),
    [
        ({"data": [], "links": {"next": "/api?page=2"}}, None, None),
        ({"data": [], "next": {"href": "/api?page=2"}}, None, None),
        ({"data": [], "meta": {"next_cursor": "abc"}}, None, None),
        ({"data": [], "@odata.nextLink": "x"}, None, None),
        ({"data": []}, {"Link": '</api?page=2>; rel="next"'}, None),
        ({"data": [], "links": {"next": "/api?page=2"}}, None, {"by": "next", "path": "liens.next"}),
        ({"data": [], "meta": {"nextPageToken": 3}}, None, {"by": "cursor", "path": "meta.next"}),
    ],
)
def test_pages_that_nobody_declared(site, source, tmp_path, body, headers, pages):
    says(site, body, headers=headers)
    with pytest.raises(ConfigurationError, match="more pages than were declared"):
        source(records="data", pages=pages).fetch(tmp_path / "1")


@pytest.mark.parametrize(
    "body",
    [{"data": [{"next": "x"}]}, {"data": [], "next": None}, {"data": [], "next_update": "2025"}, {"data": [], "links": {"next": ""}}],
)
def test_what_is_no_next_page(site, source, tmp_path, body):
    says(site, body)
    assert len(source(records="data").fetch(tmp_path / "1")) == 1


@pytest.mark.parametrize(("setting", "said"), [("rest_max_pages", "2 pages"), ("rest_max_rows", "2 rows")])
def test_limits_refuse_and_never_cut(site, source, tmp_path, setting, said):
    site.answers["/api"] = Api(site, size=1).by_page
    with pytest.raises(SourceRefused, match=said) as caught:
        source(pages={"by": "page"}, records="data", settings={setting: 2}).fetch(tmp_path / "1")
    assert f"SOCLE_{setting.upper()}" in caught.value.hint


def test_a_page_or_a_file_that_is_too_large(site, source, tmp_path):
    says(site, [{"a": "x" * 1_100_000}])
    with pytest.raises(SourceRefused, match="larger than 1 MB"):
        source(settings={"http_page_mb": 1}).fetch(tmp_path / "1")
    with pytest.raises(SourceRefused, match=r"larger than 0\.001 GB"):
        source(settings={"http_max_gb": 0.001}).fetch(tmp_path / "1")
    says(site, gzip.compress(json.dumps([{"a": "x" * 50_000_000}]).encode()), headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceRefused, match="larger than 1 MB"):
        source(settings={"http_page_mb": 1}).fetch(tmp_path / "1")


def test_a_page_that_is_not_there(site, source, tmp_path):
    site.answers["/api"] = lambda r: r.say(200 if r.query == "page=1" else 404, '[{"a": 1}]')
    with pytest.raises(ConfigurationError, match="page 2 is not there") as caught:
        source(pages={"by": "page"}).fetch(tmp_path / "1")
    assert "total" in caught.value.hint


@pytest.mark.parametrize("link", ["http://127.0.0.1:1/api", "https://example.org/b"])
def test_a_next_page_on_another_host(site, source, tmp_path, link):
    says(site, {"data": [{"a": 1}], "next": link})
    with pytest.raises(SourceRefused, match="another host"):
        source(pages={"by": "next", "path": "next"}, records="data").fetch(tmp_path / "1")


@pytest.mark.parametrize("link", ["ftp://h/a", "http://u:p@h/a", 12, ["x"], "http://"])
def test_a_next_page_that_is_none(site, source, tmp_path, link):
    says(site, {"data": [{"a": 1}], "next": link})
    with pytest.raises(SourceRefused):
        source(pages={"by": "next", "path": "next"}, records="data").fetch(tmp_path / "1")


# ---- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "records", "said"),
    [
        ({"items": [], "meta": {"autres": []}}, "data", r"nothing at 'data'.*items, meta\.autres"),
        ({"data": {"x": 1}}, "data", "an object at 'data'"),
        ({"data": [{}]}, "", "the answer is no list.*data"),
        ("3", "", "no list"),
        ([1], "", "record 1 is no object, but a number"),
        ([{}, None], "", "record 2 is no object, but null"),
    ],
)
def test_records_that_are_not_there(site, source, tmp_path, body, records, said):
    says(site, body)
    with pytest.raises(SourceRefused) as caught:
        source(records=records).fetch(tmp_path / "1")
    assert re.search(said, str(caught.value), re.DOTALL)


@pytest.mark.parametrize(
    "body", ['[{"a": NaN}]', '[{"a": 1, "a": 2}]', "<html></html>", "[" * 100_000 + "]" * 100_000, b'[{"a": "\xff\xfe"}]']
)
def test_json_that_is_none(site, source, tmp_path, body):
    says(site, body)
    with pytest.raises(SourceRefused):
        source().fetch(tmp_path / "1")


def test_an_answer_that_is_cut_is_asked_for_again(site, source, tmp_path):
    says(site, '[{"a": ', '[{"a": 1}]')
    assert read(source().fetch(tmp_path / "1")) == [{"a": 1}]
    says(site, '[{"a": ')
    with pytest.raises(SystemFailure, match="no JSON"):
        source().fetch(tmp_path / "1")


def test_encodings_of_text(site, source, tmp_path):
    for data, headers in [
        ('[{"a": "é"}]'.encode("latin-1"), {"Content-Type": "application/json; charset=ISO-8859-1"}),
        ('\ufeff[{"a": "é"}]'.encode(), {}),
    ]:
        says(site, data, headers=headers)
        assert read(source().fetch(tmp_path / "1")) == [{"a": "é"}]


def test_numbers_stay_as_they_are_written(site, source, tmp_path):
    says(
        site, '[{"prix": 12.10, "grand": 12345678901234567890123, "long": 0.1234567890123456789, "exp": 1E400, "texte": "1.0", "n": -0.0}]'
    )
    [file] = source().fetch(tmp_path / "1")
    expected = b'{"exp":1E400,"grand":12345678901234567890123,"long":0.1234567890123456789,"n":-0.0,"prix":12.10,"texte":"1.0"}\n'
    assert file.path.read_bytes() == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=6), st.booleans())
def test_any_record_comes_back_equal(record, ascii_only):
    exact = ExactJson()
    line = exact.line(exact.parse(json.dumps(record, ensure_ascii=ascii_only)))
    assert json.loads(line) == record and line.count(b"\n") == 1 and line.endswith(b"\n")
    again = ExactJson()
    assert line == again.line(again.parse(json.dumps(dict(reversed(record.items())))))


def test_half_a_surrogate_pair_stays():
    exact = ExactJson()
    assert json.loads(exact.line(exact.parse(r'{"a": "\ud800"}'))) == {"a": "\ud800"}


def test_places_in_a_body():
    body = {"a": {"b.c": {"d": 1}, "b": {"x": None}}, "l": [{"m": 2}], "a.b": {"y": 3}}
    assert [at(body, path) for path in ("a.b.c.d", "a.b.x", "l.0.m", "a.b.y", "", "a.z", "l.1", "a.b.x.y")] == [
        1, None, 2, 3, body, MISSING, MISSING, MISSING,
    ]  # fmt: skip


# ---- manners and secrets -------------------------------------------------------------------------------------------


def test_credentials_go_into_the_header_and_nowhere_else(site, source, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_JETON", SECRET)
    site.answers["/api"] = Api(site).by_next
    [file] = source(credentials="jeton", header="X-Api-Key", pages=STYLES["next"][0], records="data").fetch(tmp_path / "1")
    assert len(site.requests) == 10 and all(headers["x-api-key"] == SECRET for _, headers in site.requests)
    assert SECRET not in repr(file) and SECRET.encode() not in file.path.read_bytes()


def test_a_service_that_asks_to_slow_down(site, source, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("flows.sources.web.client.time.sleep", pauses.append)
    answers, api = [429, 200, 200, 503], Api(site, size=50)
    site.answers["/api"] = lambda r: (
        api.by_page(r) if (status := answers.pop(0) if answers else 200) == 200 else r.say(status, headers={"Retry-After": "2"})
    )
    assert len(read(source(pages={"by": "page"}, records="data").fetch(tmp_path / "1"))) == 95
    assert pauses == [2.0, 2.0]
    pauses.clear()
    source(pages={"by": "page"}, records="data", per_minute=30).fetch(tmp_path / "2")
    assert pauses == [2.0, 2.0], "between three pages"


# ---- what is new ---------------------------------------------------------------------------------------------------


def since(**more):
    return {"parameter": "depuis", "column": "maj"} | more


def growing(site, source, tmp_path, rows, loads: Callable[[int], list], style="page", **more) -> list[list[dict]]:
    """Loads one after the other; before each, `loads(n)` gives the rows that are added. What each load kept."""
    api, state, kept = Api(site, rows, size=7), {}, []
    site.answers["/api"] = getattr(api, f"by_{style}")
    pages, records = STYLES[style]
    for number in range(4):
        api.rows += loads(number)
        opened = source(state=json.loads(json.dumps(state)), pages=pages, records=records, since=since(**more))
        known = opened.identify()
        kept.append(read(opened.fetch(tmp_path / str(number))))
        assert known == (None if kept[-1] else []), "what is cheap to ask says the same"
        state = opened.next_state
    return kept


def row(n: int, maj) -> dict:
    return {"id": n, "maj": maj}


@pytest.mark.parametrize("style", STYLES)
def test_only_what_is_new_and_all_of_it(site, source, tmp_path, style):
    """The service gives rows that have the very value again; two of them have it, and a third gets it later."""
    first = [row(n, f"2024-01-01T00:00:{n:02}Z") for n in range(20)] + [row(20, "2024-01-01T00:00:19Z")]
    later = {1: [row(21, "2024-01-01T00:00:19Z")], 2: [], 3: [row(22, "2024-02-01T00:00:00Z"), row(23, "2024-01-02T00:00:00Z")]}
    kept = growing(site, source, tmp_path, first, lambda n: later.get(n, []), style)
    assert [[r["id"] for r in rows] for rows in kept] == [list(range(21)), [21], [], [22, 23]]


def test_numbers_and_days(site, source, tmp_path):
    rows = [row(n, n) for n in (9, 10, 100)]
    assert [len(k) for k in growing(site, source, tmp_path, [r | {"maj": f"{r['maj']:04}"} for r in rows], lambda n: [])] == [3, 0, 0, 0]
    days = [row(1, "2024-01-30"), row(2, "2024-01-31")]
    kept = growing(site, source, tmp_path / "jours", days, lambda n: [row(10 + n, "2024-01-31")] if n else [])
    assert [[r["id"] for r in k] for k in kept] == [[1, 2], [11], [12], [13]]


def test_rows_that_appear_late(site, source, tmp_path):
    first = [row(1, "2024-01-01T10:00:00+01:00"), row(2, "2024-01-01T12:00:00+01:00")]
    late = {1: [row(3, "2024-01-01T11:30:00+01:00")], 2: [row(4, "2024-01-01T10:30:00+01:00")]}
    kept = growing(site, source, tmp_path, first, lambda n: late.get(n, []), lag="1 h")
    assert [[r["id"] for r in k] for k in kept] == [[1, 2], [3], [], []], "the last one is later than the lag"


def test_rows_without_a_value_come_once(site, source, tmp_path):
    kept = growing(site, source, tmp_path, [row(1, "2024-01-01"), row(2, None)], lambda n: [row(3, None)] if n == 2 else [])
    assert [[r["id"] for r in k] for k in kept] == [[1, 2], [], [3], []]


def test_where_it_begins(site, source, tmp_path):
    site.answers["/api"] = Api(site, size=50).by_page
    opened = source(pages={"by": "page"}, records="data", since=since(start="2024-01-09T00:00:00Z"))
    [file] = opened.fetch(tmp_path / "1")
    assert [r["id"] for r in read([file])] == list(range(80, 95)) and "depuis=2024-01-09" in site.requests[0][0]
    assert file.name == "api-2024-01-09T00_00_00Z.jsonl" and opened.next_state["since"] == "2024-01-10T00:00:04Z"


def test_nothing_new_leaves_the_place_as_it_was(site, source, tmp_path):
    says(site, [])
    state = {"since": "2024-01-01", "from": "2024-01-01", "seen": ["x"], "of": ""}
    opened = source(state=state, since=since(), mode="upsert")
    assert opened.identify() == [] and opened.fetch(tmp_path / "1") == [] and opened.next_state is state


@pytest.mark.parametrize(
    "values", [["hier"], ["31/01/2024"], [True], [[1]], ["2024-01-01", 3], ["2024-01-01", "2024-01-01T00:00:00Z"], ["2024-13-01"], [None]]
)
def test_values_that_do_not_tell(site, source, tmp_path, values):
    says(site, [row(n, value) for n, value in enumerate(values)])
    with pytest.raises(SourceRefused):
        source(since=since()).fetch(tmp_path / "1")


def state_after(source, tmp_path, **declared) -> dict:
    opened = source(since=since(), **declared)
    opened.fetch(tmp_path / "0")
    return opened.next_state


def test_a_service_that_does_not_know_the_parameter(site, source, tmp_path):
    says(site, [row(1, "2024-01-01"), row(2, "2024-01-02")])
    state = state_after(source, tmp_path)
    with pytest.raises(SourceRefused, match="asked for what is new"):
        source(state=state, since=since()).fetch(tmp_path / "1")
    [file] = source(state=state, since=since(), mode="upsert").fetch(tmp_path / "2")
    assert [r["id"] for r in read([file])] == [1], "merged by key, it does no harm"


def test_another_address_begins_again_or_is_refused(site, source, tmp_path):
    says(site, [row(1, "2024-01-01")])
    state = state_after(source, tmp_path)
    with pytest.raises(ConfigurationError, match="read again"):
        source(state=state, since=since(), params={"dep": "75"}).fetch(tmp_path / "1")
    assert len(read(source(state=state, since=since(), params={"dep": "75"}, mode="upsert").fetch(tmp_path / "2"))) == 1
    assert "depuis" not in site.requests[-1][0]


def test_too_many_rows_at_one_place(site, source, tmp_path):
    says(site, [row(n, "2024-01-01") for n in range(MOST + 1)])
    with pytest.raises(SourceRefused, match="came already"):
        source(since=since()).fetch(tmp_path / "1")
    opened = source(since=since(), mode="upsert")
    opened.fetch(tmp_path / "2")
    assert opened.next_state["seen"] == [] and opened.next_state["since"] == "2024-01-01"


def test_many_rows_of_one_day_before_the_last(site, source, tmp_path):
    """What is forgotten on the way does not count once a later day came."""
    says(site, [row(n, "2024-01-01") for n in range(5 * MOST)] + [row(-1, "2024-01-02")])
    assert len(state_after(source, tmp_path)["seen"]) == 1
    says(site, [row(-1, "2024-01-02")] + [row(n, "2024-01-01") for n in range(5 * MOST)])
    assert len(state_after(source, tmp_path)["seen"]) == 1
    says(site, [row(n, "2024-01-01") for n in range(5 * MOST)])
    with pytest.raises(SourceRefused, match="came already"):
        state_after(source, tmp_path)


@pytest.mark.parametrize(
    ("text", "lag", "begin"),
    [
        ("100", 5, "95"),
        ("1.50", 1, "0.50"),
        ("2024-03-01", 3600, "2024-02-29"),
        ("2024-03-01T00:30:00Z", 3600, "2024-02-29T23:30:00Z"),
        ("2024-03-01 00:30:00", 3600, "2024-02-29 23:30:00"),
        ("2024-03-01T00:30:00.250+01:00", 1800, "2024-03-01T00:00:00.250000+01:00"),
        ("2024-03-01", None, "2024-03-01"),
    ],
)
def test_where_a_lag_begins(text, lag, begin):
    placed = order(text)
    assert placed is not None and earlier((placed, text), lag)[1] == begin


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_ordered_as_numbers(a, b):
    assert (order(str(a)) < order(str(b))) == (Decimal(str(a)) < Decimal(str(b)))


# ---- declarations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        {"url": "https://u:p@example.org/"},
        {"pages": {"by": "hasard"}},
        {"pages": {"by": "next"}},
        {"pages": {"by": "page", "size": 10}},
        {"pages": {"by": "page", "size_parameter": "n"}},
        {"pages": {"by": "page"}, "params": {"page": 1}},
        {"pages": {"by": "offset"}, "params": {"limit": 1}},
        {"since": {"parameter": "s", "column": "c"}, "params": {"s": "x"}},
        {"since": {"parameter": "s"}},
        {"since": {"parameter": "s", "column": "c", "lag": "1 mois"}},
        {"per_minute": 0},
        {"headers": {"Cookie": "x"}},
        {"credentials": "Clé"},
    ],
)
def test_declarations_that_are_wrong(block):
    with pytest.raises(ValidationError):
        RestSource(type="rest", **({"url": "https://example.org/"} | block))
