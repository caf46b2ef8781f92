"""Nested sections of the labour code -> one row an article."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

PARTS = ("Première", "Deuxième", "Troisième", "Quatrième", "Cinquième", "Sixième", "Septième", "Huitième")


def articles(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each record is one section of the second level: a part of the code in force, or a book of the former code.

    Only the eight parts of the code in force are kept: the former code has no parts, and the preliminary chapter is in none.
    Repealed articles that the source still lists are left out as well.
    """
    for section in records:
        title = " ".join(section["data"]["title"].split())
        part = next((p for p in PARTS if title.startswith(f"{p} partie")), None)
        if part:
            yield from _in_section(section, f"{part} partie")


def _in_section(node: dict[str, Any], part: str) -> Iterator[dict[str, Any]]:
    for child in node.get("children", []):
        if child["type"] != "article":
            yield from _in_section(child, part)
        elif child["data"]["etat"].startswith("VIGUEUR"):
            yield _row(child["data"], part)


def _row(article: dict[str, Any], part: str) -> dict[str, Any]:
    return {
        "cid": article["cid"],
        "num": article["num"],
        "date_debut": datetime.fromtimestamp(article["dateDebut"] / 1000, UTC).date().isoformat(),  # milliseconds
        "texte": " ".join((article["texte"] or "").split()),
        "partie": part,
    }
