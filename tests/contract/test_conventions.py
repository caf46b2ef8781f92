"""What is not declared is found in a sample and said; what can be read in two ways is said with both; later files are held to it."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import contract
from tests.contract.support import dataset, sample


def find(columns, **texts):
    return contract.find_conventions(dataset(columns), sample(**texts))


@pytest.mark.parametrize(
    ("kind", "texts", "found"),
    [
        ("number", ["1 234,50", "3,2", None, ""], {"decimal": ","}),
        ("number", ["1234.50", "3"], {"decimal": "."}),
        ("number", ["12", "3"], {}),
        ("number", ["1.234,50", "3"], {"decimal": ",", "thousands": "."}),
        ("number", ["1,234.50", "3"], {"decimal": ".", "thousands": ","}),
        ("number", ["0,123", "1,234"], {"decimal": ","}),
        ("number", ["1.234.567"], {"decimal": ",", "thousands": "."}),
        ("integer", ["1.234.567", "1.234"], {"decimal": ",", "thousands": "."}),
        ("integer", ["1 234", "12"], {}),
        ("number", ["12", "NA", "-"], {"missing": ["-", "NA"]}),
        ("date", ["13/04/2024"], {"format": "%d/%m/%Y"}),
        ("date", ["04/13/2024", "03/04/2024"], {"format": "%m/%d/%Y"}),
        ("date", ["13.04.2024 00:00:00"], {"format": "%d.%m.%Y"}),
        ("date", ["2024-04-13"], {"iso": True}),
        ("date", ["13 avril 2024", "1er mai 2024"], {"format": "%d %B %Y"}),
        ("date", ["20240413"], {"format": "%Y%m%d"}),
        ("date", ["99-04-13", "98-04-30"], {"format": "%y-%m-%d"}),
        ("datetime", ["2017-03-01T01:00:00+01:00"], {"iso": True}),
        ("datetime", ["13/04/2024 10:20", "14/04/2024 10:20"], {"format": "%d/%m/%Y %H:%M"}),
        ("datetime", ["13/04/2024 10h20"], {"format": "%d/%m/%Y %Hh%M"}),
        ("boolean", ["oui", "non"], {}),
        ("boolean", ["n", "o", "nd"], {"missing": ["nd"]}),
        ("string", ["NA", "1,5"], {}),
    ],
)
def test_what_the_values_say(kind, texts, found):
    conventions, reasons, findings = find({"c": kind}, c=texts)
    assert conventions == ({"c": found} if found else {})
    assert not [f for f in findings if f.kind == "ambiguous"]
    assert bool(reasons) == bool(set(found) - {"missing"})
    json.dumps(conventions)


@pytest.mark.parametrize(
    ("kind", "texts", "found", "said"),
    [
        ("date", ["03/04/2024", "05/06/2024"], {"format": "%d/%m/%Y"}, ["day/month/year", "month/day/year"]),
        ("date", ["03/04/24"], {"format": "%d/%m/%y"}, ["day/month/year", "month/day/year"]),
        ("date", ["13/02/2024", "02/13/2024", "03/04/2024"], {"format": "%d/%m/%Y"}, ["two orders", "13/02/2024", "02/13/2024", "refused"]),
        ("number", ["1,234", "3,200"], {"decimal": ","}, ["1.234", "1234"]),
        ("number", ["1.234"], {"decimal": "."}, ["1.234", "1234"]),
        ("integer", ["1.234"], {"decimal": ",", "thousands": "."}, ["1234", "1.234"]),
        ("integer", ["1,234"], {"decimal": ".", "thousands": ","}, ["1234", "1.234"]),
        ("number", ["1,5", "1.5"], {"decimal": ","}, ["1,5", "1.5"]),
        ("boolean", ["x", None], {"true": ["x"]}, ["no value", "no"]),
    ],
)
def test_what_can_be_read_in_two_ways_is_said_with_both(kind, texts, found, said):
    conventions, _, findings = find({"c": kind}, c=texts)
    assert conventions == {"c": found}
    [ambiguous] = [f for f in findings if f.kind == "ambiguous"]
    assert all(word in ambiguous.text for word in said) and ambiguous.text.startswith("c: ") and ambiguous.french.startswith("c : ")


def test_the_other_columns_of_the_file_decide_what_one_column_leaves_open():
    conventions, _, findings = find({"a": "date", "b": "date"}, a=["03/04/2024"], b=["04/13/2024"])
    assert conventions["a"] == {"format": "%m/%d/%Y"} and "other dates of the file" in findings[0].text
    conventions, _, _ = find({"a": "number", "b": "number"}, a=["1.234"], b=["1,5"])
    assert conventions["a"] == {"decimal": ",", "thousands": "."}
    conventions, _, _ = find({"a": "number", "b": "number"}, a=["1,234"], b=["1.5"])
    assert conventions["a"] == {"decimal": ".", "thousands": ","}


def test_what_is_declared_is_not_looked_for():
    columns = {
        "n": {"type": "number", "decimal": "."},
        "d": {"type": "date", "format": "%m/%d/%Y"},
        "m": {"type": "integer", "missing": []},
    }
    conventions, _, findings = find(columns, n=["1.234", None], d=["03/04/2024", None], m=["12", "NA"])
    assert conventions == {}
    assert [f.kind for f in findings if f.text.startswith("d")] == []
    assert any(f.text.startswith("m: 1 of 2 values do not fit") for f in findings)


def test_amounts_with_a_unit_are_no_numbers_and_the_finding_says_what_to_declare():
    _, _, [finding] = find({"prix": "number"}, prix=["12 €", "13,5 €"])
    assert "do not fit" in finding.text and 'unit: "€"' in finding.text and 'unit: "€"' in finding.french


def test_values_about_persons_are_not_in_findings():
    declared = dataset({"n": "date", "m": "number"}, personal_data="personal")
    _, reasons, findings = contract.find_conventions(declared, sample(n=["03/04/1980", "jean"], m=["1,234", "abc"]))
    told = " ".join([*reasons.values(), *(f.text + f.french for f in findings)])
    assert "99/99/9999" in told and "9,999" in told
    assert not {"1980", "jean", "1,234", "1234", "1.234", "abc"} & set(told.replace("'", " ").split())


def test_a_column_under_another_name_in_the_file():
    columns = {"code_postal": {"type": "string", "source": "Code postal"}, "recu_le": {"type": "date", "source": "Reçu le"}}
    texts = {"Code postal": ["01000"], "Reçu le": ["13/04/2024"]}
    assert find(columns, **texts)[0] == {"recu_le": {"format": "%d/%m/%Y"}}
    batch = sample(**texts).with_columns(pl.lit("f").alias(contract.FILE), pl.lit(1).alias(contract.ROW))
    kept, refused = contract.conform(batch, dataset(columns), [], {"recu_le": {"format": "%d/%m/%Y"}})
    assert kept.select("code_postal", pl.col("recu_le").cast(pl.String)).row(0) == ("01000", "2024-04-13") and refused.is_empty()
    _, refused = contract.conform(batch, dataset(columns), [], {})
    assert refused["rules"].to_list() == [["type:recu_le:date"]] and json.loads(refused["row"][0]) == {
        "Code postal": "01000",
        "Reçu le": "13/04/2024",
    }


# ---- later files --------------------------------------------------------------------------------------------------

DECLARED = dataset({"d": "date", "n": "number", "t": "datetime"})


@pytest.mark.parametrize(
    ("kept", "texts", "word"),
    [
        ({"d": {"format": "%d/%m/%Y"}}, {"d": ["03/14/2024", "01/02/2024"]}, "month/day/year"),
        ({"d": {"format": "%d/%m/%Y"}}, {"d": ["13.04.2024"]}, "%d.%m.%Y"),
        ({"d": {"iso": True}}, {"d": ["13/04/2024"]}, "ISO 8601"),
        ({"n": {"decimal": ","}}, {"n": ["1.5", "2.25", "3"]}, "decimal points"),
        ({"n": {"decimal": "."}}, {"n": ["1.234,5"]}, "decimal commas"),
        ({"n": {"decimal": "."}}, {"n": ["1,5", "2"]}, "decimal commas"),
    ],
)
def test_a_file_that_can_only_be_read_otherwise_is_named(kept, texts, word):
    why = contract.conflicts(DECLARED, kept, sample(**texts))
    assert why is not None and word in str(why) and "earlier files" in str(why) and "fichiers précédents" in why.french


@pytest.mark.parametrize(
    ("kept", "texts"),
    [
        ({}, {"d": ["13/04/2024"]}),
        ({"d": {"format": "%d/%m/%Y"}}, {"d": ["03/04/2024", "2024-01-01", "", None]}),
        ({"d": {"format": "%d/%m/%Y"}}, {"d": ["31/02/2024", "demain"]}),
        ({"n": {"decimal": ","}}, {"n": ["1,5", "2", "x"]}),
        ({"n": {"decimal": ","}}, {"n": ["1,5", "2,5", "1.5"]}),
        ({"n": {"missing": ["NA"]}}, {"n": ["1,5"]}),
        ({"n": {"decimal": ","}}, {"autre": ["1.5"]}),
    ],
)
def test_a_file_that_is_read_as_before_is_no_conflict(kept, texts):
    assert contract.conflicts(DECLARED, kept, sample(**texts)) is None


def test_what_is_declared_now_counts_more_than_what_was_kept():
    declared = dataset({"n": {"type": "number", "decimal": "."}})
    assert contract.conflicts(declared, {"n": {"decimal": ","}}, sample(n=["1.5"])) is None


def test_what_is_kept_stands_and_what_was_open_is_added():
    kept, found = {"a": {"decimal": ",", "missing": ["NA"]}}, {"a": {"decimal": ".", "missing": ["nd"]}, "b": {"format": "%d/%m/%Y"}}
    assert contract.merged(kept, found) == {"a": {"decimal": ",", "missing": ["NA", "nd"]}, "b": {"format": "%d/%m/%Y"}}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.text(max_size=12), st.text(st.sampled_from("0123456789/.,- :T€%xon"), max_size=14)), max_size=12))
def test_any_text_gives_conventions_that_are_json_and_that_hold_for_itself(texts):
    declared = dataset({k: k for k in ("integer", "number", "boolean", "date", "datetime", "string")})
    frame = sample(**dict.fromkeys(declared.columns, texts))
    conventions, _, findings = contract.find_conventions(declared, frame)
    again = json.loads(json.dumps(conventions))
    assert contract.conflicts(declared, again, frame) is None
    assert all(f.text and f.french for f in findings)
    batch = frame.with_columns(pl.lit("f").alias(contract.FILE), pl.int_range(1, frame.height + 1).alias(contract.ROW))
    kept, refused = contract.conform(batch, declared, [], again)
    assert kept.height + refused.height == frame.height
