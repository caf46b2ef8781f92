"""How far an incremental source has read: the greatest value of its cursor, and which rows near it have been read.

Rows are asked for with `cursor >= greatest - lag`. A row that shares the greatest value and appears later is not lost, as with
`>` it would be; and none is read twice, as with `>=` alone: the rows of that stretch are remembered, each by a hash, and left
out once for each time that they were read.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

HASH_BYTES = 12


@dataclass(frozen=True)
class Position:
    column: str
    type: str
    value: Any
    columns: list[str]
    """What the hashes were made of, in this order."""
    asked: str
    """Hash of what was asked for."""
    seen: Counter[str] | None = field(default_factory=Counter)
    """Hashes of the rows from `value - lag` on; None: there were too many to remember."""

    def to_state(self) -> dict[str, Any]:
        seen = None if self.seen is None else sorted(self.seen.elements())
        value = self.value.isoformat() if isinstance(self.value, date) else str(self.value)
        return {"cursor": self.column, "type": self.type, "value": value, "columns": self.columns, "asked": self.asked, "seen": seen}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Position | None:
        if not state.get("cursor"):
            return None
        seen = state.get("seen")
        kind, text = str(state["type"]), str(state["value"])
        value = _READ[_family(kind)](text)
        return cls(state["cursor"], kind, value, list(state["columns"]), state["asked"], None if seen is None else Counter(seen))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


_READ: dict[str, Any] = {"integer": int, "decimal": Decimal, "date": date.fromisoformat, "time": _moment, "text": str}


def _family(kind: str) -> str:
    if kind.startswith(("int", "uint")):
        return "integer"
    if kind.startswith("decimal"):
        return "decimal"
    if kind.startswith("date"):
        return "date"
    return "time" if kind.startswith("timestamp") else "text"


def require_cursor(name: str, kind: pa.DataType, lag: int | None, duration: bool) -> None:
    """Raises: ConfigurationError for a column that cannot say how far was read, or a lag that is not in its unit."""
    family = _family(str(kind))
    if family == "text" and str(kind) not in ("string", "large_string"):
        raise ConfigurationError(
            f"cursor: {name!r} is {kind}; it has to be an integer, a decimal, a date, a time or text",
            where="source.cursor",
            hint="for a floating-point number, cast it in source.query",
        )
    if lag is None:
        return
    wanted = {"integer": False, "decimal": False, "date": True, "time": True}
    if family == "text" or wanted[family] != duration:
        unit = "a duration like `15 min`" if wanted.get(family) else "a number"
        fits = "text has no lag" if family == "text" else f"for {kind} it is {unit}"
        raise ConfigurationError(f"lag: {name!r} is {kind}: {fits}", where="source.lag")


def before(value: Any, lag: int | None) -> Any:
    """Where to begin reading again."""
    if not lag:
        return value
    if isinstance(value, datetime):
        return value - timedelta(seconds=lag)
    if isinstance(value, date):
        return value - timedelta(days=-(-lag // 86_400))
    return value - lag


def plain(value: Any) -> Any:
    """A value of Arrow as Python has it, times with a zone in UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def hashes(batch: pa.RecordBatch, columns: list[str]) -> Iterator[str]:
    values = [batch.column(name).to_pylist() for name in columns]
    for row in zip(*values, strict=True):
        text = json.dumps([_canonical(value) for value in row], ensure_ascii=False)
        yield base64.b64encode(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:HASH_BYTES]).decode()


def _canonical(value: Any) -> Any:
    """What does not change with the version of a library."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, date):
        return [type(value).__name__, plain(value).isoformat()]
    return [type(value).__name__, str(value)]
