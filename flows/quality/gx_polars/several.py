"""Conditions on several columns or several rows, for core expectations."""

from __future__ import annotations

import math
from functools import reduce
from itertools import combinations
from typing import Any

import polars as pl

from flows.quality.gx_polars import maps
from flows.quality.gx_polars.engine import Call, Pandas, Query

HASH = "__hash"
BYTES_A_ROW = 40
"""What sorting the hashes of one row takes at most (measured: 9 to 12 bytes a row for 10 million), with room for what is read meanwhile."""


def pair_equal(call: Call) -> pl.Expr:
    a, b = _comparable(call)
    return ~(a == b).fill_null(False)


def pair_greater(call: Call) -> pl.Expr:
    a, b = _comparable(call)
    return ~((a >= b) if call.arguments.get("or_equal") else (a > b)).fill_null(False)


def pair_in_set(call: Call) -> pl.Expr:
    pairs = call.arguments.get("value_pairs_set")
    if pairs is None:
        return pl.lit(False)
    columns = call.columns
    found = [pl.all_horizontal([_equals(call, c, v) for c, v in zip(columns, pair, strict=True)]) for pair in pairs]
    return ~pl.any_horizontal(found) if found else pl.col(columns[0]).is_null() | True  # one for each row


def _equals(call: Call, column: str, value: Any) -> pl.Expr:
    kind = call.engine.schema[column]
    if value is None:
        return maps.missing(column, kind)
    if kind.is_float() and type(value) in (int, float) and math.isfinite(value):
        return (pl.col(column).cast(pl.Float64) == pl.lit(float(value))).fill_null(False)
    if type(value) is not (str if kind == pl.String else int if kind.is_integer() else None):
        raise Pandas
    return (pl.col(column) == value).fill_null(False)


def sum_equals(call: Call) -> pl.Expr:
    kinds = [call.engine.schema[c] for c in call.columns]
    if not all(_numeric(k) and k != pl.UInt64 for k in kinds):
        raise Pandas
    columns = [pl.col(c).cast(pl.Int64) if k.is_integer() else pl.col(c) for c, k in zip(call.columns, kinds, strict=True)]
    return ~(reduce(lambda a, b: a + b, columns) == call.arguments.get("sum_total")).fill_null(False)


def all_equal(call: Call) -> pl.Expr:
    first, *others = _comparable(call)
    same = [(first == other).fill_null(False) | (first.is_null() & other.is_null()) for other in others]
    return ~pl.all_horizontal(same) if same else pl.lit(False)


def all_different(call: Call) -> pl.Expr:
    """Two missing values are equal."""
    if len(set(call.columns)) != len(call.columns):
        raise Pandas
    pairs = combinations(_comparable(call), 2)
    return pl.any_horizontal([(a == b).fill_null(False) | (a.is_null() & b.is_null()) for a, b in pairs] or [pl.lit(False)])


def _comparable(call: Call) -> list[pl.Expr]:
    """The columns, missing values as nulls (to Polars NaN is the greatest number and equal to itself, to pandas it is neither), if any two
    of them can be compared: numbers, or columns of one type whose values are those of pandas."""
    columns, kinds = call.columns, {call.engine.schema[c] for c in call.columns}
    alike = len(kinds) == 1 and (next(iter(kinds)) in maps.SIMPLE or next(iter(kinds)) == pl.Datetime)
    unsigned = pl.UInt64 in kinds and len(kinds) > 1  # compared as floats, which do not hold every integer
    if not (alike or all(_numeric(k) for k in kinds)) or unsigned:
        raise Pandas
    return [pl.col(c).fill_nan(None) if call.engine.schema[c].is_float() else pl.col(c) for c in columns]


def _numeric(kind: pl.DataType) -> bool:
    return kind.is_integer() or kind.is_float()


def order(ascending: bool) -> tuple[Any, Any]:
    """(count, offenders): rows that come before what stands in front of them."""

    def wrong(call: Call) -> pl.Expr:
        if not (call.kind.is_integer() or call.kind == pl.Float64):
            raise Pandas
        one, before = pl.col(call.column), pl.col(call.column).shift()
        strictly = call.arguments.get("strictly")
        low, high = (one, before) if ascending else (before, one)
        wrong = (low <= high) if strictly else (low < high)
        return wrong & ~(one - before).is_nan() if call.kind.is_float() else wrong  # infinity after infinity is in order to pandas

    def count(call: Call) -> Query:
        rows = call.rows().filter(~maps.missing(call.column, call.kind))
        return Query(lambda found: int(found.item()), over=rows.select(wrong(call).sum()))

    def offenders(call: Call, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.with_columns(wrong(call).fill_null(False).alias("__wrong")).filter("__wrong")

    return count, offenders


def equal_rows_count(call: Call) -> Query:
    """Number of rows whose values are there more than once. Different hashes: different rows; equal ones are compared."""
    kind_of_values(call)
    parts = call.engine.parts(BYTES_A_ROW)
    counted = maps.considered(call)
    rows = call.rows() if counted is None else call.rows().filter(counted)
    hashes = rows.select(_key(call).hash().alias(HASH))

    def same(part: pl.LazyFrame) -> pl.LazyFrame:
        return part.select(pl.col(HASH).sort()).select((pl.col(HASH) == pl.col(HASH).shift()).sum())

    if parts == 1:
        return Query(lambda found: _exactly(call) if found.item() else 0, over=same(hashes))

    def one_after_the_other(_: pl.DataFrame) -> int:
        return sum(_exactly(call, number, parts) for number in range(parts))

    return Query(one_after_the_other, over=pl.LazyFrame({"x": [0]}))


def equal_rows(call: Call, rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.join(_repeated(call), on=call.columns, how="semi", nulls_equal=True, maintain_order="left")


def kind_of_values(call: Call) -> None:
    """Floats and nested values are left to pandas, which has its own idea of their equality."""
    if not all(comparable(call.engine.schema[c]) for c in call.columns):
        raise Pandas


def comparable(kind: pl.DataType) -> bool:
    return not (kind.is_float() or kind.is_nested() or kind in (pl.Object, pl.Null))


def _key(call: Call) -> pl.Expr:
    return pl.col(call.column) if len(call.columns) == 1 else pl.struct(call.columns)


def _exactly(call: Call, part: int = 0, parts: int = 1) -> int:
    """How many rows hold values that are there more than once; the values are kept for the list of rows."""
    counted = maps.considered(call)
    rows = call.rows() if counted is None else call.rows().filter(counted)
    if parts > 1:
        rows = rows.filter(_key(call).hash() % parts == part)
    hashes = rows.select(_key(call).hash().alias(HASH)).select(pl.col(HASH).sort())
    twice = hashes.filter(pl.col(HASH) == pl.col(HASH).shift()).unique().collect(engine="streaming")
    if not twice.height:
        return 0
    candidates = rows.select(call.columns).with_columns(_key(call).hash().alias(HASH)).join(twice.lazy(), on=HASH, how="semi")
    repeated = candidates.group_by(call.columns).len("__times").filter(pl.col("__times") > 1).collect(engine="streaming")
    call.engine.kept.setdefault(_label(call), []).append(repeated.select(call.columns))
    return int(repeated["__times"].sum())


def _label(call: Call) -> Any:
    return ("repeated", *call.columns, repr(call.domain))


def _repeated(call: Call) -> pl.LazyFrame:
    found: list[pl.DataFrame] | None = call.engine.kept.get(_label(call))
    if found is None:  # it was pandas that counted them
        raise Pandas
    return pl.concat(found).lazy()
