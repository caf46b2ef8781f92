"""What texts are in each type of the standard: values that can be compared, or null where a text is none of that type.

Every reader takes a Polars series and a field. A series that is typed already (Parquet, a declared dataset) is taken as it is where its
type is that of the field. What is common is read column-wise; the rest by Python, once for each distinct text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

import polars as pl

from flows.quality.table_schema.descriptor import FALSE, TRUE, Field
from flows.quality.table_schema.geometry import is_geojson, is_topojson, is_wkt

Reader = Callable[[pl.Series, Field], pl.Series]
SPACES = " \u00a0\u202f\u2009"
NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
SPECIAL = {"NaN": "nan", "INF": "inf", "+INF": "inf", "-INF": "-inf"}
DURATION = r"^-?P(?:[0-9]+(?:[.,][0-9]+)?[YMWD])*(?:T(?:[0-9]+(?:[.,][0-9]+)?[HMS])+)?$"
DURATION_ORDER = r"^-?P(?:[^YMWDT]+Y)?(?:[^YMWDT]+M)?(?:[^YMWDT]+W)?(?:[^YMWDT]+D)?(?:T(?:[^HMS]+H)?(?:[^HMS]+M)?(?:[^HMS]+S)?)?$"
STRINGS = {
    "email": r"^[^\s@<>()\[\],;:\\\".]+(?:\.[^\s@<>()\[\],;:\\\".]+)*@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}]{2,}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
    "uuid": r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    "binary": r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
ITEMS = ("string", "integer", "number", "boolean", "date", "time", "datetime")


def read(values: pl.Series, field: Field) -> pl.Series:
    """Values that can be compared with each other, null where a text is no value of the field's type (or is null)."""
    if values.dtype == pl.Null:
        return values
    if values.dtype != pl.String:
        typed = _typed(values, field)
        if typed is not None:
            return typed
        values = as_text(values)
    return READERS[field.type](values, field)


def as_text(values: pl.Series) -> pl.Series:
    """Typed values as they would be written: numbers without `.0`, days and times in ISO 8601, lists and objects in JSON."""
    kind = values.dtype
    if kind.is_nested():
        return pl.Series(
            values.name, [None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in values.to_list()], pl.String
        )
    if kind == pl.Datetime:
        zone = "Z" if getattr(kind, "time_zone", None) else ""
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else values
        return values.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if kind.is_float():
        return values.cast(pl.String).str.replace(r"\.0$", "")
    return values.cast(pl.String)


def by_distinct(values: pl.Series, read_one: Callable[[str], Any], kind: Any) -> pl.Series:
    """Each distinct text read once by `read_one`; what raises ValueError, or gives None, is null."""
    texts = values.drop_nulls().unique()
    made = [_or_none(read_one, text) for text in texts.to_list()]
    if not made:
        return pl.Series(values.name, [None] * len(values), dtype=kind)
    return values.replace_strict(texts, pl.Series(made, dtype=kind, strict=True), default=None, return_dtype=kind)


def _or_none(read_one: Callable[[str], Any], text: str) -> Any:
    try:
        return read_one(text)
    except (ValueError, TypeError, OverflowError, KeyError, RecursionError, ArithmeticError):
        return None


def _typed(values: pl.Series, field: Field) -> pl.Series | None:
    """Values of a typed column where its type is the field's; None where they have to be read as texts."""
    kind, wanted = values.dtype, field.type
    if wanted in ("integer", "year") and (kind.is_float() or kind.is_decimal()):
        whole = values.cast(pl.Float64)
        return _where(whole, (whole == whole.floor()) & whole.is_finite())
    same = {
        "integer": kind.is_integer(),
        "year": kind.is_integer(),
        "number": kind.is_numeric(),
        "boolean": kind == pl.Boolean,
        "date": kind == pl.Date,
        "time": kind == pl.Time,
        "array": isinstance(kind, pl.List | pl.Array),
        "object": isinstance(kind, pl.Struct),
    }
    if wanted in ("array", "object") and same[wanted]:
        return READERS[wanted](as_text(values), field)
    if same.get(wanted):
        return values.cast(pl.Float64) if kind.is_decimal() else values
    if wanted == "date" and kind == pl.Datetime:
        return values.dt.date().set((values.dt.time() != time()).fill_null(False), None)
    if wanted == "datetime" and kind == pl.Datetime:
        return (
            values.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
            if getattr(kind, "time_zone", None)
            else values.dt.replace_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
        )
    if wanted in ("date", "time", "datetime") and kind in (pl.Date, pl.Time):
        return None if wanted != "datetime" else pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us", "UTC"))
    if wanted == "any":
        return values.is_not_null().replace_strict({True: "", False: None}, return_dtype=pl.String)
    return None


