"""JSON objects that have a key twice: every reader keeps one of the two values, and says nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.findings import Finding

LOOKED_AT = 1 << 20  # bytes


def in_document(path: Path, name: str) -> list[Finding]:
    """Of a JSON document, as far as it is looked at."""
    from flows.formats.json import events

    doubled, open_objects = Counter[str](), list[set[str]]()
    try:
        for _, event, value in events(path, name, LOOKED_AT):
            if event == "start_map":
                open_objects.append(set())
            elif event == "end_map":
                open_objects.pop()
            elif event == "map_key":
                doubled[value] += value in open_objects[-1]
                open_objects[-1].add(value)
    except SourceRefused:
        pass  # told when it is read
    return _findings(doubled)


def in_lines(path: Path) -> list[Finding]:
    """Of JSON Lines, as far as they are looked at."""
    doubled = Counter[str]()

    def noted(pairs: list[tuple[str, Any]]) -> None:
        doubled.update({key: count - 1 for key, count in Counter(key for key, _ in pairs).items() if count > 1})

    for line in _first_lines(path):
        try:
            json.loads(line, object_pairs_hook=noted)
        except (ValueError, RecursionError):
            continue
    return _findings(doubled)


def _first_lines(path: Path) -> Iterator[bytes]:
    left = LOOKED_AT
    with path.open("rb") as file:
        while left > 0 and (line := file.readline(left)):
            left -= len(line)
            yield line.lstrip(b"\xef\xbb\xbf\x1e")


def _findings(doubled: Counter[str]) -> list[Finding]:
    keys = [key for key, count in doubled.items() if count]
    if not keys:
        return []
    shown = ", ".join(map(repr, keys[:5]))
    return [
        Finding(
            "ambiguous",
            f"objects have a key more than once ({shown}): the last value is read, the others are not",
            f"des objets ont plusieurs fois la même clé ({shown}) : la dernière valeur est lue, pas les autres",
        )
    ]
