"""The same suite on the same Parquet file, by Socle's engine and by what people would use. Each prepares (imports and reads nothing) and
gives the work, which returns how many of its checks hold."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.loaders import _peak_mb
from benchmarks.tables import SUITE

Checks = list[tuple[str, dict[str, Any]]]


WIDE: Checks = [
    ("expect_column_values_to_not_be_null", {"column": "texte"}),
    ("expect_column_value_lengths_to_be_between", {"column": "texte", "min_value": 100, "max_value": 10_000}),
    ("expect_column_values_to_match_regex", {"column": "texte", "regex": r"^[A-Z]"}),
    ("expect_column_values_to_match_regex", {"column": "texte", "regex": r"\d+ (?:jours|mois)"}),
    ("expect_column_values_to_be_unique", {"column": "texte"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
]
"""For texts of 2,000 characters."""


def suite(size: int) -> Checks:
    """13 expectations, or 40: the same kinds with other arguments; 6: those for long texts."""
    if size == len(WIDE):
        return WIDE
    if size == len(SUITE):
        return SUITE
    more: Checks = []
    for number in range(1, 10):
        more += [
            ("expect_column_values_to_be_between", {"column": "montant", "min_value": -5000 - number, "max_value": 20_000 + number}),
            ("expect_column_values_to_match_regex", {"column": "siret", "regex": rf"^\d{{{number}}}"}),
            ("expect_column_value_lengths_to_be_between", {"column": "commune", "min_value": 1, "max_value": 30 + number}),
        ]
    return (SUITE + more)[:size]


def _expectations(checks: Checks) -> list[Any]:
    from flows.quality.expectations import _implementation, _import

    _import()
    return [_implementation(kind)(**arguments) for kind, arguments in checks]


def socle(file: Path, checks: Checks) -> Callable[[], int]:
    import polars as pl

    built = _expectations(checks)
    from flows.quality.gx_polars import validate

    return lambda: sum(
        r.success for r in validate(pl.scan_parquet(file), built, {"result_format": "COMPLETE", "partial_unexpected_count": 5})
    )


def gx_pandas(file: Path, checks: Checks) -> Callable[[], int]:
    import pandas as pd

    built = _expectations(checks)
    from great_expectations import ExpectationSuite

    from flows.quality.gx_polars.validation import ephemeral_context

    context = ephemeral_context()
    definition = context.data_sources.add_pandas("p").add_dataframe_asset("r").add_batch_definition_whole_dataframe("all")
    together = ExpectationSuite("suite", expectations=built)

    def work() -> int:
        batch = definition.get_batch(batch_parameters={"dataframe": pd.read_parquet(file)})
        return sum(
            r.success for r in batch.validate(together, result_format={"result_format": "COMPLETE", "partial_unexpected_count": 5}).results
        )

    return work


def gx_spark(file: Path, checks: Checks) -> Callable[[], int]:
    from pyspark.sql import SparkSession

    built = _expectations(checks)
    from great_expectations import ExpectationSuite

    from flows.quality.gx_polars.validation import ephemeral_context

    spark = SparkSession.builder.master("local[*]").config("spark.driver.memory", "8g").getOrCreate()
    context = ephemeral_context()
    definition = context.data_sources.add_spark("s").add_dataframe_asset("r").add_batch_definition_whole_dataframe("all")
    together = ExpectationSuite("suite", expectations=built)

    def work() -> int:
        batch = definition.get_batch(batch_parameters={"dataframe": spark.read.parquet(str(file))})
        return sum(r.success for r in batch.validate(together, result_format="SUMMARY").results)

    return work


def by_hand(file: Path, checks: Checks) -> Callable[[], int]:
    """One Polars query of all counts, as somebody would write it who wants nothing but these numbers: the limit."""
    import polars as pl

    def one(kind: str, a: dict[str, Any]) -> pl.Expr:
        c = pl.col(a["column"]) if "column" in a else pl.len()
        if kind.endswith("not_be_null"):
            return c.null_count() == 0
        if kind.endswith("be_unique"):
            return c.drop_nulls().n_unique() == c.count()
        if kind.endswith("match_regex"):
            return (~c.str.contains(a["regex"])).sum() == 0
        if kind.endswith("in_set"):
            return (~c.is_in(a["value_set"])).sum() == 0
        if kind.endswith("lengths_to_equal"):
            return (c.str.len_chars() != a["value"]).sum() == 0
        if "lengths" in kind:
            return (~c.str.len_chars().is_between(a["min_value"], a["max_value"])).sum() == 0
        value = c.mean() if "mean" in kind else c.n_unique() if "unique_value_count" in kind else c
        met = value.is_between(a.get("min_value", float("-inf")), a.get("max_value", float("inf")))
        return (~met).sum() == 0 if kind.endswith("values_to_be_between") else met.first() if value is c else met

    def work() -> int:
        found = pl.scan_parquet(file).select(one(k, a).alias(str(i)) for i, (k, a) in enumerate(checks)).collect(engine="streaming")
        return sum(found.row(0))

    return work


def pandera(file: Path, checks: Checks) -> Callable[[], int]:
    import pandera.polars as pa
    import polars as pl

    columns: dict[str, dict[str, Any]] = {}
    for kind, a in checks:
        if "column" not in a or "mean" in kind or "unique_value_count" in kind:
            continue  # it has none for these
        of = columns.setdefault(a["column"], {"checks": [], "nullable": True, "unique": False})
        if kind.endswith("not_be_null"):
            of["nullable"] = False
        elif kind.endswith("be_unique"):
            of["unique"] = True
        elif kind.endswith("match_regex"):
            of["checks"].append(pa.Check.str_contains(a["regex"]))
        elif kind.endswith("in_set"):
            of["checks"].append(pa.Check.isin(a["value_set"]))
        elif "lengths" in kind:
            low, high = a.get("min_value", a.get("value")), a.get("max_value", a.get("value"))
            of["checks"].append(pa.Check.str_length(low, high))
        elif "max_value" in a:
            of["checks"].append(pa.Check.in_range(a["min_value"], a["max_value"]))
        else:
            of["checks"].append(pa.Check.ge(a["min_value"]))
    schema = pa.DataFrameSchema({name: pa.Column(**of) for name, of in columns.items()})

    def work() -> int:
        schema.validate(pl.read_parquet(file), lazy=True)  # of a LazyFrame it looks at the types only
        return len(checks)

    return work


def pointblank(file: Path, checks: Checks) -> Callable[[], int]:
    import pointblank as pb
    import polars as pl

    def work() -> int:
        plan = pb.Validate(data=pl.read_parquet(file))
        for kind, a in checks:
            column = a.get("column")
            if kind.endswith("not_be_null"):
                plan = plan.col_vals_not_null(columns=column)
            elif kind.endswith("be_unique"):
                plan = plan.rows_distinct(columns_subset=column)
            elif kind.endswith("match_regex"):
                plan = plan.col_vals_regex(columns=column, pattern=a["regex"])
            elif kind.endswith("in_set"):
                plan = plan.col_vals_in_set(columns=column, set=a["value_set"])
            elif "lengths" in kind:
                low, high = a.get("min_value", a.get("value")), a.get("max_value", a.get("value"))
                plan = plan.col_vals_expr(expr=pl.col(column).str.len_chars().is_between(low, high))
            elif kind.endswith("values_to_be_between"):
                plan = plan.col_vals_ge(columns=column, value=a["min_value"])
                plan = plan.col_vals_le(columns=column, value=a["max_value"]) if "max_value" in a else plan
        return int(sum(plan.interrogate().n_passed(scalar=False).values()) > 0)

    return work


VALIDATORS: dict[str, Callable[[Path, Checks], Callable[[], int]]] = {
    "socle": socle,
    "Polars by hand": by_hand,
    "Great Expectations on pandas": gx_pandas,
    "Great Expectations on Spark": gx_spark,
    "pandera on Polars": pandera,
    "pointblank on Polars": pointblank,
}


def main() -> None:
    name, file, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    work = VALIDATORS[name](file, suite(size))
    start, busy = time.perf_counter(), sum(os.times()[:4])
    met = work()
    wall, cpu = time.perf_counter() - start, sum(os.times()[:4]) - busy
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": _peak_mb(), "met": met}))


if __name__ == "__main__":
    main()
