"""The shape of codes, as a regular expression: which kinds of characters stand where. Never which digits: those are the sample's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SEEN = 5  # different values: the shape of one or two is a copy of them
LENGTHS = 3  # different lengths that a code may have
LONGEST = 40  # characters of a code
COVERED = 0.98  # share of the values that the lengths, and then the shape, cover
RARE = 0.005  # share of the values under which a length, or a kind of character at a place, is an exception
LITERAL, DIFFERENT = 1_000, 30  # values, and different ones, in which a letter stands at the same place, to be a part of the shape
CLASSES = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]", "9A": "[0-9A-Z]", "9a": "[0-9a-z]", "Aa": "[A-Za-z]", "9Aa": "[0-9A-Za-z]"}
NAMES = {"9": "chiffre", "A": "majuscule", "a": "minuscule"}


@dataclass(frozen=True)
class Shape:
    regex: str
    words: str
    """In French: « 2 chiffres, « - », 6 chiffres »."""


def shape_of(values: pl.Series) -> Shape | None:
    """The shape that nearly all of these texts (no nulls) have; None if they are no codes: words, sentences, numbers of any length."""
    import polars as pl

    if values.n_unique() < SEEN:
        return None
    if values.str.contains(r"^[0-9]+$").mean() >= COVERED and _are_numbers(values):  # type: ignore[operator]
        return Shape("^[0-9]+$", "seulement des chiffres")
    counted = values.str.len_chars().value_counts(sort=True)
    lengths = counted.filter(pl.col("count") >= RARE * len(values)).head(LENGTHS)
    if lengths["count"].sum() < COVERED * len(values) or lengths[lengths.columns[0]].max() > LONGEST:  # type: ignore[operator]
        return None
    forms = list[list[str]]()
    for length in sorted(lengths[lengths.columns[0]]):
        form = _form(values.filter(values.str.len_chars() == length), length)
        if form is None or not _is_code(form):
            return None
        forms.append(form)
    if not forms:
        return None
    parts = [_regex(form) for form in forms]
    regex = f"^{parts[0]}$" if len(parts) == 1 else f"^({'|'.join(parts)})$"
    if values.str.contains(regex).mean() < COVERED:  # type: ignore[operator]
        return None
    return Shape(regex, " ou ".join(_words(form) for form in forms))


def _are_numbers(digits: pl.Series) -> bool:
    """Of so many lengths, or of one after the other without a zero in front: the next ones may be longer."""
    lengths = sorted(digits.str.len_chars().unique())
    if len(lengths) > LENGTHS:
        return True
    return 1 < len(lengths) == lengths[-1] - lengths[0] + 1 and not digits.str.contains("^0.").any()


def _form(values: pl.Series, length: int) -> list[str] | None:
    """For each place the kinds of characters there (a key of CLASSES), or the one character that always stands there."""
    import polars as pl

    if length == 0:
        return None
    form, literal = [], len(values) >= LITERAL and values.n_unique() >= DIFFERENT
    for place in range(length):
        found = values.str.slice(place, 1).value_counts()
        characters = found.filter(pl.col("count") >= max(1.0, RARE * len(values)))[found.columns[0]].to_list()
        kinds = {"9" if "0" <= c <= "9" else "A" if "A" <= c <= "Z" else "a" if "a" <= c <= "z" else c for c in characters}
        mark = len(characters) == 1 and not characters[0].isalnum()
        if mark or (len(characters) == 1 and literal and not characters[0].isdigit()):
            form.append(f"={characters[0]}")
        elif kinds and kinds <= set(NAMES):
            form.append("".join(sorted(kinds)))
        else:
            return None
    return form


def _is_code(form: list[str]) -> bool:
    """Digits or capitals make a code; small letters and spaces alone are words, which may be longer tomorrow."""
    if any("9" in place and place[0] != "=" for place in form):
        return sum(place in ("a", "Aa", "= ") for place in form) * 2 < len(form)
    return all(place == "A" or place[0] == "=" for place in form) and "A" in form


def _runs(form: list[str]) -> list[tuple[str, int]]:
    runs = list[tuple[str, int]]()
    for place in form:
        if runs and runs[-1][0] == place and place[0] != "=":
            runs[-1] = (place, runs[-1][1] + 1)
        else:
            runs.append((place, 1))
    return runs


def _regex(form: list[str]) -> str:
    return "".join(_escaped(p[1:]) if p[0] == "=" else CLASSES[p] + (f"{{{n}}}" if n > 1 else "") for p, n in _runs(form))


def _escaped(character: str) -> str:
    return f"\\{character}" if character in r".^$*+?{}[]\|()" else character


def _words(form: list[str]) -> str:
    said, literal = list[str](), ""
    for place, times in [*_runs(form), ("", 0)]:
        if place.startswith("="):
            literal += place[1:]
            continue
        if literal:
            said.append(f"« {literal} »")
            literal = ""
        if place:
            kind = NAMES.get(place, "caractère")
            said.append(f"{times} {kind}{'s' if times > 1 else ''}")
    return ", ".join(said)
