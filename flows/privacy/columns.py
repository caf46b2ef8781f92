"""From the values of one column to what it holds: rules on values, the column's name, and both together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flows.privacy.entities import Model, costly, entities
from flows.privacy.headers import NOT_A_PERSON, hints, says_given, says_home, says_place, words
from flows.privacy.kinds import Certainty, Entity
from flows.privacy.lists import given_names, plain, surnames
from flows.privacy.masks import mask_value
from flows.privacy.names import is_full_name
from flows.privacy.numbers import DATE
from flows.privacy.report import ColumnFinding

EXAMPLES = 3
BARE = {"nir": (r"(?<!\w)\d{15}(?!\w)", 0.05), "card": (r"(?<!\w)\d{16}(?!\w)", 0.3), "phone": (r"(?<!\w)\d{10}(?!\w)", 0.15)}
"""Digits alone: how many of the column's numbers of that length have to be so. By chance it is 0.2 %, 3 % and 7 %."""
MOSTLY = 0.5  # of a column's values: then it is a column of these
HOMES = 0.25  # of a column's values that are seen to be addresses: about half of those that are
GIVEN_SHARE = 0.4  # of values that are known given names: lists never know them all
WHOLE_DATE = re.compile(DATE, re.IGNORECASE)
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Tally:
    """What a pass over the rows has kept of one column."""

    column: str
    filled: int
    rows: int
    suspects: Mapping[str, int]
    """Value -> times; a sample of `suspected` values."""
    suspected: int
    sample: Mapping[str, int]
    """Value -> times, in the sample of rows."""
    is_date: bool = False


@dataclass
class _Count:
    rows: int = 0
    certain: int = 0
    examples: list[str] = field(default_factory=list)
    why: Counter[str] = field(default_factory=Counter)

    def add(self, times: int, one: Entity, text: str) -> None:
        self.rows += times
        self.certain += times * (one.certainty == "certain")
        self.why[one.why] += times * (1000 if one.certainty == "certain" else 1)
        example = mask_value(text[one.start : one.end], [one.kind])
        if len(self.examples) < EXAMPLES and example not in self.examples:
            self.examples.append(example)


def findings_of(tally: Tally, *, model: Model | None = None, model_rows: int = 0) -> list[ColumnFinding]:
    if not tally.filled:
        return []
    announced = hints(tally.column)
    if tally.is_date:
        return [_dates(tally, "colonne de dates de naissance")] if "birth_date" in announced else []
    found = [*_cheap(tally, announced), *_costly(tally, model, model_rows)]
    if "birth_date" in announced and (dates := _by_name(tally)) is not None:
        found = [f for f in found if f.kind != "birth_date"] + [dates]
    return found


def _cheap(tally: Tally, announced: set[str]) -> list[ColumnFinding]:
    checked = sum(tally.suspects.values())
    if not checked:
        return []
    counts, bare, shapes = dict[str, _Count](), dict[str, list[tuple[int, Entity, str]]](), Counter[str]()
    for value, times in tally.suspects.items():
        value = _whole(value, tally.column, announced)
        for kind, (shape, _) in BARE.items():
            shapes[kind] += times * bool(re.search(shape, value))
        seen = set[str]()
        for one in sorted(entities(value, cheap=True), key=lambda e: e.certainty != "certain"):
            if one.kind in seen:
                continue
            seen.add(one.kind)
            if one.bare and one.kind not in announced:
                bare.setdefault(one.kind, []).append((times, one, value))
            else:
                counts.setdefault(one.kind, _Count()).add(times, one, value)
    for kind, all_of_kind in bare.items():
        if sum(times for times, _, _ in all_of_kind) >= BARE[kind][1] * max(1, shapes[kind]):
            for times, one, value in all_of_kind:
                counts.setdefault(kind, _Count()).add(times, one, value)
    scale = tally.suspected / checked
    return [_finding(tally, kind, count, scale) for kind, count in counts.items()]


def _whole(value: str, column: str, announced: set[str]) -> str:
    """A phone that a spreadsheet took for a number has lost its first 0."""
    return f"0{value}" if "phone" in announced and re.fullmatch(r"[1-9]\d{8}", value) else value


def _costly(tally: Tally, model: Model | None, model_rows: int) -> list[ColumnFinding]:
    looked = sum(tally.sample.values())
    if not looked or says_place(tally.column):
        return []
    counts, by_model = dict[str, _Count](), _model(tally, model, model_rows)
    of_others = NOT_A_PERSON.search(words(tally.column)) is not None or "address" in hints(tally.column)
    for value, times in tally.sample.items():
        seen = set[str]()
        for one in costly(value, by_model.get(value, ())) if LETTER.search(value) else ():
            if one.kind not in seen:
                seen.add(one.kind)
                if one.kind == "name" and of_others:  # a company may be called like who runs it
                    one = replace(one, certainty="possible")
                counts.setdefault(one.kind, _Count()).add(times, one, value)
    return [_finding(tally, kind, count, tally.filled / looked) for kind, count in counts.items()]


