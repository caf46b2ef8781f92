"""Great Expectations' own cases (Apache-2.0, its release 0.13.49), where they lie beside the repository: same answers as on pandas.

Cases for databases only, of expectations that release 1 has no more, or with arguments that it refuses, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.quality import expectations

CASES = Path(__file__).parents[3] / "shared" / "data" / "gx-cases"
OLD = {"catch_exceptions", "result_format", "parse_strings_as_datetimes", "allow_cross_type_comparisons"}
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")


def cases(path: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(title, columns, arguments) of those that Great Expectations runs on pandas."""
    for dataset in json.loads(path.read_text())["datasets"]:
        data = dataset["data"] if isinstance(dataset["data"], dict) else dataset["data"][0]["data"]
        for case in dataset["tests"]:
            engines, arguments = case.get("only_for") or ["pandas"], case["in"]
            if "pandas" in engines and "pandas" not in (case.get("suppress_test_for") or []):
                given = arguments if isinstance(arguments, dict) else {"value": arguments[0]}
                yield case["title"], data, {k: v for k, v in given.items() if k not in OLD}


def one_type(values: list[Any]) -> bool:
    kinds = {type(v) for v in values if v is not None}
    return len(kinds) < 2 or kinds == {int, float}


def column(name: str, values: list[Any]) -> pl.Series:
    series = pl.Series(name, values, strict=False)
    return series.cast(pl.String) if series.dtype == pl.Null else series


def facts(answer: Any) -> Any:
    """What a user sees, numbers to 9 digits; which of its exceptions made it fail is not compared."""
    plain = json.loads(
        json.dumps(answer.to_json_dict(), default=str), parse_float=lambda x: f"{float(x):.9g}", parse_int=lambda x: f"{float(x):.9g}"
    )
    keys = (
        "observed_value",
        "element_count",
        "unexpected_count",
        "unexpected_percent",
        "unexpected_list",
        "unexpected_index_list",
        "details",
    )
    return plain["success"], {k: v for k, v in (plain["result"] or {}).items() if k in keys}


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*.json")), ids=lambda p: p.stem)
def test_same_answers_as_on_pandas(path: Path) -> None:
    import pandas as pd

    expectations._import()
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError

    from flows.quality.gx_polars import validate
    from flows.quality.gx_polars.validation import ephemeral_context

    with expectations._quiet():
        context = ephemeral_context()
        whole = context.data_sources.add_pandas("cases").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
        for title, data, arguments in cases(path):
            if not all(one_type(v) for v in data.values()):
                data = {k: v for k, v in data.items() if one_type(v)}  # a table has columns of one type
            named = [v for k, v in arguments.items() if k in ("column", "column_A", "column_B")]
            try:
                kind = expectations._implementation(json.loads(path.read_text())["expectation_type"].lower())
                expectation = kind(**arguments)
            except (ExpectationNotFoundError, ValueError):  # pydantic's errors are ValueErrors
                continue
            if not data or not set(named) <= set(data) or (" y" in f" {arguments.get('row_condition')}" and "y" not in data):
                continue
            on_polars = validate(pl.DataFrame([column(k, v) for k, v in data.items()]), [expectation], "COMPLETE", context=context)[0]
            try:
                on_pandas = facts(
                    whole.get_batch(batch_parameters={"dataframe": pd.DataFrame(data)}).validate(expectation, result_format="COMPLETE")
                )
            except Exception:  # Great Expectations lets some through
                on_pandas = (False, {})
            assert facts(on_polars) == on_pandas, (title, arguments)
