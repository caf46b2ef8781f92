"""How the values of a dataset's columns are written: what is not declared is found in a sample, and reported.

What was found is kept in the commit; a later file that can only be read in another way is refused (`conflicts`), never misread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flows.contract.conform import origins
from flows.contract.evidence import Found, Shown, Texts, texts_of
from flows.contract.marks import find_marks
from flows.contract.orders import ORDERS, find_order, order_of
from flows.contract.reading import Convention, Reading, settled
from flows.findings import Finding
from flows.project import Column, Dataset

if TYPE_CHECKING:
    import polars as pl

TICKS = ("x", "✓", "✔", "☑", "☒")
MOSTLY = 0.98  # share of values that a reading has to fit to be taken for the file's own
ISO = "iso"
"""Of dates: ISO 8601 was found, which needs no declaration. It is kept so that a later file is not taken for the first."""
UNITS = r"\d\s*(€|k€|M€|%|‰|EUR|euros?|\$|£)$"


def find_conventions(dataset: Dataset, sample: pl.DataFrame) -> tuple[dict[str, dict[str, Any]], dict[str, str], list[Finding]]:
    """Of the declared columns, in a sample of a file's rows.

    Returns: (column -> what is not declared and was found, column -> why, what a person should know). Values of datasets about
    persons are named by their shape only.
    """
    shown = Shown(masked=dataset.personal_data != "none")
    found = find_all(_declared_texts(dataset, sample), dataset.columns, shown)
    return (
        {name: each.convention for name, each in found.items() if each.convention},
        {name: each.reason for name, each in found.items() if each.reason},
        [finding for each in found.values() for finding in each.findings],
    )


def find_all(texts: Mapping[str, Texts], columns: Mapping[str, Column], shown: Shown) -> dict[str, Found]:
    """Twice: columns that can be read in two ways follow those that cannot."""
    first = {name: find(name, each, columns[name], shown) for name, each in texts.items()}
    contexts = {kinds: _vote(first, columns, kinds) for kinds in (("integer", "number"), ("date", "datetime"))}
    unsure = {name: next((c for k, c in contexts.items() if columns[name].type in k), "") for name, f in first.items() if not f.certain}
    return first | {name: find(name, texts[name], columns[name], shown, context) for name, context in unsure.items() if context}


def _vote(found: Mapping[str, Found], columns: Mapping[str, Column], kinds: tuple[str, ...]) -> str:
    votes = {f.vote for name, f in found.items() if f.vote and columns[name].type in kinds}
    return votes.pop() if len(votes) == 1 else ""


def find(name: str, texts: Texts, column: Column, shown: Shown, context: str = "") -> Found:
    """What one column's texts show."""
    reading = settled(column)
    if column.type == "string":
        return Found()
    rest, missing, notes = texts, list[str](), list[Finding]()
    if column.missing is None:
        rest, missing = _markers(texts, reading)
    if column.type in ("integer", "number"):
        made = find_marks(name, rest, reading, shown, context)
    elif column.type == "boolean":
        made = _ticks(name, rest, column)
    else:
        made = find_order(name, rest, reading, shown, context)
        if not reading.formats and not made.convention and (iso := rest.fitting(reading)).any():
            made = Found({ISO: True}, f"ISO 8601: {shown(rest.first(iso))!r}")
    convention = made.convention | ({"missing": missing} if missing else {})
    if missing:
        notes.append(_missing(name, texts, missing))
    notes += _unread(name, rest, column, convention, shown)
    return replace(made, convention=convention, findings=made.findings + notes)


def _markers(texts: Texts, reading: Reading) -> tuple[Texts, list[str]]:
    """A marker that is a word of the column itself (`n` for no) is a value."""
    own = set(reading.true) | set(reading.false) if reading.kind == "boolean" else set()
    missing = texts.without_markers()[1]
    missing = [m for m in missing if m.lower() not in own and m not in reading.missing]
    return texts.only(~texts.values.is_in(missing)) if missing else texts, missing


def _ticks(name: str, texts: Texts, column: Column) -> Found:
    """A column of crosses: `x` is yes. Whether an empty cell is no, nobody can tell."""
    words = set(texts.values.str.to_lowercase())
    if column.true is not None or not words or not words <= set(TICKS):
        return Found()
    true = [t for t in TICKS if t in words]
    if texts.total == texts.rows or column.false is not None:
        return Found({"true": true}, f"{true[0]!r} is a yes")
    finding = Finding(
        "ambiguous",
        f'{name}: only {true[0]!r} or nothing is there; an empty cell is read as no value. If it means no, declare "false": [""] of {name}',
        f"{name} : seulement « {true[0]} » ou rien ; une case vide est lue comme « pas de valeur ». "
        f'Si elle veut dire non, déclarer "false": [""] de {name}',
    )
    return Found({"true": true}, f"{true[0]!r} is a yes", [finding])


