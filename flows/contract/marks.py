"""Which mark stands before the decimals, and which between thousands: `1 234,56`, `1.234,56`, `1,234.56`.

`1,234` and `1.234` can be read in two ways. What the other columns of the file show decides, else what is usual: a comma is a
decimal comma, as French files have it, and a point a decimal point, as programs write it.
"""

from __future__ import annotations

from dataclasses import replace

from flows.contract.evidence import Found, Shown, Texts
from flows.contract.reading import Reading
from flows.findings import Finding

OPTIONS = ((",", None), (",", "."), (".", None), (".", ","))
SURE_GROUPS = r"\d[.,]\d{3}[.,]\d"  # 1.234,5 and 1.234.567, but not 1.234
NAMES = {",": ("a decimal comma", "virgule décimale"), ".": ("a decimal point", "point décimal")}


def find_marks(name: str, texts: Texts, reading: Reading, shown: Shown, context: str = "") -> Found:
    """`context`: the decimal mark that other columns of the file have, if they agree."""
    marked = texts.only(texts.matching("[.,]"))
    if not len(marked.values):
        return Found()
    options = [o for o in OPTIONS if reading.decimal in (None, o[0]) and reading.thousands in (None, o[1])]
    fits = {o: marked.fitting(replace(reading, decimal=o[0], thousands=o[1])) for o in options}
    score = {o: marked.count(which) for o, which in fits.items()}
    best = {d: max((o for o in options if o[0] == d), key=lambda o: score[o], default=None) for d in (",", ".")}
    comma, point = (score[o] if (o := best[d]) else 0 for d in (",", "."))
    if not comma and not point:
        return Found()
    tie = comma == point
    usual = "," if texts.count(texts.matching(",")) else "."
    decimal = (context or usual) if tie else "," if comma > point else "."
    chosen = best[decimal]
    assert chosen is not None
    convention = {k: v for k, v in (("decimal", chosen[0]), ("thousands", chosen[1])) if v and getattr(reading, k) is None}
    example = marked.first(fits[chosen])
    grouped = chosen[1] is not None and not marked.only(fits[chosen]).matching(SURE_GROUPS).any()
    findings = []
    loser = best["." if decimal == "," else ","] if tie else None
    if tie and loser is not None and not (fits[chosen] & fits[loser]).any():
        findings = [_mixed(name, example, marked.first(fits[loser]), decimal, shown)]
    elif tie or grouped:
        other = loser or (chosen[1] or ".", None)
        ambiguous = marked.first(fits[chosen] & marked.matching(r"^\D*\d{1,3}[.,]\d{3}\D*$")) or example
        findings = [_ambiguous(name, ambiguous, reading, chosen, other, shown, bool(context) and tie)]
    reason = f"{NAMES[decimal][0]}" + (f", {chosen[1]!r} between thousands" if chosen[1] else "") + f": {shown(example)!r}"
    if not convention:
        return Found({}, "", findings, vote=decimal)
    return Found(convention, reason, findings, certain=not tie and not grouped, vote="" if tie or grouped else decimal)


def _mixed(name: str, own: str, other: str, decimal: str, shown: Shown) -> Finding:
    english, french = NAMES[decimal]
    return Finding(
        "ambiguous",
        f"{name}: {shown(own)!r} and {shown(other)!r} come as often; {english} is read, and the others do not fit",
        f"{name} : « {shown(own)} » et « {shown(other)} » sont aussi fréquents ; lu avec {french}, le reste ne convient pas",
    )


def _ambiguous(
    name: str,
    text: str,
    reading: Reading,
    chosen: tuple[str, str | None],
    other: tuple[str, str | None] | None,
    shown: Shown,
    of_file: bool,
) -> Finding:
    own, else_ = _value(text, chosen), _value(text, other) if other else ""
    if shown.masked:
        own, else_ = _kind(text, chosen), _kind(text, other) if other else ""
    english, french = NAMES[chosen[0]] if not _groups(text, chosen) else ("a mark between thousands", "séparateur de milliers")
    why, pourquoi = ("as in other columns of the file", "comme dans d'autres colonnes du fichier") if of_file else (english, french)
    declare = f"declare decimal (and thousands) of {name}"
    return Finding(
        "ambiguous",
        f"{name}: {shown(text)!r} can be {own} or {else_}; it is read as {own} ({why}). If that is wrong, {declare}",
        f"{name} : « {shown(text)} » peut valoir {_fr(own)} ou {_fr(else_)} ; lu comme {_fr(own)} ({pourquoi}). "
        f"Si c'est faux, déclarer decimal (et thousands) de {name}",
    )


def _groups(text: str, option: tuple[str, str | None]) -> bool:
    return option[1] is not None and option[1] in text and option[0] not in text


def _value(text: str, option: tuple[str, str | None]) -> str:
    plain = text.replace(option[1], "") if option[1] else text
    return plain.replace(",", ".") if option[0] in plain else plain


def _kind(text: str, option: tuple[str, str | None]) -> str:
    return "thousands" if _groups(text, option) else "decimals"


def _fr(value: str) -> str:
    return {"thousands": "des milliers", "decimals": "des décimales"}.get(value, value.replace(".", ","))