def _model(tally: Tally, model: Model | None, rows: int) -> dict[str, list[Entity]]:
    chosen = [v for v in list(tally.sample)[:rows] if any(c.isalpha() for c in v)]
    return dict(zip(chosen, model.entities(chosen), strict=True)) if model is not None and chosen else {}


def _finding(tally: Tally, kind: str, count: _Count, scale: float) -> ColumnFinding:
    rows = max(1, round(count.rows * scale))
    return ColumnFinding(
        column=tally.column,
        kind=kind,
        certainty="certain" if count.certain else "possible",
        rows=rows,
        certain_rows=round(count.certain * scale),
        share=min(1.0, rows / tally.filled),
        exact=scale == 1,
        why=count.why.most_common(1)[0][0],
        examples=tuple(count.examples),
    )


def _by_name(tally: Tally) -> ColumnFinding | None:
    """Dates as text, in a column that says that they are of births."""
    looked = sum(tally.sample.values())
    dates = sum(times for value, times in tally.sample.items() if WHOLE_DATE.fullmatch(value.strip().partition("T")[0]))
    return _dates(tally, "colonne de dates de naissance") if looked and dates >= MOSTLY * looked else None


def _dates(tally: Tally, why: str) -> ColumnFinding:
    return ColumnFinding(tally.column, "birth_date", "certain", tally.filled, tally.filled, 1.0, True, why, ("**/**/****",))


# ---- columns together ----------------------------------------------------------------------------------------------


def people(found: list[ColumnFinding], tallies: list[Tally]) -> list[ColumnFinding]:
    """Given names beside surnames, or whole names in a column that announces them: this is a table of persons.

    Given names alone are not (they may be counted, as Insee does), nor are surnames.
    """
    by_column = {t.column: t for t in tallies if not t.is_date}
    given = [c for c, t in by_column.items() if says_given(c) and _share(t, _is_given) >= GIVEN_SHARE]
    last = [c for c, t in by_column.items() if "name" in hints(c) and not says_given(c) and _share(t, _is_surname) >= MOSTLY / 2]
    whole = [c for c, t in by_column.items() if "name" in hints(c) and _share(t, _is_announced) >= MOSTLY]
    unsaid = [c for c, t in by_column.items() if c not in whole and not NOT_A_PERSON.search(words(c)) and _share(t, is_full_name) >= MOSTLY]
    together = bool(given and last)
    out = [_of_a_home(f) for f in found]
    for columns, sure, why in (
        (given, together, "colonne de prénoms" + (", à côté des noms" if together else "")),
        (last if together else [], True, "colonne de noms, à côté des prénoms"),
        ([] if together else last, False, "colonne de noms"),
        (whole, True, "colonne de noms de personnes"),
        (unsaid, False, "la plupart des valeurs sont des noms de personnes"),
    ):
        for column in columns:
            out = _with(out, by_column[column], "certain" if sure else "possible", why)
    return out


def _of_a_home(found: ColumnFinding) -> ColumnFinding:
    """`adresse_demandeur`, which holds addresses: of offices and shops they are published, of people they are not."""
    if found.kind != "address" or found.share < HOMES or not says_home(found.column):
        return found
    return replace(found, certainty="certain", certain_rows=found.rows, why="colonne d'adresses de personnes")


def _with(found: list[ColumnFinding], tally: Tally, certainty: Certainty, why: str) -> list[ColumnFinding]:
    same = [f for f in found if f.column == tally.column and f.kind == "name"]
    if same and same[0].certainty == "certain":
        return found
    examples = tuple(mask_value(v, ["name"]) for v in list(tally.sample)[:EXAMPLES])
    certain = tally.filled if certainty == "certain" else 0
    made = ColumnFinding(tally.column, "name", certainty, tally.filled, certain, 1.0, True, why, examples)
    return [replace(made, examples=f.examples or examples) if f in same else f for f in found] + ([] if same else [made])


def _share(tally: Tally, test: Callable[[str], bool]) -> float:
    looked = sum(tally.sample.values())
    return sum(times for value, times in tally.sample.items() if test(value)) / looked if looked else 0.0


def _is_announced(value: str) -> bool:
    return is_full_name(value, announced=True)


def _is_given(value: str) -> bool:
    parts = re.split(r"[\s,-]+", plain(value.strip()))
    return 0 < len(parts) <= 5 and parts[0] in given_names()


def _is_surname(value: str) -> bool:
    return plain(value.strip()) in surnames() or any(p in surnames() for p in plain(value.strip()).split("-")[:2])