def _missing(name: str, texts: Texts, missing: list[str]) -> Finding:
    count, listed = texts.count(texts.values.is_in(missing)), ", ".join(repr(m) for m in missing[:5])
    return Finding(
        "note",
        f"{name}: {count} of {texts.total} values are {listed}: read as no value",
        f"{name} : {count} valeur(s) sur {texts.total} valent {listed} : lues comme une absence de valeur",
    )


def _unread(name: str, texts: Texts, column: Column, convention: Convention, shown: Shown) -> list[Finding]:
    """Values that do not fit: their rows will be refused, unless something is declared."""
    wrong = ~texts.fitting(settled(column, convention))
    if not wrong.any():
        return []
    count, example = texts.count(wrong), shown(texts.first(wrong))
    hint, conseil = "", ""
    if (
        column.type in ("integer", "number")
        and column.unit is None
        and (unit := texts.only(wrong).values.str.extract(UNITS).drop_nulls()).len()
    ):
        hint = f'; to read them without it, declare unit: "{unit[0]}"'
        conseil = f' ; pour les lire sans elle, déclarer unit: "{unit[0]}"'
    return [
        Finding(
            "note",
            f"{name}: {count} of {texts.total} values do not fit the type {column.type}, for instance {example!r}{hint}",
            f"{name} : {count} valeur(s) sur {texts.total} ne sont pas du type {column.type}, par exemple « {example} »{conseil}",
        )
    ]


# ---- later files ----------------------------------------------------------------------------------------------------


def conflicts(dataset: Dataset, kept: Mapping[str, Convention], sample: pl.DataFrame) -> Finding | None:
    """Why a file cannot be read as earlier ones were (`kept`): its numbers or dates are written in another way. None if it can."""
    shown = Shown(masked=dataset.personal_data != "none")
    for name, texts in _declared_texts(dataset, sample).items():
        if name in kept and (why := _conflict(name, texts, dataset.columns[name], kept[name], shown)):
            return why
    return None


def merged(kept: Mapping[str, Convention], found: Mapping[str, Convention]) -> dict[str, dict[str, Any]]:
    """What is kept stands; what earlier files did not show comes beside it."""
    both = {name: {**found.get(name, {}), **kept.get(name, {})} for name in [*kept, *(n for n in found if n not in kept)]}
    for name, each in both.items():
        if markers := list(dict.fromkeys([*kept.get(name, {}).get("missing", []), *found.get(name, {}).get("missing", [])])):
            each["missing"] = markers
    return both


def _conflict(name: str, texts: Texts, column: Column, kept: Convention, shown: Shown) -> Finding | None:
    if not {"decimal", "format", ISO, "true", "false"} & set(kept):
        return None  # nothing was decided yet
    reading = settled(column, kept)
    rest = texts.only(~texts.values.is_in(list(reading.missing)))
    fitting = rest.fitting(reading)
    if fitting.all():
        return None
    now = find(name, rest, column, shown)
    other = settled(column, now.convention)
    better = rest.fitting(other)
    as_kept, as_now = rest.count(fitting), rest.count(better)
    if not now.convention or as_now <= as_kept or as_now < MOSTLY * rest.count(better | fitting) or not now.certain:
        return None
    (was, avant), (is_, maintenant) = _named(reading), _named(other)
    if was == is_:
        return None
    example = shown(rest.first(better & ~fitting))
    return Finding(
        "ambiguous",
        f"{name} has {is_} here ({example!r}), {was} in earlier files",
        f"{name} : ici {maintenant} (« {example} »), {avant} dans les fichiers précédents",
    )


def _named(reading: Reading) -> tuple[str, str]:
    if reading.kind in ("integer", "number"):
        mark, between = reading.decimal or ".", reading.thousands
        english = f"{'decimal commas' if mark == ',' else 'decimal points'}" + (f" and {between!r} between thousands" if between else "")
        french = f"{'virgules' if mark == ',' else 'points'} avant les décimales" + (
            f" et « {between} » entre les milliers" if between else ""
        )
        return english, french
    if reading.kind in ("date", "datetime"):
        formats = ", ".join(reading.formats) or "ISO 8601"
        orders = [ORDERS[o] for o in dict.fromkeys(order_of(f) for f in reading.formats) if o in ORDERS] or [ORDERS["ymd"]]
        return f"dates as {orders[0][0]} ({formats})", f"des dates {orders[0][1]} ({formats})"
    words = ", ".join([*reading.true, *reading.false])
    return f"the words {words}", f"les mots {words}"


def _declared_texts(dataset: Dataset, sample: pl.DataFrame) -> dict[str, Texts]:
    import polars as pl

    there = origins(dataset, sample.columns)
    return {
        name: texts_of(sample[own])
        for name, own in there.items()
        if sample.schema[own] == pl.String and dataset.columns[name].type != "string"
    }
