"""Conditions as expectations about values, for Great Expectations: what a condition takes is told to its class once, here."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, Literal

import polars as pl
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation

from flows.quality.gx_polars.custom import column_condition, columns_condition, pair_condition

Check = Callable[..., pl.Expr]
IgnoredPairs = Literal["both_values_are_missing", "either_value_is_missing", "neither"]
IgnoredRows = Literal["all_values_are_missing", "any_value_is_missing", "never"]


def register(expectation: Any, check: Check, **how: Any) -> None:
    """Make `check` the metric `map_metric` of the class `expectation`. Its keyword arguments are the expectation's.

    `how`: across_rows or accepts, as in gx_polars/custom.py. The class of a pair, or of several columns, has a field `ignore_row_if`.
    """
    arguments = tuple(p.name for p in signature(check).parameters.values() if p.kind is Parameter.KEYWORD_ONLY)
    columns = tuple(k for k in expectation.domain_keys if k.startswith("column"))
    condition: Callable[..., None] = column_condition
    if not issubclass(expectation, ColumnMapExpectation):
        expectation.domain_keys = tuple(dict.fromkeys((*expectation.domain_keys, "ignore_row_if")))
        condition = pair_condition if issubclass(expectation, ColumnPairMapExpectation) else columns_condition
    expectation.success_keys, expectation.args_keys = (*arguments, "mostly"), (*columns, *arguments)
    condition(expectation.map_metric, check, arguments, **how)
