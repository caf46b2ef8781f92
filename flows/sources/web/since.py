"""Where the next load of an API begins: the greatest value of a column, and which rows at that place came already.

A service that is asked for what is new since a value gives the rows that have that very value again. Those that were read are
known by their digest and left out, so that nothing is doubled, and others with the same value are not missed. Where rows appear
late, `lag` asks for some time before the greatest value again, with the same care.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flows.errors import ConfigurationError, SourceRefused
from flows.project.web_sources import RestSource, Since
from flows.sources.web.pages import MISSING, ExactJson, at

MOST = 5000  # digests that are kept in a commit
Order = tuple[str, Any]
"""(number, day, time or local time; what compares)"""


class Progressing:
    """What one load finds of the column. `append`: rows that were read before must not be kept again."""

    def __init__(self, declared: RestSource, exact: ExactJson, state: dict[str, Any], append: bool) -> None:
        assert declared.since is not None
        self.since: Since = declared.since
        self.exact, self.append = exact, append
        self.of = hashlib.sha256(repr((declared.url, sorted(declared.params.items()), self.since.column)).encode()).hexdigest()[:16]
        if state and state.get("of") != self.of:
            if append:
                raise ConfigurationError(
                    "the address, its parameters or the column of `since` changed: rows that were appended would be read again",
                    where="source in project.yaml",
                    hint="make another dataset of it, or use mode: upsert, which begins again from the start",
                )
            state = {}
        self.start: str | None = state.get("from", self.since.start)
        self.known = set[str](state.get("seen", []))
        self.floor = order(self.start) if state and self.start is not None else None
        self.greatest: tuple[Order, str] | None = None
        if state and "since" in state:
            self.greatest = (_require(order(state["since"]), state["since"]), state["since"])
        self.placed, self.unplaced = set[tuple[Order, str]](), set[str]()
        """Digests of rows at or after the place where the next load begins, as far as it is known, and of those without a value."""
        self.lost: Order | None = None
        """The digests of rows up to here were too many to keep."""

    @property
    def params(self) -> dict[str, str]:
        return {} if self.start is None else {self.since.parameter: self.start}

    def is_new(self, record: Any, line: bytes) -> bool:
        """Whether the row is to be kept. Each row is asked for once.

        Raises: SourceRefused if the column does not tell
        """
        value = at(record, self.since.column)
        digest = hashlib.sha256(line).hexdigest()[:12]
        if value is None or value is MISSING:
            if len(self.unplaced) <= MOST:
                self.unplaced.add(digest)
            return digest not in self.known
        text = str(value).removeprefix(self.exact.mark) if not isinstance(value, bool) else ""
        placed = _require(order(text), value if isinstance(value, str) else text)
        if self.greatest and placed[0] != self.greatest[0][0]:
            raise SourceRefused(
                f"{self.since.column!r} holds a {self.greatest[0][0]} in some rows and a {placed[0]} in others", hint=self._hint
            )
        if self.append and self.floor and placed < self.floor:
            raise SourceRefused(
                f"the service was asked for what is new since {self.start}, and gives a row of {text}",
                hint=f"it may not know the parameter {self.since.parameter!r}, or round it: then declare a lag, or use mode: upsert",
            )
        if self.greatest is None or placed > self.greatest[0]:
            self.greatest = (placed, text)
        self.placed.add((placed, digest))
        if len(self.placed) > 4 * MOST:
            self._forget()
        return digest not in self.known

    def state(self) -> dict[str, Any]:
        """For the commit. Raises: SourceRefused if more rows share the place than can be told apart later."""
        if self.greatest is None:
            raise SourceRefused(f"no record has a value at {self.since.column!r}: what is new next time cannot be told", hint=self._hint)
        begin, text = earlier(self.greatest, self.since.lag_value)
        seen = sorted(self.unplaced | {digest for placed, digest in self.placed if placed >= begin})
        if len(seen) > MOST or (self.lost is not None and self.lost >= begin):
            if self.append:
                raise SourceRefused(
                    f"more than {MOST:,} rows have the newest values of {self.since.column!r}, or none: which came already cannot be kept",
                    hint="use mode: upsert with a key, a shorter lag, or a column with a finer time",
                )
            seen = []
        return {"of": self.of, "since": self.greatest[1], "from": text, "seen": seen}

    def _forget(self) -> None:
        """What is before the place, and all of it if there is too much after: memory stays flat."""
        assert self.greatest is not None
        begin, _ = earlier(self.greatest, self.since.lag_value)
        self.placed = {row for row in self.placed if row[0] >= begin}
        if len(self.placed) > 2 * MOST:
            self.placed, self.lost = set(), self.greatest[0]

    @property
    def _hint(self) -> str:
        return "since.column has to hold numbers, dates or ISO times, all of one kind"


def order(text: str) -> Order | None:
    """What compares as the value does; None if nothing is known that does."""
    try:
        if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
            return "number", Decimal(text)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return "day", date.fromisoformat(text)
        if re.match(r"\d{4}-\d{2}-\d{2}[T ]", text, re.ASCII):
            time = datetime.fromisoformat(text)
            return ("time", time.astimezone(UTC)) if time.tzinfo else ("local time", time)
    except (ValueError, OverflowError, InvalidOperation):
        pass
    return None


def earlier(greatest: tuple[Order, str], lag: int | None) -> tuple[Order, str]:
    """Where the next load begins, and as a parameter: in the form in which the service wrote it."""
    (kind, value), text = greatest
    if not lag:
        return greatest
    if kind == "number":
        return (kind, value - lag), str(value - lag)
    if kind == "day":
        day = value - timedelta(days=-(-lag // 86_400))
        return (kind, day), day.isoformat()
    written = (datetime.fromisoformat(text) - timedelta(seconds=lag)).isoformat(sep=text[10])
    return (kind, value - timedelta(seconds=lag)), written.replace("+00:00", "Z") if text.endswith("Z") else written


def _require(placed: Order | None, value: Any) -> Order:
    if placed is None:
        raise SourceRefused(
            f"{str(value)[:60]!r} is neither a number, a date (2024-01-31) nor an ISO time: what is new cannot be told from it",
            hint="choose another column for `since`, or leave it out",
        )
    return placed
