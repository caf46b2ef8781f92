"""The arguments of a check, made known to the expectation that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import polars as pl
from great_expectations.expectations.expectation import ColumnMapExpectation

Check = Callable[..., pl.Expr]


def arguments_of(expectation: Any, check: Check) -> tuple[str, ...]:
    """Names of the keyword arguments of `check`, which the class `expectation` is told."""
    arguments = tuple(p.name for p in signature(check).parameters.values() if p.kind is Parameter.KEYWORD_ONLY)
    columns = tuple(k for k in expectation.domain_keys if k.startswith("column"))
    if not issubclass(expectation, ColumnMapExpectation):
        expectation.domain_keys = tuple(dict.fromkeys((*expectation.domain_keys, "ignore_row_if")))
    expectation.success_keys, expectation.args_keys = (*arguments, "mostly"), (*columns, *arguments)
    return arguments