def _where(values: pl.Series, valid: pl.Series) -> pl.Series:
    return values.set(~valid.fill_null(False), None)


def _matching(values: pl.Series, regex: str) -> pl.Series:
    return _where(values, values.str.contains(regex))


# ---- one reader a type ------------------------------------------------------------------------------------------------


def _string(values: pl.Series, field: Field) -> pl.Series:
    if field.format == "wkt":
        return by_distinct(values, lambda text: text if is_wkt(text) else None, pl.String)
    return _matching(values, STRINGS[field.format]) if field.format in STRINGS else values


def _digits(values: pl.Series, field: Field) -> pl.Series:
    """Without what surrounds a number, and without what groups its digits, as far as the field declares such."""
    text = values.str.strip_chars()
    if field.options.get("bareNumber") is False:
        text = text.str.replace(r"^[^-0-9]+", "").str.replace(r"[^0-9]+$", "")
    if group := field.options.get("groupChar"):
        for mark in SPACES if group in SPACES else [group]:
            text = text.str.replace_all(mark, "", literal=True)
    return text


def _integer(values: pl.Series, field: Field) -> pl.Series:
    text = _matching(_digits(values, field), r"^[+-]?[0-9]+$").str.strip_prefix("+")
    whole = text.cast(pl.Int128, strict=False)
    return whole if whole.null_count() == text.null_count() else text.cast(pl.Float64, strict=False)  # more than 38 digits


def _number(values: pl.Series, field: Field) -> pl.Series:
    text = _digits(values, field)
    decimal = field.options.get("decimalChar", ".")
    if decimal != ".":
        text = _where(text, ~text.str.contains(".", literal=True)).str.replace_all(decimal, ".", literal=True)
    plain = text.replace(SPECIAL) if text.is_in(list(SPECIAL)).any() else text
    return _where(plain, text.str.contains(NUMBER) | text.is_in(list(SPECIAL))).str.strip_prefix("+").cast(pl.Float64, strict=False)


def _boolean(values: pl.Series, field: Field) -> pl.Series:
    yes, no = field.options.get("trueValues", TRUE), field.options.get("falseValues", FALSE)
    words = dict.fromkeys(no, False) | dict.fromkeys(yes, True)
    if not words:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Boolean)
    return values.replace_strict(words, default=None, return_dtype=pl.Boolean)


