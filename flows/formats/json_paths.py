"""Where the records of a JSON document are: the list at its top, or else the largest list of objects near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import SourceRefused
from flows.findings import Finding

LOOKED_AT = 64 << 20  # bytes
LEVELS = 4
"""Names between the top and the list."""


@dataclass(frozen=True)
class Found:
    path: str
    """As of ijson; empty: the whole document is the record."""
    why: str
    findings: list[Finding] = field(default_factory=list)


@dataclass
class _List:
    objects: int = 0
    others: int = 0
    events: int = 0
    """Values in it, at any depth: how large it is."""


def find(path: Path, name: str) -> Found:
    """Raises: SourceRefused if the beginning is no JSON."""
    lists: dict[str, _List] = {}
    try:
        for prefix, event in _looked_at(path, name):
            if prefix == "" and event == "start_array":
                return Found("item", "the document is a list")
            _count(lists, prefix, event)
    except SourceRefused:
        if not lists:  # damaged before anything was found; later damage is told when it is read, with its place
            return Found("", "the document is damaged")
    candidates = {p: found for p, found in lists.items() if found.objects and found.objects >= found.others}
    if not candidates:
        return Found("", "the document is an object without a list of objects: it is one record")
    best = max(candidates, key=lambda p: (candidates[p].events, -p.count(".")))
    why = f"the list at {best!r} is the largest one of objects ({candidates[best].objects} in the first {LOOKED_AT >> 20} MB)"
    rivals = [p for p in candidates if p != best and candidates[p].events >= 0.2 * candidates[best].events]
    if not rivals:
        return Found(f"{best}.item", why)
    others = ", ".join(f"{p}.item ({candidates[p].objects})" for p in rivals[:8])
    return Found(
        f"{best}.item",
        why,
        [
            Finding(
                "ambiguous",
                f"the records are read at {best}.item ({candidates[best].objects}), but there are other lists: {others}; "
                "declare format.records",
                f"Les enregistrements sont lus à {best}.item ({candidates[best].objects}), mais il y a d'autres listes : {others}",
            )
        ],
    )


def _looked_at(path: Path, name: str) -> Iterator[tuple[str, str]]:
    from flows.formats.json import events

    return ((prefix, event) for prefix, event, _ in events(path, name, LOOKED_AT))


def _count(lists: dict[str, _List], prefix: str, event: str) -> None:
    """Lists inside the items of others are no candidates: they belong to a record."""
    if event in ("map_key", "end_map", "end_array"):
        return
    outer = prefix.split(".item", 1)[0] if ".item" in prefix else prefix
    if event == "start_array" and outer == prefix and prefix and prefix.count(".") < LEVELS:
        lists.setdefault(prefix, _List())
    elif (found := lists.get(outer)) is not None:
        found.events += 1
        if prefix == f"{outer}.item":
            found.objects += event == "start_map"
            found.others += event != "start_map"
