"""Where things stand in a JSON text: the line of every value, which Python's own parser does not tell."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

GAP = re.compile(r"[ \t\r\n]*")
PLAIN = re.compile(r"[^\s,\]}]+")
Path = tuple[str | int, ...]


class Lines:
    """Of a text that `json.loads` reads."""

    def __init__(self, text: str, depth: int = 8) -> None:
        """`depth`: how far down values are looked for."""
        self._text, self._depth = text, depth
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._found: dict[Path, int] = {}
        self._value(GAP.match(text, 0).end(), ())  # type: ignore[union-attr]

    def of(self, path: Sequence[str | int]) -> int:
        """Line, from 1, of the deepest part of `path` that there is; of a key's value, that of its key."""
        for end in range(len(path), -1, -1):
            if (place := self._found.get(tuple(path[:end]))) is not None:
                return bisect_right(self._starts, place)
        return 1

    def _value(self, place: int, path: Path) -> int:
        """The end of the value that begins at `place`."""
        self._found.setdefault(path, place)
        character = self._text[place : place + 1]
        if character == '"':
            return self._string(place)[1]
        if character in ("{", "["):
            return self._container(place, path, character == "{") if len(path) < self._depth else self._past(place)
        found = PLAIN.match(self._text, place)
        return found.end() if found else place + 1

    def _container(self, place: int, path: Path, is_object: bool) -> int:
        place, index = self._gap(place + 1), 0
        while self._text[place : place + 1] not in ("}", "]", ""):
            key: str | int = index
            if is_object:
                start = place
                key, place = self._string(place)
                self._found[*path, key] = start  # of a key that is there twice, the last counts, as for json.loads
                place = self._gap(self._gap(place) + 1)
            place = self._gap(self._value(place, (*path, key)))
            if self._text[place : place + 1] == ",":
                place = self._gap(place + 1)
            index += 1
        return place + 1

    def _past(self, place: int) -> int:
        return json.JSONDecoder().raw_decode(self._text, place)[1]

    def _string(self, place: int) -> tuple[str, int]:
        found: tuple[Any, int] = json.JSONDecoder(strict=False).raw_decode(self._text, place)
        return str(found[0]), found[1]

    def _gap(self, place: int) -> int:
        return GAP.match(self._text, place).end()  # type: ignore[union-attr]
