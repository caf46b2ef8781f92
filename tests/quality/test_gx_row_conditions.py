"""Row conditions, as text and as Great Expectations' own objects, choose the rows that pandas chooses."""

from __future__ import annotations

import datetime
from typing import Any

import polars as pl

from flows.quality import expectations

FRAME = pl.DataFrame({
    "n": [1, 2, 2, None, 5, -3, 8, 2], "x": [1.0, 2.5, float("nan"), None, float("inf"), -1.0, 0.1, 0.1],
    "t": ["a", "b", "é", "", "12", " a ", None, "a"], "région.n": ["a", "b", None, "a", "b", "c", "a", "b"],
    "d": [datetime.date(2020, 1, day) for day in range(1, 9)], "b": [True, False, False, True, True, False, True, True],
})  # fmt: skip
TEXTS = [
    "n > 1", "n >= 2 and x < 4", "t == 'a'", "t != 'a'", "t in ['a', 'b']", "t not in ['a']", "t.isnull()", "x.notna()", "not n > 1",
    "~(n > 1)", "(n > 1) | (x < 2)", "b == True", "not b", "`région.n` == 'a'", "n < x", "1 < n < 5", "t.str.startswith('a')", "index > 3",
    "n in []", "x == 0.1", "t == 'é'", "n == 'a'", "absent > 1", "n >",
]  # fmt: skip


def objects() -> list[Any]:
    from great_expectations.expectations.row_conditions import Column

    n, t, x = Column("n"), Column("t"), Column("x")
    return [
        n > 1, t == "a", t != "a", t.is_null(), x.is_not_null(), t.is_in(["a", "b"]), n.is_not_in([1, 2]), (n > 1) & (t == "a"),
        (n >= 5) | (x <= 0.1), Column("région.n") == "a", Column("d") > datetime.date(2020, 1, 3), Column("b") == True, x < 2,  # noqa: E712
    ]  # fmt: skip


def test_the_same_rows_as_on_pandas() -> None:
    from flows.quality.gx_polars import validate
    from flows.quality.gx_polars.frames import to_pandas
    from flows.quality.gx_polars.validation import ephemeral_context

    expectations._import()
    conditions: list[dict[str, Any]] = [{"row_condition": c, "condition_parser": "pandas"} for c in TEXTS] + [
        {"row_condition": c} for c in objects()
    ]
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("expect_table_row_count_to_equal", {"value": 1}),
        ("expect_column_values_to_be_in_set", {"column": "t", "value_set": ["é"]}),
    ]
    asked = [expectations._implementation(kind)(**arguments, **c) for c in conditions for kind, arguments in kinds]
    with expectations._quiet():
        context = ephemeral_context()
        whole = context.data_sources.add_pandas("p").add_dataframe_asset("r").add_batch_definition_whole_dataframe("all")
        batch = whole.get_batch(batch_parameters={"dataframe": to_pandas(FRAME.lazy(), frozenset({"n"}))})
        on_polars = validate(FRAME, asked, "COMPLETE", context=context)
        for expectation, ours in zip(asked, on_polars, strict=True):
            theirs = batch.validate(expectation, result_format="COMPLETE")
            facts = [(r.success, r.to_json_dict()["result"], bool(expectations._exception(r.exception_info))) for r in (ours, theirs)]
            assert facts[0] == facts[1], expectation


def test_a_condition_with_a_polars_form_converts_nothing() -> None:
    from flows.quality.gx_polars import validate

    expectations._import()
    kind = expectations._implementation("expect_table_row_count_to_equal")

    def refuse(_: pl.LazyFrame) -> Any:
        raise AssertionError("converted")

    plain = objects()[:10]  # the others are about a day and a boolean
    with expectations._quiet():
        found = validate(FRAME, [kind(value=3, row_condition=c) for c in plain], to_pandas=refuse)
    assert [expectations._exception(f.exception_info) for f in found] == [""] * 10
