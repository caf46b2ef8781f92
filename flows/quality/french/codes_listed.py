"""Codes that are right if a list has them: communes, departments, postal codes, NAF, ROME, IDCC. The lists: lists.py.

A list is of a day, and a code may be newer: `also` names further ones that are right. What a list still has of earlier days is accepted
only where it is asked for (`former`).
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from flows.errors import ConfigurationError
from flows.quality.french import lists

NAF = ("rev2", "2025")


def commune(values: pl.Expr, *, former: bool = False, arrondissements: bool = True, also: Iterable[str] = ()) -> pl.Expr:
    """Insee code of a commune of today: five characters (`2A004`), overseas included.

    `former`: also communes that are merged, delegated or associated by now, and Corsica's codes in 20. `arrondissements`: also those of
    Paris, Lyon and Marseille (`75101`); the codes of the three cities are always right.
    Source: Insee, Code officiel géographique.
    """
    kinds = ("commune", *(["former"] if former else []), *(["arrondissement"] if arrondissements else []))
    return _listed(values, lists.codes("communes", *kinds), also)


def department(values: pl.Expr, *, collectivities: bool = True, former: bool = False, also: Iterable[str] = ()) -> pl.Expr:
    """Insee code of a department: `01` (never `1`), `2A`, `974`.

    `collectivities`: also those overseas that are no departments (`975`, `988` and the like). `former`: also `20`, which Corsica was.
    Source: Insee, Code officiel géographique.
    """
    kinds = ("department", *(["collectivity"] if collectivities else []), *(["former"] if former else []))
    return _listed(values, lists.codes("departments", *kinds), also)


def postal_code(values: pl.Expr, *, cedex: bool = False, also: Iterable[str] = ()) -> pl.Expr:
    """A postal code that a commune has (`01300`).

    `cedex`: also codes that no commune has and that begin like others of their department, as those of CEDEX do; no list of these is open.
    Source: La Poste, Base officielle des codes postaux.
    """
    right = _listed(values, lists.codes("postal_codes"), also)
    return right | _like_cedex(values) if cedex else right


def postal_code_in_commune(postal: pl.Expr, commune: pl.Expr, *, former: bool = True, cedex: bool = False) -> pl.Expr:
    """The commune (Insee code) has that postal code: `01300` and `01015`.

    An arrondissement of Paris, Lyon or Marseille has its own, and the city has all of them. `former`: a merged commune has those of the
    one that it is a part of. `cedex`: a code that no commune has is right in every commune of its department.
    Source: La Poste, Base officielle des codes postaux; Insee, Code officiel géographique.
    """
    pairs = lists.table("postal_codes").select(pl.concat_str("postal_code", "commune", separator=" "))
    right = _in(pl.concat_str(postal, commune, separator=" "), pairs.to_series())
    if former:
        right |= _in(pl.concat_str(postal, commune, separator=" "), _former_pairs())
    if cedex:
        right |= _like_cedex(postal) & ~_in(postal, lists.codes("postal_codes")) & (_first_two(postal) == _first_two(commune))
    return right


def naf(values: pl.Expr, *, nomenclature: str | Iterable[str] = "rev2", dot: bool | None = None, also: Iterable[str] = ()) -> pl.Expr:
    """Code of an activity (NAF, APE), at its finest level: `62.01Z` or `6201Z`.

    `nomenclature`: `rev2` (since 2008), `2025` (which takes its place from 2027), or both. `dot`: true or false for one of the two ways to
    write it only.
    Source: Insee, Nomenclature d'activités française; décret n° 2007-1888 for the NAF rév. 2.
    Raises: ConfigurationError for another nomenclature.
    """
    wanted = [nomenclature] if isinstance(nomenclature, str) else list(nomenclature)
    if unknown := [name for name in wanted if name not in NAF]:
        raise ConfigurationError(f"nomenclature: {unknown[0]!r} is not {' or '.join(NAF)}")
    known = lists.codes("naf", *wanted)
    plain = known.str.replace(".", "", literal=True)
    return _listed(values, known if dot else plain if dot is False else pl.concat([known, plain]), also)


def rome(values: pl.Expr, *, exact: bool = True, also: Iterable[str] = ()) -> pl.Expr:
    """Code of an occupation: a letter and four digits (`M1805`).

    `exact`: false also accepts codes that the list has not, in a domain that it has (`M18`): two versions a year add some.
    Source: France Travail, Répertoire opérationnel des métiers et des emplois (ROME), version 4.
    """
    known = lists.codes("rome")
    right = _listed(values, known, also)
    if exact:
        return right
    return right | (values.str.contains(r"^[A-Z][0-9]{4}$") & _in(values.str.slice(0, 3), known.str.slice(0, 3).unique()))


def idcc(values: pl.Expr, *, former: bool = False, padded: bool = True, also: Iterable[str] = ()) -> pl.Expr:
    """Identifier of a collective agreement: four digits (`0016`).

    `former`: also some that others have replaced. `padded`: false also accepts it without its leading zeros (`16`).
    Source: ministère du Travail and Dila (base KALI), through the packages that the Code du travail numérique publishes.
    """
    known = lists.codes("idcc", *(() if former else ("current",)))
    return _listed(values, known if padded else pl.concat([known, known.str.strip_chars_start("0")]), also)


def _listed(values: pl.Expr, known: pl.Series, also: Iterable[str]) -> pl.Expr:
    further = [also] if isinstance(also, str) else list(also)
    if wrong := [code for code in further if not isinstance(code, str)]:
        raise ConfigurationError(f"also: {wrong[0]!r} is no text", hint='codes are written in quotes: "0016"')
    return _in(values, pl.concat([known, pl.Series(known.name, further, dtype=pl.String)]) if further else known)


def _in(values: pl.Expr, known: pl.Series) -> pl.Expr:
    return values.is_in(known.implode())


def _former_pairs() -> pl.Series:
    old = lists.table("communes").filter(pl.col("kind") == "former").select("code", commune="current")
    joined = lists.table("postal_codes").join(old, on="commune")
    return joined.select(pl.concat_str("postal_code", "code", separator=" ")).to_series()


def _like_cedex(values: pl.Expr) -> pl.Expr:
    known = lists.codes("postal_codes").to_frame("code").select(_first_two(pl.col("code"))).to_series().unique()
    return values.str.contains(r"^[0-9]{5}$") & _in(_first_two(values), known)


def _first_two(codes: pl.Expr) -> pl.Expr:
    """Of postal codes and of Insee codes alike, for comparing them: both Corsican departments are 20. CEDEX of La Réunion begin with 978,
    not 974: overseas, no more than the first two can be compared."""
    return codes.str.slice(0, 2).replace({"2A": "20", "2B": "20"})
