"""Placeholders among names of persons and companies."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.quality.french.names import is_not_placeholder
from tests.conftest import REPOSITORY
from tests.quality.french.meets import meets, met

DATA = REPOSITORY.parent / "shared" / "data"
PLACEHOLDERS = [
    "TEST", "Test 1", "essai2", "xxx", "XXXXXX", "X", "NC", "n.c.", "N/A", "NA", "inconnu", "Inconnue", "à compléter", "A COMPLETER",
    "---", "?", " ", "", "…", "Non renseigné", "NON COMMUNIQUÉ", "néant", "null", "NaN", "azerty", "Nom Prénom", "Prénom Nom",
    "raison sociale", "M. X", "Monsieur X.", "TOTO'", "0", "000", "aaaa", "tbd",
]  # fmt: skip
NAMES = [
    "Dupont Jean", "DURAND", "Le Test", "Test & Co", "Avenir", "À l'avenir", "Nom de Zeus", "Lo", "Ba", "Ng", "O", "X & Y", "XX7",
    "SAS 1789", "Inconnu Production", "Na Li", "Exemple et Fils", "Mme Y. Martin", "BnF", "3M", "Société générale", "Testud", "Tatie",
    "Nulle Part Ailleurs", "Essaim", "Le 421", "EDF",
]  # fmt: skip


def test_placeholders() -> None:
    assert [p for p, ok in zip(PLACEHOLDERS, meets(is_not_placeholder, *PLACEHOLDERS), strict=True) if ok] == []


def test_names() -> None:
    assert [n for n, ok in zip(NAMES, meets(is_not_placeholder, *NAMES), strict=True) if not ok] == []


def test_a_project_allows_names_and_adds_placeholders() -> None:
    assert meets(is_not_placeholder, *["AAA", "Test", "aucun agent"], allowed=["aaa", "TEST"], also=["Aucun agent"]) == [True, True, False]


@settings(deadline=None)
@given(st.sampled_from("abxyz0?-*."), st.integers(3, 30))
def test_one_character_again_and_again_is_a_placeholder(character: str, times: int) -> None:
    assert met(is_not_placeholder, character * times) is False


@settings(deadline=None)
@given(
    st.sampled_from(["non renseigné", "à compléter", "inconnu", "test"]),
    st.sampled_from([" {}", "{}.", "({})", "«{}»", "-- {} --"]),
    st.booleans(),
)
def test_case_spaces_and_punctuation_do_not_count(word: str, around: str, upper: bool) -> None:
    written = around.format(word.upper() if upper else word)
    assert met(is_not_placeholder, written) is False


@pytest.mark.skipif(not DATA.exists(), reason="needs shared/data")
def test_names_of_establishments_inspected_in_2017() -> None:
    """What was found among 19,053 real names was looked at: "222" and "999" may be names, "TOTO'" hardly is."""
    file = DATA / "controles-alimentaires" / "instantane_2017-08-22.csv"
    names = pl.read_csv(file, columns=["APP_Libelle_etablissement"], infer_schema=False).to_series().drop_nulls()
    frame = pl.DataFrame({"name": names})
    assert sorted(frame.filter(~is_not_placeholder(pl.col("name")))["name"]) == ["222", "999", "TOTO'"]
