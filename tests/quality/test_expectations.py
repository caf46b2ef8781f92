"""Great Expectations on frames of every declared type: which rows, which verdict, and no exception."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from flows.quality.expectations import EXAMPLE_LENGTH, evaluate, select
from flows.quality.suites import Suite

ROWS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "texte": ["un texte", None, "", "un texte"],
        "age": [10, None, 200, 30],
        "note": [0.5, 1.5, None, 2.5],
        "vrai": [True, None, False, True],
        "jour": [date(2024, 1, 31), None, date(2025, 2, 1), date(2023, 1, 1)],
        "heure": [datetime(2024, 1, 31, 10, tzinfo=UTC), None, datetime(2025, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)],
    }
)


def check(kind, rows=ROWS, show=True, severity="critical", **arguments):
    suite = Suite("s.json", [{"type": kind, "kwargs": arguments, "severity": severity}], "")
    on_batch, on_table = select([suite])
    assert bool(on_batch) != bool(on_table)
    [found] = evaluate(rows.lazy(), on_batch or on_table, show_values=show)
    return found


@pytest.mark.parametrize(
    ("kind", "arguments", "wrong"),
    [
        ("expect_column_values_to_not_be_null", {"column": "texte"}, [1]),
        ("expect_column_values_to_be_unique", {"column": "texte"}, [0, 3]),
        ("expect_column_value_lengths_to_be_between", {"column": "texte", "min_value": 1}, [2]),
        ("expect_column_values_to_match_regex", {"column": "texte", "regex": "^un"}, [2]),
        ("expect_column_values_to_be_between", {"column": "age", "min_value": 0, "max_value": 120}, [2]),
        ("expect_column_values_to_be_between", {"column": "note", "max_value": 2}, [3]),
        ("expect_column_values_to_be_in_set", {"column": "age", "value_set": [10, 30, 200]}, []),
        ("expect_column_values_to_be_in_set", {"column": "vrai", "value_set": [True]}, [2]),
        ("expect_column_values_to_be_between", {"column": "jour", "min_value": "2024-01-01", "max_value": "2024-12-31"}, [2, 3]),
        ("expect_column_values_to_be_between", {"column": "heure", "min_value": "2024-01-01T00:00:00"}, [3]),
        ("expect_column_values_to_be_between", {"column": "heure", "min_value": "2024-01-31", "max_value": "2024-12-31"}, [2, 3]),
        ("expect_column_values_to_be_between", {"column": "heure", "max_value": "2024-01-31"}, [2]),
        ("expect_column_values_to_be_between", {"column": "heure", "max_value": "2024-01-31", "strict_max": True}, [0, 2]),
        ("expect_column_values_to_be_between", {"column": "heure", "min_value": "2024-01-31", "strict_min": True}, [0, 3]),
        ("expect_compound_columns_to_be_unique", {"column_list": ["texte", "vrai"]}, [0, 3]),
        ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "age", "column_B": "note"}, [1, 2]),
        ("expect_column_values_to_be_null", {"column": "age"}, [0, 2, 3]),
        ("expect_column_values_to_be_in_set", {"column": "id", "value_set": ["a", "b", "c", "d"]}, []),
    ],
)
def test_the_rows_that_do_not_meet_it(kind, arguments, wrong):
    found = check(kind, **arguments)
    assert (found.result.error, found.unexpected_rows, found.result.success) == ("", wrong, not wrong)
    assert found.result.level == "row" and found.result.unexpected == len(wrong)


@pytest.mark.parametrize("column", ["texte", "age", "note", "vrai", "jour", "heure"])
def test_a_missing_value_is_no_example(column):
    found = check("expect_column_values_to_not_be_null", column=column)
    assert found.result.unexpected == 1 and found.result.examples == []


def test_integers_with_nulls_are_shown_as_integers():
    assert check("expect_column_values_to_be_between", column="age", max_value=120).result.examples == ["200"]


def test_the_same_value_again_is_no_other_example():
    found = check("expect_column_values_to_be_in_set", pl.DataFrame({"connu": [True, False, False]}), column="connu", value_set=[True])
    assert (found.result.unexpected, found.result.examples) == (2, ["faux"])


def test_mostly_lets_some_rows_pass_and_still_counts_them():
    found = check("expect_column_values_to_not_be_null", column="texte", mostly=0.7)
    assert found.result.success and found.result.unexpected == 1


@pytest.mark.parametrize(
    ("kind", "arguments", "success", "observed"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": 4, "max_value": 4}, True, 4),
        ("expect_table_row_count_to_equal", {"value": 5}, False, 4),
        ("expect_column_mean_to_be_between", {"column": "note", "max_value": 1}, False, 1.5),
        ("expect_column_max_to_be_between", {"column": "age", "max_value": 120}, False, 200),
        ("expect_column_max_to_be_between", {"column": "heure", "max_value": "2024-12-31"}, False, None),
        ("expect_table_columns_to_match_set", {"column_set": ROWS.columns}, True, None),
        ("expect_table_columns_to_match_set", {"column_set": ["id"], "exact_match": False}, True, None),
        ("expect_table_column_count_to_equal", {"value": 7}, True, 7),
        ("expect_column_to_exist", {"column": "texte"}, True, None),
        ("expect_column_distinct_values_to_equal_set", {"column": "vrai", "value_set": [True, False]}, True, None),
    ],
)
def test_expectations_of_the_whole_table(kind, arguments, success, observed):
    found = check(kind, **arguments)
    assert (found.result.error, found.result.success, found.unexpected_rows, found.result.level) == ("", success, None, "table")
    if observed is not None:
        assert found.result.observed == observed


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("expect_column_values_to_match_regex", {"column": "texte", "regex": "("}),
        ("expect_column_values_to_not_be_null", {"column": "absent"}),
        ("expect_column_values_to_not_be_null", {}),
        ("expect_column_values_to_not_be_null", {"column": "texte", "mostly": 3}),
        ("expect_column_values_to_be_between", {"column": "texte", "min_value": 3}),
        ("expect_column_mean_to_be_between", {"column": "texte", "min_value": 3}),
    ],
)
def test_one_that_cannot_be_evaluated_has_failed_and_says_why(kind, arguments):
    found = check(kind, **arguments)
    assert not found.result.success and found.result.error
    assert not found.unexpected_rows


def test_an_unknown_name_is_no_exception():
    suite = Suite("s.json", [{"type": "expect_le_beau_temps", "kwargs": {}, "severity": "critical"}], "")
    on_batch, on_table = select([suite])
    [found] = evaluate(ROWS.lazy(), on_batch or on_table, show_values=True)
    assert not found.result.success and "expect_le_beau_temps" in found.result.error


def test_a_failure_does_not_disturb_the_next_one():
    entries = [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "texte", "regex": "("}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "texte"}, "severity": "warning"},
    ]
    on_batch, _ = select([Suite("s.json", entries, "")])
    broken, fine = evaluate(ROWS.lazy(), on_batch, show_values=True)
    assert broken.result.error and not fine.result.error
    assert (broken.result.severity, fine.result.severity) == ("critical", "warning")


def test_values_are_shown_short_and_only_when_they_may_be():
    rows = pl.DataFrame({"texte": [f"{i} Jeanne Dupont" * 500 for i in range(9)]})
    shown = check("expect_column_values_to_be_in_set", rows, column="texte", value_set=["x"])
    assert len(shown.result.examples) == 5 and max(map(len, shown.result.examples)) <= EXAMPLE_LENGTH
    hidden = check("expect_column_values_to_be_in_set", rows, show=False, column="texte", value_set=["x"])
    assert hidden.result.examples == [] and "Dupont" not in repr(hidden.result)
    assert hidden.unexpected_rows == list(range(9)), "the rows are known all the same"
    distinct = check("expect_column_distinct_values_to_be_in_set", rows, show=False, column="texte", value_set=["x"])
    assert "Dupont" not in repr(distinct.result)


def test_errors_do_not_show_values_either():
    rows = pl.DataFrame({"texte": ["Jeanne Dupont"]})
    for kind in ("expect_column_values_to_be_between", "expect_column_mean_to_be_between"):
        assert "Dupont" not in repr(check(kind, rows, show=False, column="texte", min_value=3).result)


@pytest.mark.parametrize("kind", ["expect_column_values_to_not_be_null", "expect_column_values_to_be_unique"])
def test_no_rows(kind):
    found = check(kind, ROWS.clear(), column="texte")
    assert found.result.success and found.unexpected_rows == []


def test_columns_that_no_expectation_names_are_never_converted(monkeypatch):
    from flows.quality.gx_polars import frames

    seen, own = [], frames.to_pandas
    monkeypatch.setattr(frames, "to_pandas", lambda rows, *more: seen.append(rows.collect_schema().names()) or own(rows, *more))
    check("expect_column_values_to_be_of_type", column="texte", type_="str")  # has no Polars form
    assert seen == [["texte"]]


def test_a_row_condition_may_be_about_a_column_that_nothing_else_names():
    rows = pl.DataFrame({"région du siège": ["75", "2A", None], "texte": [None, "b", None]})
    for condition, unexpected in (("`région du siège` == '75'", 1), ("`région du siège`.isnull()", 1), ("`région du siège` != '75'", 1)):
        asked = {"column": "texte", "row_condition": condition, "condition_parser": "pandas"}
        assert check("expect_column_values_to_not_be_null", rows, **asked).result.unexpected == unexpected, condition


def test_nothing_to_evaluate():
    assert evaluate(ROWS.lazy(), select([])[0], show_values=True) == []
