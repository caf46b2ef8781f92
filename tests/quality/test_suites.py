"""Suites as files, and what of them decides results."""

from __future__ import annotations

import json

import pytest

from flows.errors import ConfigurationError
from flows.quality import load_suites

NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "texte"}}


@pytest.fixture
def sha(tmp_path):
    def written(suite, **layout) -> str:
        (tmp_path / "expectations").mkdir(exist_ok=True)
        (tmp_path / "expectations" / "a.json").write_text(json.dumps(suite, **layout), encoding="utf-8")
        [loaded] = load_suites(tmp_path, ["a.json"])
        assert loaded.name == "a.json"
        return loaded.sha256

    return written


def test_layout_and_words_do_not_count(sha):
    plain = sha({"expectations": [NULL]})
    assert sha({"name": "x", "meta": {"v": 1}, "expectations": [NULL | {"description": "d", "notes": "n", "id": "1"}]}, indent=4) == plain
    assert sha({"expectations": [dict(reversed(NULL.items()))]}) == plain


@pytest.mark.parametrize(
    "changed",
    [
        [NULL | {"severity": "warning"}],
        [NULL | {"kwargs": {"column": "texte", "mostly": 0.9}}],
        [NULL | {"type": "expect_column_values_to_be_unique"}],
        [NULL, NULL],
        [],
    ],
)
def test_what_decides_results_counts(sha, changed):
    assert sha({"expectations": changed}) != sha({"expectations": [NULL]})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"expectations": 3}', '{"expectations": ["x"]}', '{"expectations": {"a": 1}}']
)
def test_files_that_are_no_suites(tmp_path, text):
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "a.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"a\.json"):
        load_suites(tmp_path, ["a.json"])


@pytest.mark.parametrize("data", [None, b"\xff\xfe"])
def test_files_that_cannot_be_read(tmp_path, data):
    (tmp_path / "expectations").mkdir()
    if data is not None:
        (tmp_path / "expectations" / "a.json").write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"a\.json"):
        load_suites(tmp_path, ["a.json"])


def test_parameters_of_a_suite_have_the_values_that_it_gives_them(tmp_path):
    import polars as pl

    from flows.quality.expectations import evaluate, select

    asked = [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "min_value": {"$PARAMETER": p}}}
        for p in ("least", "unknown")
    ]
    found = []
    for number, least in enumerate((2, 3)):
        (tmp_path / "expectations").mkdir(exist_ok=True)
        (tmp_path / "expectations" / f"{number}.json").write_text(json.dumps({"expectations": asked, "suite_parameters": {"least": least}}))
        found += load_suites(tmp_path, [f"{number}.json"])
    assert found[0].sha256 != found[1].sha256
    met = [e.result for e in evaluate(pl.LazyFrame({"x": [1, 2, 3]}), select(found)[0], show_values=True)]
    assert [r.unexpected for r in met] == [1, None, 2, None] and "unknown" in met[1].error
