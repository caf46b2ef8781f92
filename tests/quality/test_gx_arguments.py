"""What Great Expectations looks up of an expectation, read once: the same as it reads by itself."""

from __future__ import annotations

import pytest
from great_expectations.expectations import core
from great_expectations.expectations.expectation import Expectation

from flows.quality.expectations import _implementation, _import
from flows.quality.gx_polars import arguments
from flows.quality.gx_polars.metrics import register

SOME = [
    core.ExpectColumnValuesToBeBetween(column="a", min_value=1, max_value=4, mostly=0.9, strict_min=True),
    core.ExpectColumnValuesToBeInSet(
        column="a", value_set=["x", None], row_condition='col("b") > 2', condition_parser="great_expectations"
    ),
    core.ExpectColumnValuesToMatchRegex(column="a", regex="^x", severity="warning", meta={"mostly": 0.1}, notes="n"),
    core.ExpectColumnPairValuesToBeEqual(column_A="a", column_B="b", ignore_row_if="either_value_is_missing"),
    core.ExpectCompoundColumnsToBeUnique(column_list=["a", "b"], result_format={"result_format": "COMPLETE"}),
    core.ExpectColumnQuantileValuesToBeBetween(column="a", quantile_ranges={"quantiles": [0.5], "value_ranges": [[0, 1]]}),
    core.ExpectTableRowCountToBeBetween(min_value={"$PARAMETER": "least"}),
    core.ExpectTableColumnsToMatchSet(column_set=["a"], exact_match=False),
]


@pytest.mark.parametrize("expectation", SOME, ids=lambda e: type(e).__name__)
def test_arguments_are_those_of_great_expectations(expectation: Expectation) -> None:
    register()
    assert Expectation._get_success_kwargs is arguments.success
    domain, success = arguments.THEIRS
    assert expectation._get_domain_kwargs() == domain(expectation)
    found, theirs = expectation._get_success_kwargs(), success(expectation)
    assert found == theirs and len(found) > 2


def test_also_of_our_own_expectations() -> None:
    _import()
    own = _implementation("expect_column_values_to_be_siret")(column="siret", mostly=0.5)
    assert own._get_success_kwargs() == arguments.THEIRS[1](own) and own._get_success_kwargs()["mostly"] == 0.5
