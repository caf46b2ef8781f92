"""In which order the parts of a date come: `13/04/2024` says it, `03/04/2024` does not.

Where nothing says it, the other dates of the file do, else the French order: day, month, year.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.contract.dates import NAMED_MONTH
from flows.contract.evidence import Found, Shown, Texts
from flows.contract.reading import Reading
from flows.findings import Finding

if TYPE_CHECKING:
    import polars as pl

ORDERS = {
    "dmy": ("day/month/year", "jour/mois/année"),
    "mdy": ("month/day/year", "mois/jour/année"),
    "ymd": ("year/month/day", "année/mois/jour"),
}
TIME = re.compile(
    r"^(?P<day>.*?)(?P<gap>T| à | )(?P<hour>[0-9]{1,2})(?P<mark>[:h])[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>\.[0-9]+)?)?"
    r"(?P<zone> ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?$"
)
YEAR_LAST = re.compile(r"^[0-9]{1,2}([/.\- ])[0-9]{1,2}\1[0-9]{4}$")
SHORT_YEAR = re.compile(r"^[0-9]{1,2}([/.\- ])[0-9]{1,2}\1[0-9]{2}$")
YEAR_FIRST = re.compile(r"^[0-9]{4}([/. \-])[0-9]{1,2}\1[0-9]{1,2}$")
NAMED = re.compile(rf"^(?:1er|[0-9]{{1,2}})([ \-/.])(?:{NAMED_MONTH})([ \-/.])([0-9]{{2}}|[0-9]{{4}})$", re.IGNORECASE)
COMPACT = re.compile(r"^[0-9]{8}$")


def find_order(name: str, texts: Texts, reading: Reading, shown: Shown, context: str = "") -> Found:
    """`context`: the order that other columns of the file have, if they agree."""
    if reading.formats:
        return Found()
    families = _families(texts, reading)
    if not families:
        return Found()
    formats, votes, findings, reasons = list[str](), set[str](), list[Finding](), list[str]()
    unsure = list[tuple[str, str]]()
    for candidates, members in sorted(families.items(), key=lambda item: (-item[1].total, item[0])):
        fits = {c: members.fitting(replace(reading, formats=(c,), iso=False)) for c in candidates}
        score = {c: members.count(which) for c, which in fits.items()}
        best = max(score.values())
        if not best:
            continue
        tied = [c for c in candidates if score[c] == best]
        wanted = context or (next(iter(votes)) if len(votes) == 1 else "")
        chosen = next((c for c in tied if order_of(c) == wanted), tied[0])
        formats.append(chosen)
        example = members.first(fits[chosen])
        if len(tied) == 1:
            telling = members.first(_telling(fits, chosen)) or example
            votes |= {order_of(chosen)} if len(candidates) > 1 else set()
            reasons.append(f"{chosen}: {shown(telling)!r}")
        else:
            other = next(c for c in tied if c != chosen)
            unsure.append((chosen, example))
            for_it, against = (members.first(_telling(fits, c)) for c in (chosen, other))
            if for_it and against:
                findings.append(_both(name, (for_it, against), chosen, other, shown))
                reasons.append(f"{chosen}: {shown(for_it)!r}, but also {shown(against)!r}")
                continue
            findings.append(_ambiguous(name, example, chosen, other, shown, bool(wanted)))
            reasons.append(f"{chosen}: all days and months are 12 at most")
    if any("%y" in f for f in formats):
        findings.append(_century(name, formats, shown))
    if not formats:
        return Found()
    return Found(
        {"format": formats[0] if len(formats) == 1 else formats},
        "; ".join(reasons),
        findings,
        certain=not unsure,
        vote=next(iter(votes)) if len(votes) == 1 else "",
    )


def order_of(written: str) -> str:
    found = re.findall(r"%([dmYyBb])", written)
    return "".join({"Y": "y", "B": "m", "b": "m"}.get(c, c) for c in found)


def _telling(fits: dict[str, pl.Series], chosen: str) -> pl.Series:
    """Texts that can be read in the chosen order only."""
    which = fits[chosen]
    for form, others in fits.items():
        if form != chosen:
            which = which & ~others
    return which


def _families(texts: Texts, reading: Reading) -> dict[tuple[str, ...], Texts]:
    """Formats that one shape of text may have, the French one first -> the texts of that shape. What is ISO needs none."""
    import polars as pl

    left = texts.only(~texts.fitting(replace(reading, formats=())))
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, text in enumerate(left.values):
        if candidates := _candidates(text, reading.kind):
            found[candidates].append(number)
    return {c: Texts(left.values.gather(pl.Series(n)), left.counts.gather(pl.Series(n)), left.rows) for c, n in found.items()}


def _candidates(text: str, kind: str) -> tuple[str, ...]:
    day, suffix = text, ""
    if time := TIME.match(text):
        day = time["day"]
        if kind == "date":
            suffix = "" if not set(text[time.end("gap") :]) - set("0:.") else "time"
        else:
            suffix = time["gap"] + "%H" + time["mark"] + "%M" + (":%S" if time["seconds"] else "") + (".%f" if time["fraction"] else "")
            suffix += (" " if (time["zone"] or "").startswith(" ") else "") + ("%z" if time["zone"] else "")
    if suffix == "time":
        return ()
    return tuple(form + suffix for form in _days(day))


def _days(text: str) -> tuple[str, ...]:
    if found := YEAR_LAST.match(text):
        return tuple(found[1].join(parts) for parts in (("%d", "%m", "%Y"), ("%m", "%d", "%Y")))
    if found := SHORT_YEAR.match(text):
        return tuple(found[1].join(parts) for parts in (("%d", "%m", "%y"), ("%m", "%d", "%y"), ("%y", "%m", "%d")))
    if found := YEAR_FIRST.match(text):
        return (found[1].join(("%Y", "%m", "%d")),)
    if found := NAMED.match(text):
        return (f"%d{found[1]}%B{found[2]}{'%Y' if len(found[3]) == 4 else '%y'}",)
    if COMPACT.match(text):
        return ("%Y%m%d",) if text[:2] in ("18", "19", "20", "21") else ("%d%m%Y",)
    return ()


def _ambiguous(name: str, text: str, chosen: str, other: str, shown: Shown, of_file: bool) -> Finding:
    (own, propre), (else_, autre) = ORDERS[order_of(chosen)], ORDERS[order_of(other)]
    why, pourquoi = (", as in other dates of the file", ", comme d'autres dates du fichier") if of_file else ("", "")
    if not of_file and order_of(chosen) == "dmy":
        why, pourquoi = ", as French dates are", ", comme les dates françaises"
    return Finding(
        "ambiguous",
        f"{name}: {shown(text)!r} can be {own} or {else_} (no value tells); it is read as {own}{why}. "
        f'If that is wrong, declare format: "{other}" of {name}',
        f"{name} : « {shown(text)} » peut se lire {propre} ou {autre} (aucune valeur ne le dit) ; lu {propre}{pourquoi}. "
        f'Si c\'est faux, déclarer format: "{other}" de {name}',
    )


def _both(name: str, texts: tuple[str, str], chosen: str, other: str, shown: Shown) -> Finding:
    (own, propre), (else_, autre) = ORDERS[order_of(chosen)], ORDERS[order_of(other)]
    one, two = map(shown, texts)
    return Finding(
        "ambiguous",
        f"{name}: dates are in two orders, {one!r} in {own} and {two!r} in {else_}; all that can be are read as {own}, and rows with the "
        "others are refused",
        f"{name} : des dates sont dans deux ordres, « {one} » en {propre} et « {two} » en {autre} ; toutes celles qui le peuvent sont lues "
        f"{propre}, les lignes des autres sont écartées",
    )


def _century(name: str, formats: list[str], shown: Shown) -> Finding:
    return Finding(
        "note",
        f"{name}: years have two digits; 00 to 68 are read as 2000 to 2068, 69 to 99 as 1969 to 1999",
        f"{name} : années sur deux chiffres ; 00 à 68 lues 2000 à 2068, 69 à 99 lues 1969 à 1999",
    )
