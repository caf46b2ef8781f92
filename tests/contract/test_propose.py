"""Types for a file that nobody declared: a person would agree with them, and what they become can be declared and holds."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import contract
from flows.contract.propose import declared_name
from flows.project.columns import is_pattern
from tests.contract.support import dataset, sample


@pytest.mark.parametrize(
    ("name", "texts", "kind"),
    [
        ("SIRET", ["02404912400142", "05782126600095"], "string"),
        ("etablissement", ["73282932000074", "55208131766522"], "string"),
        ("entreprise", ["732829320", "552081317"], "string"),
        ("Code postal", ["75001", "13010"], "string"),
        ("cp", ["01000", "13010"], "string"),
        ("commune", ["01004", "2A004"], "string"),
        ("Téléphone", ["0123456789"], "string"),
        ("Téléphone", ["01 23 45 67 89"], "string"),
        ("num_dossier", ["12", "13"], "string"),
        ("N° de lot", ["12", "13"], "string"),
        ("numéro", ["12", "13"], "string"),
        ("id_3", ["01.1", "10.2"], "string"),
        ("grand", ["92233720368547758070", "1"], "string"),
        ("position", ["-12.790089, 45.192697"], "string"),
        ("Année", ["2018", "2019"], "integer"),
        ("effectif", ["1 234", "12"], "integer"),
        ("ligne", ["1", "2", "3"], "integer"),
        ("nombre", ["0", "1"], "integer"),
        ("montant", ["454 000,00", " 760 000,00 "], "number"),
        ("part", ["0,5", "1"], "number"),
        ("taux", ["12 %", "13,5 %"], "string"),
        ("prix", ["12 €"], "string"),
        ("valeur", ["12.5", "NA", "-", ""], "number"),
        ("jour", ["13/04/2024", "14/04/2024"], "date"),
        ("date_creation", ["1987-02-27"], "date"),
        ("date_creation", ["19870227"], "date"),
        ("effectif", ["19870227", "20180101"], "string"),
        ("Date_inspection", ["2017-03-01T01:00:00+01:00"], "datetime"),
        ("date", ["2024-03-01 00:00:00"], "date"),
        ("heure", ["10:30"], "string"),
        ("actif", ["oui", "non"], "boolean"),
        ("actif", ["O", "N"], "boolean"),
        ("sens", ["N", "N"], "string"),
        ("section", ["F", "D"], "string"),
        ("coché", ["x", None], "boolean"),
        ("vide", [None, ""], "string"),
        ("rien", ["NA", "-"], "string"),
        ("version", ["1.2.3"], "string"),
        ("libelle", ["Boucherie", "12"], "string"),
    ],
)
def test_types(name, texts, kind):
    [proposal] = contract.propose(sample(**{name: texts}))
    assert proposal.column.type == kind and proposal.reason


def test_what_is_proposed_says_how_values_are_written():
    rows = {"Montant TTC (€)": ["1 234,50", "NA"], "Reçu le": ["13/04/2024", None], "code": ["01", "02"]}
    made = {p.name: p.as_declared() for p in contract.propose(sample(**rows))}
    assert made == {
        "montant_ttc_euros": {"type": "number", "source": "Montant TTC (€)", "decimal": ",", "missing": ["NA"]},
        "recu_le": {"type": "date", "source": "Reçu le", "format": "%d/%m/%Y"},
        "code": "string",
    }


def test_one_odd_value_in_a_hundred_does_not_make_a_column_text():
    [proposal] = contract.propose(sample(effectif=[str(n) for n in range(99)] + ["beaucoup"]))
    assert proposal.column.type == "integer" and "1 of 100 values do not fit" in proposal.findings[0].text


def test_typed_columns_keep_their_types():
    frame = pl.DataFrame({"a": [1], "b": [1.5], "c": [True], "d": [b"x"]}).with_columns(pl.lit("2024-01-01").str.to_date().alias("e"))
    assert [p.column.type for p in contract.propose(frame)] == ["integer", "number", "boolean", "string", "date"]


def test_names():
    taken: set[str] = set()
    for origin, name in [
        ("Code postal", "code_postal"),
        ("CODE POSTAL", "code_postal_2"),
        ("", "colonne"),
        ("2018", "c_2018"),
        ("n", "n"),
        ("__row", "row"),
    ]:
        assert declared_name(origin, taken) == name
        taken.add(name)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda name: not is_pattern(name)),  # a reader gives no such name
        st.lists(st.one_of(st.none(), st.text(max_size=10), st.sampled_from(["1,5", "oui", "01/02/2024"])), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_any_file_gives_columns_that_can_be_declared_and_take_its_rows(columns):
    frame = sample(**{k: v for k, v in columns.items() if not k.startswith("__")} or {"a": ["b"]})
    proposals = contract.propose(frame)
    declared = dataset({p.name: json.loads(json.dumps(p.as_declared())) for p in proposals})
    assert not contract.drift(declared, set(frame.columns))
    batch = frame.with_columns(pl.lit("f").alias(contract.FILE), pl.int_range(1, frame.height + 1).alias(contract.ROW))
    kept, refused = contract.conform(batch, declared, [])
    assert kept.height + refused.height == frame.height