def _date(values: pl.Series, field: Field) -> pl.Series:
    if field.format == "default":
        iso = _matching(values, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        return _where(iso, iso.str.head(4) != "0000").str.to_date("%Y-%m-%d", strict=False)  # Python has no year 0
    return by_distinct(values, lambda text: _moment(text, field.format).date(), pl.Date)


def _datetime(values: pl.Series, field: Field) -> pl.Series:
    """A moment without a zone is compared as if in UTC."""

    def one(text: str) -> datetime:
        if field.format == "default" and (len(text) < 19 or text[16] != ":"):
            raise ValueError(text)
        moment = datetime.fromisoformat(text) if field.format == "default" else _moment(text, field.format)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    return by_distinct(values, one, pl.Datetime("us", "UTC"))


def _time(values: pl.Series, field: Field) -> pl.Series:
    def one(text: str) -> time:
        if field.format == "default" and not re.match(r"\d\d:\d\d:\d\d", text):
            raise ValueError(text)
        moment = time.fromisoformat(text) if field.format == "default" else _moment(text, field.format).time()
        return moment.replace(tzinfo=None)

    return by_distinct(values, one, pl.Time)


def _moment(text: str, pattern: str) -> datetime:
    """Raises: ValueError. `any`: whatever dateutil reads, but no text without a digit (it reads "mai" as a day of this year)."""
    if pattern != "any":
        return datetime.strptime(text, pattern)
    from dateutil.parser import parse

    if not re.search(r"\d", text):
        raise ValueError(text)
    moment: datetime = parse(text)
    return moment


def _year(values: pl.Series, field: Field) -> pl.Series:
    return _matching(values, r"^[0-9]{4}$").cast(pl.Int64, strict=False)


def _yearmonth(values: pl.Series, field: Field) -> pl.Series:
    return _matching(values, r"^[0-9]{4}-(?:0[1-9]|1[0-2])$")


def _duration(values: pl.Series, field: Field) -> pl.Series:
    return _where(values, values.str.contains(DURATION) & values.str.contains(DURATION_ORDER) & values.str.contains("[0-9]"))


def _geopoint(values: pl.Series, field: Field) -> pl.Series:
    def one(text: str) -> str | None:
        point: Any = text.split(",") if field.format == "default" else json.loads(text)
        if isinstance(point, dict) != (field.format == "object") or len(point) != 2:
            return None
        longitude, latitude = (point["lon"], point["lat"]) if isinstance(point, dict) else point
        if any(isinstance(v, bool) or "_" in str(v) for v in (longitude, latitude)):
            return None
        x, y = float(longitude), float(latitude)
        return f"{x},{y}" if abs(x) <= 180 and abs(y) <= 90 else None

    return by_distinct(values, one, pl.String)


def _geojson(values: pl.Series, field: Field) -> pl.Series:
    test = is_topojson if field.format == "topojson" else is_geojson
    return by_distinct(values, lambda text: text if test(json.loads(text)) else None, pl.String)


def _object(values: pl.Series, field: Field) -> pl.Series:
    return by_distinct(values, lambda text: _canonical(text, dict), pl.String)


def _array(values: pl.Series, field: Field) -> pl.Series:
    item = field.item

    def one(text: str) -> str | None:
        made = _canonical(text, list)
        return made if made is None or item is None or _items_hold(json.loads(made), item) else None

    return by_distinct(values, one, pl.String)


def _list(values: pl.Series, field: Field) -> pl.Series:
    kind = field.options.get("itemType", "string")
    item, mark = Field(field.name, kind if kind in ITEMS else "string"), field.options.get("delimiter") or ","

    def one(text: str) -> str | None:
        parts = text.split(mark) if text else []
        return json.dumps(parts, ensure_ascii=False) if _items_hold(parts, item) else None

    return by_distinct(values, one, pl.String)


def _canonical(text: str, kind: type) -> str | None:
    made = json.loads(text)
    return json.dumps(made, ensure_ascii=False, sort_keys=True) if isinstance(made, kind) else None


def _items_hold(items: list[Any], item: Field) -> bool:
    """Whether every item is of the type, and meets the constraints, that the array declares."""
    from flows.quality.table_schema.constraints import meets

    texts, plain = list[str](), {"string": str, "array": list, "object": dict, "boolean": bool | str, "any": object}.get(item.type, object)
    for value in items:
        if value is None or not isinstance(value, plain):  # type: ignore[arg-type]
            return False
        if isinstance(value, float) and value.is_integer():  # 1.0 is an integer in JSON
            value = int(value)
        texts.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    made = pl.Series(texts, dtype=pl.String)
    checked = [meets(made, item, name, value) for name, value in item.constraints.items() if name not in ("required", "unique")]
    return read(made, item).null_count() == 0 and all(bool(c.all()) for c in checked)


READERS: dict[str, Reader] = {
    "string": _string,
    "any": lambda values, field: values,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "year": _year,
    "yearmonth": _yearmonth,
    "duration": _duration,
    "geopoint": _geopoint,
    "geojson": _geojson,
    "object": _object,
    "array": _array,
    "list": _list,
}
