"""A Great Expectations execution engine over Polars LazyFrames. Depends on nothing else of Socle.

    from great_expectations import expectations as gxe
    validate(pl.scan_parquet("rows.parquet"), [gxe.ExpectColumnValuesToBeUnique(column="id")])

Metrics that have a Polars form run as few streaming queries over all expectations together; every other metric, and a column of a type
that a Polars form does not cover, runs Great Expectations' own pandas code on the columns that the frame has.

Great Expectations is imported when something of it is first asked for: `regexes` needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.quality.gx_polars.custom import column_condition, columns_condition, pair_condition
    from flows.quality.gx_polars.engine import PolarsExecutionEngine
    from flows.quality.gx_polars.validation import unsupported, validate

__all__ = ["PolarsExecutionEngine", "column_condition", "columns_condition", "pair_condition", "unsupported", "validate"]

WHERE = {"PolarsExecutionEngine": "engine", "unsupported": "validation", "validate": "validation"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{WHERE.get(name, 'custom')}"), name)
