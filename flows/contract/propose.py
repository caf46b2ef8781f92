"""Columns for a file that nobody has declared: what their types seem to be, and why. A person reads it and decides."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flows.contract.conventions import ISO, MOSTLY, TICKS, UNITS, find, find_all
from flows.contract.evidence import Shown, Texts, texts_of
from flows.contract.identifiers import identifier, words_of
from flows.contract.reading import FALSE, TRUE, settled
from flows.findings import Finding
from flows.project import Column
from flows.project.base import ColumnType

if TYPE_CHECKING:
    import polars as pl

DATE_WORDS = {"date", "dt", "jour", "le", "debut", "fin"}


@dataclass(frozen=True)
class Proposal:
    name: str
    """As it could be declared."""
    origin: str
    """In the file."""
    column: Column
    reason: str
    findings: list[Finding] = field(default_factory=list)
    empty: int = 0
    """Of the rows of the sample."""
    rows: int = 0

    def as_declared(self) -> str | dict[str, Any]:
        """What stands in project.yaml."""
        written = self.column.model_dump(exclude_defaults=True, exclude_none=True)
        return (
            {k: v[0] if k == "format" and isinstance(v, list) and len(v) == 1 else v for k, v in written.items()}
            if len(written) > 1
            else self.column.type
        )


def propose(sample: pl.DataFrame, *, masked: bool = False) -> list[Proposal]:
    """`masked`: findings name no value, only its shape."""
    import polars as pl

    shown, taken = Shown(masked), set[str]()
    made: list[Proposal] = []
    for origin in [c for c in sample.columns if not c.startswith("__")]:
        name = declared_name(origin, taken)
        taken.add(name)
        kind, reason, texts = _typed(sample.schema[origin]), "as it is in the file", None
        if sample.schema[origin] == pl.String:
            texts = texts_of(sample[origin])
            kind, reason = kind_of(origin, texts, shown)
        empty = texts.rows - texts.total if texts else sample[origin].null_count()
        column = Column.model_validate({"type": kind, **({"source": origin} if origin != name else {})})
        made.append(Proposal(name, origin, column, reason, _units(name, kind, texts), empty, sample.height))
    return _with_conventions(made, sample, shown)


def _with_conventions(made: list[Proposal], sample: pl.DataFrame, shown: Shown) -> list[Proposal]:
    import polars as pl

    columns = {p.name: p.column for p in made}
    texts = {p.name: texts_of(sample[p.origin]) for p in made if p.column.type != "string" and sample.schema[p.origin] == pl.String}
    found = find_all(texts, columns, shown)
    out = []
    for p in made:
        if p.name in found:
            f = found[p.name]
            convention = {k: v for k, v in f.convention.items() if k != ISO}
            column = Column.model_validate({**p.column.model_dump(exclude_defaults=True), **convention})
            p = Proposal(
                p.name, p.origin, column, "; ".join(r for r in (p.reason, f.reason) if r), p.findings + f.findings, p.empty, p.rows
            )
        out.append(p)
    return out


def kind_of(name: str, texts: Texts, shown: Shown | None = None) -> tuple[ColumnType, str]:
    """The type that the texts seem to have, and why."""
    shown = shown or Shown()
    rest, markers = texts.without_markers()
    if not rest.total:
        return "string", "there is no value in the sample" if not markers else f"there is nothing but {', '.join(markers[:3])}"
    words = set(rest.values.str.to_lowercase())
    if _is_yes_or_no(words):
        return "boolean", "yes and no: " + ", ".join(sorted(words))
    if words <= set(TICKS) and rest.total < rest.rows:
        return "boolean", "ticks"
    if fits := _mostly(name, rest, "date", shown, compact=bool(DATE_WORDS & set(words_of(name)))):
        return "date", fits
    if fits := _mostly(name, rest, "datetime", shown, compact=False):
        return "datetime", fits
    if (
        rest.matching(r"\d").any()
        and (why := identifier(name, rest))
        and rest.count(rest.matching(r"^[\d\s.,+-]+$")) >= MOSTLY * rest.total
    ):
        return "string", f"an identifier: {why}"
    integer, number = (_mostly(name, rest, kind, shown) for kind in ("integer", "number"))
    decimals = rest.matching(r"[.,]0{1,2}$").any()  # `12,00` is whole, and an amount
    if (
        integer
        and not (number and decimals)
        and not (number and _share(name, rest, "number", shown) > _share(name, rest, "integer", shown))
    ):
        return "integer", integer
    return ("number", number) if number else ("string", "text")


def _is_yes_or_no(words: set[str]) -> bool:
    """One letter alone, such as `n`, may mean anything; so may 0 and 1, which are numbers as well."""
    if not words <= {*TRUE, *FALSE} - {"0", "1"}:
        return False
    return any(len(w) > 1 for w in words) or (bool(words & set(TRUE)) and bool(words & set(FALSE)))


def _share(name: str, texts: Texts, kind: ColumnType, shown: Shown) -> float:
    column = Column.model_validate({"type": kind, "missing": []})
    found = find(name, texts, column, shown)
    return texts.count(texts.fitting(settled(column, found.convention))) / texts.total


def _mostly(name: str, texts: Texts, kind: ColumnType, shown: Shown, *, compact: bool = True) -> str:
    """Why the texts are of this type; empty if they are not. `compact`: eight digits may be a date."""
    if kind in ("date", "datetime") and not compact and texts.matching(r"^\d{8}$").any():
        return ""
    share = _share(name, texts, kind, shown)
    if share < MOSTLY:
        return ""
    return {"date": "dates", "datetime": "dates with times", "integer": "whole numbers", "number": "numbers"}[kind]


def _units(name: str, kind: str, texts: Texts | None) -> list[Finding]:
    """Amounts with a unit are text unless somebody says that the unit may go."""
    if kind != "string" or texts is None:
        return []
    with_unit = texts.matching(r"^[+-]?[\d\s.,]*" + UNITS)
    if not texts.total or texts.count(with_unit) < texts.total / 2:
        return []
    unit = texts.only(with_unit).values.str.extract(UNITS)[0]
    return [
        Finding(
            "note",
            f'{name}: numbers followed by {unit!r} are kept as text; to read them as numbers, declare {{type: number, unit: "{unit}"}}',
            f"{name} : des nombres suivis de « {unit} » sont gardés comme du texte ; pour en faire des nombres, déclarer "
            f'{{type: number, unit: "{unit}"}}',
        )
    ]


def _typed(kind: pl.DataType) -> ColumnType:
    import polars as pl

    if kind.is_integer():
        return "integer"
    if kind.is_numeric():
        return "number"
    if kind == pl.Boolean:
        return "boolean"
    if kind == pl.Date:
        return "date"
    return "datetime" if isinstance(kind, pl.Datetime) else "string"


def declared_name(origin: str, taken: Iterable[str] = ()) -> str:
    """A name without spaces and accents; what is one already stays."""
    name = origin
    if not re.fullmatch(r"[A-Za-z]\w*", origin, re.ASCII):
        plain = "".join(c for c in unicodedata.normalize("NFKD", origin) if not unicodedata.combining(c))
        plain = plain.replace("œ", "oe").replace("æ", "ae").replace("€", " euros ").replace("%", " pct ").replace("°", " ")
        name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:60].strip("_") or "colonne"
        name = f"c_{name}" if name[0].isdigit() else name
    used, number, first = set(taken), 2, name
    while name in used:
        name, number = f"{first}_{number}", number + 1
    return name
