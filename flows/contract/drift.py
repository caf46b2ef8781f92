"""How a file differs from what is declared: columns that are new, missing, renamed, or of another type; and what follows of it.

A renamed column is only suggested: it is for a person to say that two names mean the same. A column is retyped when a declared type
does not fit most of a file's values any more: that is one fact about the file, not thousands of refused rows.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.contract.conform import origins, own_name, required_columns
from flows.contract.evidence import Shown, texts_of
from flows.contract.propose import kind_of
from flows.contract.reading import Convention, settled
from flows.errors import Refused
from flows.project import Column, Dataset

if TYPE_CHECKING:
    import polars as pl

SIMILAR = 0.6  # ratio of difflib from which a name looks like another
COMPARED = 100  # names that are gone, each with as many that are new
SHOWN = 20  # names in a sentence: a file may have thousands of columns
ENOUGH = 5  # values: fewer do not say of which type a column is
RETYPED_PERCENT = 50.0
TYPES = {
    "string": "du texte",
    "integer": "des nombres entiers",
    "number": "des nombres",
    "boolean": "des oui/non",
    "date": "des dates",
    "datetime": "des dates avec heure",
}


@dataclass(frozen=True)
class Renamed:
    old: str
    new: str
    english: str
    """Why it may be so."""
    french: str


@dataclass(frozen=True)
class Retyped:
    name: str
    declared: str
    seems: str
    percent: int
    """Of the values that do not fit."""
    examples: tuple[str, ...]
    """None where the rows are about persons."""

    @property
    def english(self) -> str:
        shown = f" ({', '.join(map(repr, self.examples))})" if self.examples else ""
        seems = f", it seems to be {self.seems} now" if self.seems != self.declared else ", it is written in another way"
        return f"{self.percent} % of the values of {self.name!r} are not {self.declared}{seems}{shown}"

    @property
    def french(self) -> str:
        shown = f" ({', '.join(f'« {e} »' for e in self.examples)})" if self.examples else ""
        seems = f", on dirait {TYPES[self.seems]}" if self.seems != self.declared else ", l'écriture a changé"
        return f"{self.percent} % des valeurs de {self.name} ne sont pas {TYPES[self.declared]}{seems}{shown}"


@dataclass(frozen=True)
class Drift:
    """Of one file, under the names that it has."""

    missing: list[str]
    new: list[str]
    renamed: list[Renamed] = field(default_factory=list)
    """Of those that are missing, and of those that are new."""
    retyped: list[Retyped] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.new or self.retyped)

    def __str__(self) -> str:
        became = {r.old: r for r in self.renamed}
        parts = [
            f"the column {name!r} is missing" + (f" (renamed to {became[name].new!r}? {became[name].english})" if name in became else "")
            for name in self.missing[:SHOWN]
        ]
        parts += [f"{len(self.missing) - SHOWN} more columns are missing"] if len(self.missing) > SHOWN else []
        parts += [f"the column {name!r} is not declared" for name in self.new[:SHOWN]]
        parts += [f"{len(self.new) - SHOWN} more columns are not declared"] if len(self.new) > SHOWN else []
        return ", ".join(parts + [r.english for r in self.retyped])

    @property
    def french(self) -> str:
        became = {r.old: r for r in self.renamed}
        parts = [f"il manque {_some(self.missing)}"] if self.missing else []
        parts += [f"{r.old} s'appelle peut-être {r.new} ({r.french})" for r in became.values()]
        others = [n for n in self.new if n not in {r.new for r in self.renamed}]
        parts += [f"{_some(others)} en plus"] if others else []
        return " ; ".join(parts + [r.french for r in self.retyped])


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" et {len(names) - SHOWN} autres" if len(names) > SHOWN else "")


def drift(
    dataset: Dataset,
    found: set[str],
    sample: pl.DataFrame | None = None,
    conventions: Mapping[str, Convention] | None = None,
    percent: float = RETYPED_PERCENT,
) -> Drift:
    """`sample`: some rows of the file, from which is seen what may have been renamed and what is of another type. `percent`: of
    values that do not fit, from which a column is retyped."""
    data = {c for c in found if not c.startswith("__")}
    there = origins(dataset, data)
    missing = [own_name(n, c) for n, c in dataset.columns.items() if n not in there]
    new = sorted(data - set(there.values()))
    renamed = _renamed(dataset, missing[:COMPARED], new[:COMPARED], sample) if missing and new else []
    retyped = [] if sample is None else _retyped(dataset, there, sample, conventions or {}, percent)
    return Drift(missing, new, renamed, retyped)


def settle(dataset: Dataset, name: str, file: str, drifted: Drift) -> tuple[str, list[str]]:
    """What `on_drift` makes of a file. `name`: the dataset's.

    Returns: (rule that refuses every row of the file, or ""; new columns to let in as text).
    Raises: Refused. `evolve` refuses as well what it cannot let in without taking something from whoever reads the table: a
    required column that is missing, and a column that is of another type.
    """
    if not drifted:
        return "", []
    where = f"datasets.{name}.columns"
    if dataset.on_drift == "quarantine":
        return f"drift: {drifted}", []
    if dataset.on_drift == "refuse":
        hint = "declare them as they are now, or set on_drift: evolve or quarantine"
        if drifted.renamed:
            first = drifted.renamed[0]
            hint = f"if {first.old!r} is now {first.new!r}, declare source: {first.new!r} of it; otherwise {hint}"
        raise Refused(f"the columns of {file} are not those declared: {drifted}", where=where, hint=hint, french=_sentence(file, drifted))
    if lost := [c for c in required_columns(dataset) if own_name(c, dataset.columns[c]) in drifted.missing]:
        raise Refused(f"{file} lacks required columns: {', '.join(lost)} ({drifted})", where=where, french=_sentence(file, drifted))
    if drifted.retyped:
        hint = "declare the type that it has now (the table is then made again), or ask for the file as it was"
        raise Refused(f"the columns of {file} are of other types: {drifted}", where=where, hint=hint, french=_sentence(file, drifted))
    names = {c.lower(): c for c in [*drifted.new, *dataset.columns]}
    if alike := [c for c in drifted.new if names[c.lower()] != c]:
        hint = f"if it is the same, declare source: {alike[0]!r} of {names[alike[0].lower()]!r}; otherwise another name for one of them"
        why = f"{file} has a column {alike[0]!r}, which differs from {names[alike[0].lower()]!r} in capitals alone"
        raise Refused(why, where=where, hint=hint, french=_sentence(file, drifted))
    if taken := [c for c in drifted.new if c in dataset.columns]:
        hint = f"declare another name for what is read from {dataset.columns[taken[0]].source!r}"
        raise Refused(f"{file} has a column {taken[0]!r} beside the one declared under that name", where=where, hint=hint)
    return "", drifted.new


def _sentence(file: str, drifted: Drift) -> str:
    return f"Les colonnes de {file} ne sont pas celles prévues : {drifted.french}."


def _renamed(dataset: Dataset, missing: list[str], new: list[str], sample: pl.DataFrame | None) -> list[Renamed]:
    """Each new column for one missing column at most, the surest first."""
    declared = {own_name(n, c): c for n, c in dataset.columns.items()}
    order = list(declared)
    scored = sorted(
        (
            (score, old, name, why)
            for old in missing
            for name in new
            for score, why in [_likeness(old, name, declared[old], order, sample)]
            if why
        ),
        key=lambda each: (-each[0], each[1], each[2]),
    )
    made: list[Renamed] = []
    for _, old, name, why in scored:
        if old not in {r.old for r in made} and name not in {r.new for r in made}:
            made.append(Renamed(old, name, *why))
    return sorted(made, key=lambda r: missing.index(r.old))


def _likeness(old: str, new: str, column: Column, order: list[str], sample: pl.DataFrame | None) -> tuple[float, tuple[str, str] | None]:
    """How sure it is that a column was renamed, and why; no reason: it is not likely."""
    if _bare(old) == _bare(new):
        return 2.0, (
            "only case, accents, spaces or punctuation differ",
            "seuls la casse, les accents, les espaces ou la ponctuation changent",
        )
    fits = _fits(new, column, sample)
    if fits is False:
        return 0.0, None
    ratio = difflib.SequenceMatcher(None, _bare(old), _bare(new)).ratio()
    if ratio >= SIMILAR:
        return 1.0 + ratio / 2, ("the names are alike", "les noms se ressemblent")
    columns = [c for c in sample.columns if not c.startswith("__")] if sample is not None else []
    same_place = new in columns and len(columns) == len(order) and columns.index(new) == order.index(old)
    if same_place and fits:
        return 0.8 + ratio / 2, ("it stands in its place, and its values fit", "même place, et les valeurs conviennent")
    if fits and column.type != "string":
        return 0.5 + ratio / 2, (f"its values are {column.type}, too", f"ce sont aussi {TYPES[column.type]}")
    return 0.0, None


def _fits(new: str, column: Column, sample: pl.DataFrame | None) -> bool | None:
    """Whether the values of a new column are of the type of the one that is missing; None: not known."""
    import polars as pl

    if sample is None or new not in sample.columns or sample.schema[new] != pl.String:
        return None
    texts = texts_of(sample[new])
    if not texts.total:
        return None
    seems = kind_of(new, texts)[0]
    if column.type == "string":
        return True if seems == "string" else None  # any value may be a text
    return column.type == seems or (column.type, seems) in (("number", "integer"), ("datetime", "date"))


def _bare(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return "".join(c for c in plain if c.isalnum()).casefold()


def _retyped(
    dataset: Dataset, there: Mapping[str, str], sample: pl.DataFrame, conventions: Mapping[str, Convention], percent: float
) -> list[Retyped]:
    import polars as pl

    found = []
    for name, own in there.items():
        column = dataset.columns[name]
        if column.type == "string" or own not in sample.columns or sample.schema[own] != pl.String:
            continue
        reading = settled(column, conventions.get(name))
        texts = texts_of(sample[own])
        texts = texts.only(~texts.values.is_in(list(reading.missing)))
        wrong = ~texts.fitting(reading)
        refused = texts.count(wrong)
        if texts.total >= ENOUGH and refused * 100 >= percent * texts.total:
            examples = tuple(texts.values.filter(wrong).head(3)) if dataset.personal_data == "none" else ()
            seems = kind_of(name, texts, Shown(masked=True))[0]
            found.append(Retyped(own, column.type, seems, round(100 * refused / texts.total), examples))
    return found
