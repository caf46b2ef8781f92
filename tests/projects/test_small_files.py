"""The real projects on tiny files of the same shapes, which are made up here."""

from __future__ import annotations

import polars as pl
import pytest

from flows.errors import ConfigurationError, Refused
from flows.steps import open_run
from flows.steps.explain import explain_dataset
from flows.steps.quarantine import survey
from flows.validation import check_project
from tests.conftest import REPOSITORY
from tests.projects.conftest import load_all, table

FIRST = (
    "APP_Libelle_activite_etablissement,APP_Libelle_etablissement,Adresse_activite,Code_postal,Localite,Libelle_commune,Date_inspection,"
    "Synthese_eval_sanit,Agrement,geores,ods_adresse,filtre,Numero_inspection,SIRET"
)
LATER = FIRST.replace("Adresse_activite", "ods_adresse").replace("Localite", "Libelle_commune")
LEVELS = ("Très satisfaisant", "Satisfaisant", "A améliorer", "A corriger de manière urgente")


def inspection(
    number: int, level: str = LEVELS[0], *, street="2 rue Haute", second="", town="Ville", siret="", position="48.5, -2.5"
) -> str:
    """A line; `second`: what stands where the short address does, unless it is the same."""
    siret = siret or f"{number:014}"
    cells = ["Restaurant", f"CHEZ {number}", street, "01000", town, town, "2017-04-03T02:00:00+02:00", level, ""]
    return ",".join([*cells, f'"{position}"', second or street, "Restaurant", f"17-{number:06}-1", siret])


def snapshot(header: str, *lines: str) -> str:
    return "\n".join([header, *(inspection(i, level) for i, level in enumerate(LEVELS, 1)), *lines]) + "\n"


def test_two_layouts_become_one(small):
    data = small("controles-alimentaires")
    first = inspection(10, street="2 rue Haute ZA BP 3", second="2 rue Haute", town="VILLE")
    (data / "instantane_2017-04-20.csv").write_text(snapshot(FIRST, first))
    (data / "instantane_2017-06-29.csv").write_text(snapshot(LATER, inspection(10, street="2 rue Haute"), inspection(11)))
    assert load_all("controles-alimentaires")["inspections"].version.number == 2
    one, two = (table(f"controles-alimentaires/inspections@{n}") for n in (1, 2))
    ten = pl.col("numero_inspection") == "17-000010-1"
    assert one.filter(ten)["adresse"].to_list() == two.filter(ten)["adresse"].to_list() == ["2 rue Haute"]
    assert one.filter(ten)["adresse_complete"].to_list() == ["2 rue Haute ZA BP 3"] and two["adresse_complete"].null_count() == 6
    assert (two["latitude"][0], two["longitude"][0], two["code_postal"][0]) == (48.5, -2.5, "01000")
    assert not {"geores", "ods_adresse_2", "Libelle_commune_2"} & set(two.columns)


def test_columns_of_one_name_that_say_two_things_are_refused(small):
    data = small("controles-alimentaires")
    (data / "instantane_2017-06-29.csv").write_text(snapshot(LATER, inspection(10, street="2 rue Haute", second="3 rue Basse")))
    with pytest.raises(Refused, match="ods_adresse_2"):
        load_all("controles-alimentaires")


def test_a_column_that_nobody_knows_is_refused(small):
    data = small("controles-alimentaires")
    lines = snapshot(LATER).splitlines()
    (data / "instantane_2017-06-29.csv").write_text("\n".join([lines[0] + ",Nouvelle", *(f"{line},x" for line in lines[1:])]) + "\n")
    with pytest.raises(Refused, match="Nouvelle"):
        load_all("controles-alimentaires")


def test_wrong_rows_are_set_aside_and_provisional_numbers_are_not(small):
    data = small("controles-alimentaires")
    good = [inspection(20, siret="A60203017001"), inspection(21, siret="PT504197215001"), inspection(22, position="")]
    bad = [
        inspection(20, siret="A60203017009"),  # the number of an inspection again
        inspection(30, siret="1234"),
        inspection(31, level="Excellent"),
        inspection(32, position="48.5"),
        inspection(33, position="nord, sud"),
        inspection(34).replace("2017-04-03", "2016-04-03"),
        inspection(35).replace("01000", "1000"),
    ]
    (data / "instantane_2017-06-29.csv").write_text(snapshot(LATER, *good, *bad))
    outcome = load_all("controles-alimentaires")["inspections"]
    assert outcome.report.rows == {"read": 14, "kept": 7, "refused": 7, "total": 7}
    with open_run("controles-alimentaires") as run:
        rows = survey(run, "inspections").rows
    assert sorted(row.row_number for row in rows) == [8, 9, 10, 11, 12, 13, 14]
    assert {rule for row in rows for rule in row.rules} == {
        "key:numero_inspection:twice in this load",
        "expect_column_values_to_match_regex:siret",
        "expect_column_values_to_be_in_set:evaluation",
        "type:latitude:number",
        "type:longitude:number",
        "expect_column_values_to_be_between:date_inspection",
        "expect_column_values_to_match_regex:code_postal",
    }


