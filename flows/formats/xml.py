"""XML: repeated elements as records, streamed. What is read safely, and what is refused: xml_safely.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from flows.errors import ConfigurationError, SourceRefused
from flows.findings import Finding
from flows.formats.base import Decision
from flows.formats.recognise import HEAD, decoded, other_than, refuse_page
from flows.formats.records import as_json
from flows.formats.xml_safely import done, iterate
from flows.project.formats import XmlFormat
from flows.settings import Settings

LOOKED_AT = 500_000  # elements
MAX_ELEMENTS = 200_000  # in one record


def decide(path: Path, name: str, declared: XmlFormat | None, settings: Settings) -> Decision:
    declared = declared or XmlFormat(type="xml")
    if declared.record is not None:
        return Decision(declared, {"record": "it is declared"})
    found, why, findings = _find(path, name)
    return Decision(declared.model_copy(update={"record": found}), {"record": why}, findings)


def incompatible(path: Path, name: str, kept: XmlFormat, settings: Settings) -> str | None:
    if sentence := other_than(path, name, "xml"):
        return sentence
    with path.open("rb") as file:
        for tag, element in _elements(file, path, name):
            if tag == f"+{kept.record}":
                return None
            if tag[0] != "+":
                done(element)
    return f"{name} has no element {kept.record!r}, which was a record in earlier files"


def read(path: Path, name: str, how: XmlFormat, settings: Settings) -> Iterator[dict[str, Any]]:
    """Raises: ConfigurationError if no element has this name."""
    count = inside = elements = start = 0
    wanted = how.record
    with path.open("rb") as file:
        for tag, element in _elements(file, path, name):
            if tag[0] == "+":
                start = start if inside else file.tell()
                inside += inside > 0 or tag[1:] == wanted
                elements += 1
                if inside and (elements > MAX_ELEMENTS or file.tell() - start > settings.max_record_mb * 1e6):
                    raise SourceRefused(
                        f"{name} has a record {wanted!r} of more than {MAX_ELEMENTS} elements or {settings.max_record_mb} MB",
                        where=f"{path}, line {element.sourceline}",
                        hint="declare the element that is a record as format.record",
                    )
                continue
            inside -= inside > 0
            if inside:
                continue
            elements = 0
            if tag == wanted:
                count += 1
                yield _record(element, tag, path, name)
            done(element)
    if not count:
        raise ConfigurationError(
            f"{name} has no element {wanted!r}",
            where="format.record",
            hint="the name of the element that is a record, without its namespace",
            french=f"Le fichier {name} n'a aucun élément « {wanted} ».",
        )


def _elements(file: BinaryIO, path: Path, name: str) -> Iterator[tuple[str, Any]]:
    """`+name` at the start and `name` at the end of every element, which whoever asks clears."""
    refuse_page(decoded(file.read(HEAD)) or "", path, name)
    file.seek(0)
    yield from iterate(file, path, name, starts=True)


# ---- one record -----------------------------------------------------------------------------------------------------


def _record(element: Any, tag: str, path: Path, name: str) -> dict[str, Any]:
    """Attributes and children as columns; a record that is but a text has one column, named like the element."""
    row = {_local(k): v for k, v in element.attrib.items() if not _is_of_schema(k)}
    columns: dict[str, list[Any]] = {}
    for child in element:
        if not isinstance(child.tag, str):
            raise SourceRefused(f"{name} refers to the entity {child.text}, which is not known", where=f"{path}, line {element.sourceline}")
        columns.setdefault(_local(child.tag), []).append(child)
    for column, children in columns.items():
        key = f"{column}_element" if column in row else column
        if len(children) > 1:
            row[key] = as_json([_nested(c, path, name) for c in children])
        elif len(children[0]):
            row[key] = as_json(_nested(children[0], path, name))
        else:
            row[key] = _text(children[0])
            row |= {f"{key}.{_local(k)}": v for k, v in children[0].attrib.items() if not _is_of_schema(k)}
    text = (element.text or "").strip() + "".join((c.tail or "").strip() for c in element)
    if text or not row:
        key = "text" if columns or element.attrib else tag
        row[f"{key}_element" if key in row else key] = text or None
    return row


def _nested(element: Any, path: Path, name: str) -> Any:
    if not isinstance(element.tag, str):
        raise SourceRefused(f"{name} refers to the entity {element.text}, which is not known", where=str(path))
    attributes = {_local(k): v for k, v in element.attrib.items() if not _is_of_schema(k)}
    if not len(element):
        return {**attributes, "text": _text(element)} if attributes else _text(element)
    found: dict[str, Any] = attributes
    groups: dict[str, list[Any]] = {}
    for child in element:
        groups.setdefault(_local(child.tag) if isinstance(child.tag, str) else "", []).append(_nested(child, path, name))
    found |= {k: v if len(v) > 1 else v[0] for k, v in groups.items()}
    text = (element.text or "").strip() + "".join((c.tail or "").strip() for c in element)
    return {**found, "text": text} if text else found


def _text(element: Any) -> str | None:
    if any(_is_of_schema(k) and k.endswith("}nil") and v in ("true", "1") for k, v in element.attrib.items()):
        return None
    return element.text or None


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _is_of_schema(name: str) -> bool:
    return name.startswith("{http://www.w3.org/2001/XMLSchema-instance}")


# ---- which element --------------------------------------------------------------------------------------------------


@dataclass
class _Kind:
    """All elements of one name at one place (path from the root)."""

    count: int = 0
    most_under_one_parent: int = 0
    structured: int = 0
    """Of them, with attributes or children."""
    size: int = 0
    """Elements and attributes in them."""


def _find(path: Path, name: str) -> tuple[str, str, list[Finding]]:
    """The element that is repeated nearest to the root, and holds most."""
    kinds = _kinds(path, name)
    repeated = {p: k for p, k in kinds.items() if len(p) > 1 and k.most_under_one_parent > 1}
    structured = {p: k for p, k in repeated.items() if k.structured} or repeated
    if not structured:
        best = max(kinds, key=lambda p: (kinds[p].structured > 0 and len(p) > 1, kinds[p].size, -len(p)))
        only = [p for p in kinds if p[:-1] == best[:-1]]
        best = best if len(only) == 1 or len(best) == 1 else best[:-1]
        return best[-1], "no element is repeated: this one holds the most", []
    outer = {p: k for p, k in structured.items() if not any(p[: len(o)] == o for o in structured if o != p)}
    best = max(outer, key=lambda p: (outer[p].size, -len(p)))
    why = f"it is repeated ({outer[best].count} times in what was looked at), at {'/'.join(best)}"
    rivals = [p for p in outer if p != best and outer[p].size >= 0.2 * outer[best].size]
    if not rivals:
        return best[-1], why, []
    others = ", ".join(f"{p[-1]} ({outer[p].count})" for p in rivals[:8])
    ambiguous = Finding(
        "ambiguous",
        f"the records are the elements {best[-1]!r} ({outer[best].count}), but others are repeated, too: {others}; declare format.record",
        f"Les enregistrements lus sont les éléments « {best[-1]} » ({outer[best].count}), mais d'autres sont répétés aussi : {others}",
    )
    return best[-1], why, [ambiguous]


def _kinds(path: Path, name: str) -> dict[tuple[str, ...], _Kind]:
    kinds: dict[tuple[str, ...], _Kind] = {}
    open_ones: list[tuple[tuple[str, ...], dict[str, int]]] = [((), {})]
    with path.open("rb") as file:
        for number, (tag, element) in enumerate(_elements(file, path, name)):
            if tag[0] != "+":
                open_ones.pop()
                done(element)
            else:
                place, siblings = (*open_ones[-1][0], tag[1:]), open_ones[-1][1]
                _count(kinds, place, siblings, len(element.attrib))
                open_ones.append((place, {}))
            if number > LOOKED_AT or len(kinds) > 20_000:
                break
    return kinds


def _count(kinds: dict[tuple[str, ...], _Kind], place: tuple[str, ...], siblings: dict[str, int], attributes: int) -> None:
    """An element begins. `siblings`: names of those before it under its parent, with how many there are of each."""
    first = not siblings
    siblings[place[-1]] = siblings.get(place[-1], 0) + 1
    found = kinds.setdefault(place, _Kind())
    found.count += 1
    found.most_under_one_parent = max(found.most_under_one_parent, siblings[place[-1]])
    found.structured += attributes > 0
    if len(place) > 1:
        kinds[place[:-1]].structured += first
    for depth in range(1, len(place) + 1):
        kinds[place[:depth]].size += 1 + attributes
