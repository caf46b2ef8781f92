"""Columns that are new, missing, renamed or of another type: what is said of them, and what follows."""

from __future__ import annotations

import pytest

from flows import contract
from flows.errors import Refused
from tests.contract.support import dataset, sample

DECLARED = {"id": "string", "Code postal": "string", "recu_le": "date", "montant": "number"}
ROWS = {"id": ["a"] * 6, "Code postal": ["01000"] * 6, "recu_le": ["2024-04-13"] * 6, "montant": ["1.5"] * 6}


def drift(rows, columns=DECLARED, **more):
    declared = dataset(columns, **more)
    return contract.drift(declared, set(rows), sample(**rows))


def renamed(rows, columns=DECLARED):
    return [(r.old, r.new, r.english) for r in drift(rows, columns).renamed]


def test_the_same_columns_in_another_order_are_no_drift():
    assert not drift(dict(reversed(ROWS.items())))
    assert not contract.drift(dataset(DECLARED), {*DECLARED, "__row"})


@pytest.mark.parametrize("name", ["code_postal", "CODE POSTAL", "Code-Postal", "Côdé  pöstal"])
def test_names_that_differ_in_case_accents_and_spaces_only_are_named_as_such(name):
    rows = {k if k != "Code postal" else name: v for k, v in ROWS.items()}
    [(old, new, why)] = renamed(rows)
    assert (old, new) == ("Code postal", name) and "only case, accents, spaces" in why
    assert "seuls la casse" in drift(rows).french


def test_a_new_name_is_suggested_by_likeness_place_and_values():
    rows = {"id": ROWS["id"], "Code postal": ROWS["Code postal"], "date_reception": ["2024-04-13"] * 6, "montant_ttc": ["1.5"] * 6}
    assert [(o, n) for o, n, _ in renamed(rows)] == [("recu_le", "date_reception"), ("montant", "montant_ttc")]


def test_a_column_whose_values_are_of_another_type_is_not_taken_for_the_one_that_is_missing():
    rows = {k: v for k, v in ROWS.items() if k != "montant"} | {"montants": ["boucherie", "charcuterie"] * 3}
    assert renamed(rows) == []
    assert "montant" in str(drift(rows)) and "montants en plus" in drift(rows).french


def test_one_new_column_is_suggested_for_one_missing_column_only():
    rows = {"id": ["a"], "jour": ["2024-04-13"]}
    assert len(renamed(rows, {"id": "string", "debut": "date", "fin": "date"})) == 1


def test_the_name_in_the_file_is_what_is_compared():
    columns = {"id": "string", "code_postal": {"type": "string", "source": "Code postal"}}
    assert not drift({"id": ["a"], "Code postal": ["01000"]}, columns)
    assert not drift({"id": ["a"], "code_postal": ["01000"]}, columns)
    assert drift({"id": ["a"]}, columns).missing == ["Code postal"]
    assert drift({"id": ["a"], "Code postal": ["01000"], "code_postal": ["x"]}, columns).new == ["code_postal"]


# ---- retyped --------------------------------------------------------------------------------------------------------


def test_a_type_that_most_values_do_not_fit_is_drift():
    found = drift(ROWS | {"montant": ["élevé", "faible", "moyen", "élevé", "12.5", "élevé"]})
    [retyped] = found.retyped
    assert (retyped.name, retyped.declared, retyped.seems, retyped.percent) == ("montant", "number", "string", 83)
    assert "'élevé'" in str(found) and "on dirait du texte" in found.french and "83 %" in found.french


def test_fewer_wrong_values_than_the_limit_and_too_few_values_are_no_drift():
    assert not drift(ROWS | {"montant": ["1", "2", "3", "4", "x", "y"]})
    assert not drift(ROWS | {"montant": ["x", None, None, None, None, None]})
    declared, rows = dataset(DECLARED), sample(**(ROWS | {"montant": ["1", "2", "3", "4", "x", "y"]}))
    assert contract.drift(declared, set(rows.columns), rows, percent=30).retyped


def test_conventions_count():
    rows = sample(**(ROWS | {"montant": ["1,5"] * 6}))
    declared = dataset(DECLARED)
    assert contract.drift(declared, set(rows.columns), rows, {"montant": {"decimal": ","}}).retyped == []
    [retyped] = contract.drift(declared, set(rows.columns), rows, {"montant": {"decimal": "."}}).retyped
    assert "written in another way" in retyped.english


def test_values_about_persons_are_not_shown():
    found = drift(ROWS | {"montant": ["Jeanne", "Marie"] * 3}, personal_data="personal")
    assert found.retyped and "Jeanne" not in str(found) + found.french


# ---- what follows ---------------------------------------------------------------------------------------------------

NEW = ROWS | {"lieu": ["Brest"] * 6}
LOST = {k: v for k, v in ROWS.items() if k != "montant"}
RETYPED = ROWS | {"montant": ["élevé"] * 6}


def settle(rows, **more):
    declared = dataset(DECLARED, **more)
    return contract.settle(declared, "demandes", "f.csv", contract.drift(declared, set(rows), sample(**rows)))


def test_no_drift_lets_everything_through():
    for on_drift in ("refuse", "evolve", "quarantine"):
        assert settle(ROWS, on_drift=on_drift) == ("", [])


@pytest.mark.parametrize("rows", [NEW, LOST, RETYPED])
def test_refuse_says_what_differs_in_both_languages(rows):
    with pytest.raises(Refused) as caught:
        settle(rows)
    assert "f.csv" in caught.value.message and "datasets.demandes.columns" in caught.value.where
    assert caught.value.french.startswith("Les colonnes de f.csv ne sont pas celles prévues : ")


def test_refuse_says_how_to_follow_a_new_name():
    with pytest.raises(Refused) as caught:
        settle({k if k != "Code postal" else "code_postal": v for k, v in ROWS.items()})
    assert "declare source: 'code_postal'" in caught.value.hint


def test_evolve_lets_new_columns_in_and_missing_ones_go():
    assert settle(NEW, on_drift="evolve") == ("", ["lieu"])
    assert settle(LOST, on_drift="evolve") == ("", [])


def test_evolve_takes_nothing_from_readers():
    with pytest.raises(Refused, match="lacks required columns: montant"):
        settle(LOST, on_drift="evolve", key=["montant"])
    with pytest.raises(Refused, match="of other types"):
        settle(RETYPED, on_drift="evolve")


def test_a_column_under_the_name_that_another_is_declared_as():
    declared = dataset({"id": "string", "cp": {"type": "string", "source": "Code postal"}}, on_drift="evolve")
    with pytest.raises(Refused, match="beside the one declared"):
        contract.settle(declared, "demandes", "f.csv", contract.drift(declared, {"id", "cp", "Code postal"}))


@pytest.mark.parametrize("rows", [NEW, LOST, RETYPED])
def test_quarantine_sets_the_whole_file_aside(rows):
    rule, extra = settle(rows, on_drift="quarantine")
    assert rule.startswith("drift: ") and extra == []


def test_of_thousands_of_columns_a_sentence_names_some():
    found = contract.drift(dataset({f"a{i:04}": "string" for i in range(3000)}), {f"b{i:04}" for i in range(3000)})
    assert "2980 more columns are missing" in str(found) and "2980 more columns are not declared" in str(found)
    assert "et 2980 autres" in found.french and len(str(found)) < 5_000
