"""Codes that a list has: published ones, old ones, and what the arguments open."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from flows.errors import ConfigurationError
from flows.quality.french.codes_listed import commune, department, idcc, naf, postal_code, postal_code_in_commune, rome
from tests.quality.french.meets import meets, met


def pairs(*values: tuple[str, str], **arguments: Any) -> list[bool]:
    rows = pl.LazyFrame(values, schema=["a", "b"], orient="row")
    check = postal_code_in_commune(pl.col("a"), pl.col("b"), **arguments)
    return rows.select(check.fill_null(False).alias("met")).collect(engine="streaming")["met"].to_list()


def test_commune():
    """L'Abergement-Clémenciat, Ajaccio, Saint-Denis de La Réunion, Paris, Nouméa."""
    assert meets(commune, "01001", "2A004", "97411", "75056", "98818") == [True] * 5
    assert meets(commune, "1001", "99999", "2a004", "", "75000", None) == [False] * 6


def test_merged_communes_on_request():
    """Arbignieu's neighbour Saint-Bois became a part of Arboys en Bugey; Ajaccio was 20004."""
    assert meets(commune, "01340", "20004") == [False, False]
    assert meets(commune, "01340", "20004", former=True) == [True, True]


def test_arrondissements_are_right_unless_told_otherwise():
    assert meets(commune, "75101", "69381", "13201") == [True] * 3
    assert meets(commune, "75101", "75056", arrondissements=False) == [False, True]


def test_department():
    assert meets(department, "01", "2A", "2B", "95", "971", "976", "988") == [True] * 7
    assert meets(department, "1", "20", "96", "97", "2C", "001") == [False] * 6
    assert meets(department, "975", "974", "988", collectivities=False) == [False, True, False]
    assert met(department, "20", former=True)


def test_postal_code():
    assert meets(postal_code, "01300", "75116", "97400", "98800", "20000") == [True] * 5
    assert meets(postal_code, "1300", "00000", "99999", "33000 ", "F33000") == [False] * 5


def test_cedex_on_request():
    """Sablé-sur-Sarthe CEDEX and Le Port CEDEX, whose department is 974."""
    assert meets(postal_code, "72302", "97823") == [False, False]
    assert meets(postal_code, "72302", "97823", "99999", "00035", cedex=True) == [True, True, False, False]


def test_postal_code_in_commune():
    assert pairs(("01300", "01015"), ("75001", "75101"), ("75001", "75056"), ("20090", "2A004"), ("97400", "97411")) == [True] * 5
    assert pairs(("75002", "75101"), ("01300", "75056"), ("20090", "2B033"), ("72302", "72264"), ("01300", "99999")) == [False] * 5


def test_postal_code_in_a_merged_commune():
    assert pairs(("01300", "01340")) == [True]
    assert pairs(("01300", "01340"), former=False) == [False]


def test_postal_code_in_commune_with_cedex():
    assert pairs(("72302", "72264"), ("72302", "49007"), ("97823", "97407"), ("75001", "75102"), cedex=True) == [True, False, True, False]


def test_naf():
    assert meets(naf, "62.01Z", "6201Z", "01.11Z") == [True] * 3
    assert meets(naf, "62.10Y", "62.01A", "62.01", "15.1C", "62.01z") == [False] * 5


def test_naf_of_2025():
    assert meets(naf, "62.10Y", "62.01Z", nomenclature="2025") == [True, False]
    assert meets(naf, "62.10Y", "62.01Z", nomenclature=["rev2", "2025"]) == [True, True]
    with pytest.raises(ConfigurationError, match="rev1"):
        met(naf, "62.01Z", nomenclature="rev1")


def test_naf_written_in_one_way():
    assert meets(naf, "62.01Z", "6201Z", dot=True) == [True, False]
    assert meets(naf, "62.01Z", "6201Z", dot=False) == [False, True]


def test_rome():
    assert meets(rome, "M1805", "A1101", "N4403", "M1894") == [True] * 4
    assert meets(rome, "m1805", "M18", "Z1101", "A9901", "M1899", "") == [False] * 6
    assert meets(rome, "M1899", "A9901", "M189", exact=False) == [True, False, False]


def test_idcc():
    assert meets(idcc, "0016", "1486", "3248", "7024") == [True] * 4
    assert meets(idcc, "16", "9999", "2111", "") == [False] * 4
    assert meets(idcc, "16", "2111", "0016", padded=False, former=True) == [True, True, True]


def test_further_codes_of_a_project():
    assert meets(idcc, "9999", "9998", also=["9999"]) == [True, False]
    with pytest.raises(ConfigurationError, match="also: 9999"):
        met(idcc, "9999", also=[9999])
