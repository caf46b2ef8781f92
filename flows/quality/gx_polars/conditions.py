"""Great Expectations' conditions on single values, as Polars expressions that are true where the value meets them.

Each raises Pandas for a column or an argument that it does not cover with the very answers of the pandas form.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl

from flows.quality.gx_polars import regexes
from flows.quality.gx_polars.engine import Call, Pandas
from flows.quality.gx_polars.maps import missing


def nonnull(call: Call) -> pl.Expr:
    return ~missing(call.column, call.kind)


def null(call: Call) -> pl.Expr:
    return missing(call.column, call.kind)


def in_set(call: Call) -> pl.Expr:
    values = call.arguments.get("value_set")
    if values is None or not _same_kind(list(values), call.kind):
        raise Pandas
    given = [_decimal(v) for v in values] if call.kind.is_decimal() else list(values)
    try:
        return pl.col(call.column).is_in(pl.Series(given, dtype=None if call.kind.is_decimal() else call.kind).implode())
    except (OverflowError, TypeError):  # one that a column of this type cannot hold
        raise Pandas from None


def not_in_set(call: Call) -> pl.Expr:
    return ~in_set(call)


def between(call: Call) -> pl.Expr:
    low, high = call.arguments.get("min_value"), call.arguments.get("max_value")
    given = [v for v in (low, high) if v is not None]
    if not given or not _comparable(given, call.kind) or (len(given) == 2 and low > high):  # type: ignore[operator]
        raise Pandas
    return within(pl.col(call.column), call, call.kind)


def length_between(call: Call) -> pl.Expr:
    if call.kind != pl.String:
        raise Pandas
    return within(pl.col(call.column).str.len_chars().cast(pl.Int64), call, pl.Int64())


def length_equals(call: Call) -> pl.Expr:
    length = call.arguments.get("value")
    if call.kind != pl.String or not isinstance(length, int | float):
        raise Pandas
    return pl.col(call.column).str.len_chars() == length


def match_regex(call: Call) -> pl.Expr:
    return _found(call, call.arguments["regex"])


def not_match_regex(call: Call) -> pl.Expr:
    return ~_found(call, call.arguments["regex"])


def match_regex_list(call: Call) -> pl.Expr:
    each = [_found(call, regex) for regex in call.arguments["regex_list"]]
    how = call.arguments.get("match_on") or "any"
    if not each or how not in ("any", "all"):
        raise Pandas
    return pl.any_horizontal(each) if how == "any" else pl.all_horizontal(each)


def not_match_regex_list(call: Call) -> pl.Expr:
    each = [_found(call, regex) for regex in call.arguments["regex_list"]]
    if not each:
        raise Pandas
    return ~pl.any_horizontal(each)


def strftime_format(call: Call) -> pl.Expr:
    wanted = call.arguments["strftime_format"]

    def parses(value: str) -> bool:
        try:
            datetime.datetime.strptime(value, wanted)
        except ValueError:
            return False
        return True

    return each_value(call, parses)


def dateutil_parseable(call: Call) -> pl.Expr:
    from dateutil.parser import parse

    def parses(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, OverflowError):
            return False
        return True

    return each_value(call, parses)


def json_parseable(call: Call) -> pl.Expr:
    def parses(value: str) -> bool:
        try:
            json.loads(value)
        except Exception:
            return False
        return True

    return each_value(call, parses)


def json_schema(call: Call) -> pl.Expr:
    import jsonschema

    schema = call.arguments["json_schema"]

    def fits(value: str) -> bool:
        try:
            jsonschema.validate(json.loads(value), schema)
        except jsonschema.ValidationError:
            return False
        return True

    return each_value(call, fits)


def each_value(call: Call, test: Callable[[str], bool]) -> pl.Expr:
    """What only Python can tell, asked once per distinct text of each piece of the column."""
    if call.kind != pl.String:
        raise Pandas

    def piece(values: pl.Series) -> pl.Series:
        known = {v: None if v is None else test(v) for v in values.unique().to_list()}
        return pl.Series([known[v] for v in values.to_list()], dtype=pl.Boolean)

    return pl.col(call.column).map_batches(piece, return_dtype=pl.Boolean, is_elementwise=True)


def _found(call: Call, regex: Any) -> pl.Expr:
    if not isinstance(regex, str) or not (call.kind == pl.String or call.kind.is_integer()):
        raise Pandas
    try:
        return pl.col(call.column).cast(pl.String).str.contains(regexes.translate(regex))
    except regexes.Untranslatable:
        compiled = re.compile(regex)
        return each_value(call, lambda value: compiled.search(value) is not None)


def within(values: pl.Expr, call: Call, kind: pl.DataType) -> pl.Expr:
    low, high = call.arguments.get("min_value"), call.arguments.get("max_value")
    if low is None and high is None:
        raise Pandas
    meets = pl.lit(True)
    if low is not None:
        meets = meets & (values > _bound(low, kind) if call.arguments.get("strict_min") else values >= _bound(low, kind))
    if high is not None:
        meets = meets & (values < _bound(high, kind) if call.arguments.get("strict_max") else values <= _bound(high, kind))
    return meets


def _bound(value: Any, kind: pl.DataType) -> pl.Expr:
    """A float stays one: 0.5 against integers must not become 0. Against decimals it is what is written: 1.1, not 1.100000000000000088."""
    if kind.is_decimal():
        return pl.lit(_decimal(value))
    return pl.lit(value, dtype=pl.Float64) if isinstance(value, float) else pl.lit(value)


def _comparable(values: list[Any], kind: pl.DataType) -> bool:
    if kind.is_numeric():
        return all(type(v) in (int, float) and abs(v) < 2**53 for v in values)
    if kind == pl.Date:
        return all(type(v) is datetime.date for v in values)
    if kind == pl.Datetime and getattr(kind, "time_zone", None) is None:
        return all(type(v) is datetime.datetime and v.tzinfo is None for v in values)
    return kind == pl.String and all(type(v) is str for v in values)


def _same_kind(values: list[Any], kind: pl.DataType) -> bool:
    wanted = {str} if kind == pl.String else {int} if kind.is_integer() else {int, float} if kind.is_decimal() else set()
    return bool(wanted) and all(type(v) in wanted for v in values)


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))