def equality(data) -> None:
    (data / "index-egalite-fh.csv").write_bytes(
        "Raison Sociale;SIREN;Année;Note;Structure;Nom UES;Entreprises UES (SIREN);Région;Département\r\n"
        "ALPHA;012345674;2018;74;Entreprise;;;Bretagne;Finistère\r\n"
        "ALPHA;012345674;2019;75;Entreprise;;;Bretagne;Finistère\r\n"
        "BETA;222222226;2019;;Entreprise;;;Corse;Haute-Corse\r\n"
        "GAMMA;333333334;2019;NC;Unité Economique et Sociale (UES);;DELTA (444444442);Corse;Haute-Corse\r\n"
        "OMEGA;555555556;2018;100;Entreprise;;;Normandie;Orne\r\n".encode()
    )
    (data / "sirens.csv").write_text(
        "siren,activite_principale,tranche_effectifs,categorie_entreprise,date_creation,n_etablissements\n"
        "012345674,01.11Z,32,ETI,1987-02-27,2\n222222226,15.1C,NN,,,1\n333333334,01.12Z,00,PME,2001-01-01,1\n444444442,01.11Z,01,GE,1999-12-31,3\n"
    )
    (data / "naf.csv").write_text(
        '"id_1","label_1","id_2","label_2","id_3","label_3","id_4","label_4","id_5","label_5"\n'
        '"A","Agriculture, pêche","01","Culture","01.1","Non permanentes","01.11","Céréales","01.11Z","Culture de céréales"\n'
        '"A","Agriculture, pêche","01","Culture","01.1","Non permanentes","01.12","Riz","01.12Z","Culture du riz"\n'
    )


def test_three_files_are_joined_and_what_finds_nothing_stays(small):
    equality(small("egalite-professionnelle"))
    assert {o.action for o in load_all("egalite-professionnelle").values()} == {"loaded"}
    rows = table("egalite-professionnelle/declarations-enrichies@1").sort("siren", "annee")
    assert rows.select("siren", "annee", "note", "sous_le_seuil").rows() == [
        ("012345674", 2018, 74, True),
        ("012345674", 2019, 75, False),
        ("222222226", 2019, None, None),
        ("333333334", 2019, None, None),
        ("555555556", 2018, 100, False),
    ]
    assert rows["note_precedente"].to_list() == [None, 74, None, None, None] and rows["deja_notee"].to_list() == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert rows["autres_entreprises_ues"].to_list() == [0, 0, 0, 1, 0] and rows["division"].to_list() == ["01", "01", None, "01", None]
    assert rows["entreprise_connue"].to_list() == [True, True, True, True, False]
    assert rows["activite_connue"].to_list() == [True, True, False, True, False]
    assert rows["libelle_activite"].to_list() == ["Culture de céréales"] * 2 + [None, "Culture du riz", None]
    assert {o.action for o in load_all("egalite-professionnelle").values()} == {"nothing"}


def test_a_wrong_declaration_is_set_aside_and_the_join_is_made_of_the_others(small):
    data = small("egalite-professionnelle")
    equality(data)
    path = data / "index-egalite-fh.csv"
    path.write_bytes(path.read_bytes() + "EPSILON;12345;2018;120;Entreprise;;;Bretagne;Finistère\r\n".encode())
    outcomes = load_all("egalite-professionnelle")
    assert outcomes["declarations"].report.rows["refused"] == 1
    assert outcomes["declarations"].report.refused_by_rule == {
        "expect_column_values_to_be_siren:siren": 1,
        "expect_column_values_to_be_between:note": 1,
    }
    assert table("egalite-professionnelle/declarations-enrichies@1").height == 5


def test_a_joined_dataset_has_no_file_to_explain(small):
    equality(small("egalite-professionnelle"))
    load_all("egalite-professionnelle")
    with (
        open_run("egalite-professionnelle") as run,
        pytest.raises(ConfigurationError, match="made from versions of declarations and entreprises and naf"),
    ):
        explain_dataset(run, "declarations-enrichies", 5)


@pytest.mark.parametrize("project", ["controles-alimentaires", "egalite-professionnelle"])
def test_without_their_files_they_are_valid_and_a_run_says_what_lacks(small, project):
    _, problems = check_project(REPOSITORY, project)
    assert problems == []
    small(project)
    with pytest.raises(ConfigurationError, match="no file matches") as error:
        load_all(project)
    assert "Il n'y a aucun fichier" in error.value.french
