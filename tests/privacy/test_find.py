"""Tables: what columns hold, by their values and their names; counts, samples, and what is said of them."""

from __future__ import annotations

import datetime

import polars as pl
import pytest

from benchmarks.personal_data import _checked, _phone
from flows.privacy import Limits, PrivacyReport, find
from tests.conftest import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data"
N = 60


def phones(count: int, digits_only: bool = False) -> list[str]:
    from random import Random

    random = Random(3)
    return [f"06{random.randint(0, 3)}{random.randint(1000000, 9999999)}" if digits_only else _phone(random) for _ in range(count)]


def nirs(count: int) -> list[str]:
    from random import Random

    random = Random(4)
    return [_checked("nir", random) for _ in range(count)]


def found(table: dict[str, object], **limits: int) -> dict[tuple[str, str], str]:
    report = find(pl.DataFrame(table).lazy(), Limits(**limits))
    return {(c.column, c.kind): c.certainty for c in report.columns}


def test_columns_of_persons() -> None:
    first = ["Jeanne", "Mohamed", "Sylvie", "Gérard"] * 15
    last = ["Durand", "MARTIN", "Nguyen", "Petit"] * 15
    table = {"prenom": first, "nom": last, "tel": phones(N), "nir": nirs(N), "ddn": ["12/03/1965"] * N}
    assert {k for k in found(table) if k[1] != "birth_date"} >= {("prenom", "name"), ("nom", "name"), ("tel", "phone"), ("nir", "nir")}
    assert set(found(table).values()) == {"certain"}


def test_given_names_alone_may_be_counted() -> None:
    assert found({"prenom": ["Jeanne", "Mohamed", "Sylvie"], "nombre": [12, 3, 5]}) == {("prenom", "name"): "possible"}


def test_whole_names_in_a_column_that_says_so() -> None:
    names = ["DUPONT Jeanne", "Mohamed Benali", "Sylvie MARTIN"]
    assert found({"nom_du_demandeur": names}) == {("nom_du_demandeur", "name"): "certain"}
    assert found({"x": names}) == {("x", "name"): "possible"}


def test_names_in_small_letters_in_a_column_that_says_so() -> None:
    names = ["jeanne dupont", "mohamed benali", "sylvie martin"]
    assert found({"demandeur": names}) == {("demandeur", "name"): "certain"}
    assert found({"usager": [n.title() for n in names]}) == {("usager", "name"): "certain"}
    assert found({"salaries": ["12", "250", "CDI"]}) == {}
    assert found({"produit": ["petit beurre", "rose bleue", "jeanne dupont"]}) == {}


def test_people_who_are_named_in_texts_and_companies_that_bear_a_name() -> None:
    texts = ["Rien à dire.", "Madame Sophie Vasseur demande une aide.", "Le dossier est complet."] * 10
    assert found({"observations": texts}) == {("observations", "name"): "certain"}
    assert found({"raison_sociale": [f"Monsieur Patrick Vasseur {i}" for i in range(9)]}) == {("raison_sociale", "name"): "possible"}


def test_addresses_of_people_and_of_others() -> None:
    addresses = [f"{n} rue Victor-Hugo, 69002 Lyon" for n in range(1, 30)]
    assert found({"adresse_demandeur": addresses}) == {("adresse_demandeur", "address"): "certain"}
    assert found({"adresse": addresses}) == {("adresse", "address"): "possible"}
    assert found({"adresse_etablissement": addresses}) == {("adresse_etablissement", "address"): "possible"}


def test_companies_are_not_persons() -> None:
    table = {
        "siren": ["732829320", "350381968"] * 30,
        "siret": ["73282932000074", "35038196800017"] * 30,
        "raison_sociale": ["DURAND SARL", "SOCIETE GENERALE", "STANLEY BLACK & DECKER", "ADOBE Systems France"] * 15,
        "commune": ["Lyon", "Saint-Pierre", "Marseille", "Fontaine"] * 15,
        "contact": ["contact@societe-durable.fr", "accueil@mairie-lyon.fr"] * 30,
        "standard": ["0 800 123 456", "3939"] * 30,
        "reference": [f"{n:010}" for n in range(5_400_000_000, 5_400_000_060)],
        "nom_commune": ["Paris", "Nice"] * 30,
    }
    assert found(table) == {}


def test_numbers_that_are_so_by_chance_are_not_held_against_a_column() -> None:
    """Of numbers of 10 digits one in fifty begins as a mobile does, of numbers of 15 one in 500 is a NIR."""
    from random import Random

    random = Random(9)
    table = {
        "dossier": [str(random.randint(0, 10**10 - 1)).zfill(10) for _ in range(3000)],
        "imei": [str(random.randint(0, 10**15 - 1)).zfill(15) for _ in range(3000)],
        "lot": [str(random.randint(0, 10**16 - 1)).zfill(16) for _ in range(3000)],
    }
    assert found(table) == {}
    assert found({"x": phones(N, digits_only=True)}) == {("x", "phone"): "certain"}


def test_numbers_of_a_spreadsheet() -> None:
    """Phones that lost their 0, NIR and dates with their types."""
    table = {
        "telephone": [int(p) for p in phones(N, digits_only=True)],
        "nir": [int(n.replace(" ", "")) for n in nirs(N)],
        "date_naissance": [datetime.date(1970, 1, 1)] * N,
        "date_creation": [datetime.date(1970, 1, 1)] * N,
        "montant": [1.5] * N,
    }
    assert found(table) == {("telephone", "phone"): "certain", ("nir", "nir"): "certain", ("date_naissance", "birth_date"): "certain"}


def test_a_place_of_birth_is_no_date() -> None:
    assert found({"commune_naissance": ["Lyon"] * N, "date_naissance": ["inconnue"] * N}) == {}


def test_other_types() -> None:
    phone = "06 12 34 56 78"
    frame = pl.DataFrame(
        {"liste": [[phone]], "objet": [{"a": phone}], "vide": [None], "octets": [b"x"], "oui": [True]},
        schema_overrides={"vide": pl.String, "octets": pl.Binary},
    ).with_columns(pl.lit(phone).cast(pl.Categorical).alias("categorie"))
    report = find(frame.lazy())
    assert {c.column for c in report.columns} == {"liste", "objet", "categorie"}
    assert list(report.skipped) == ["octets"] and "octets" in " ".join(report.notes())


def test_own_columns_and_empty_tables() -> None:
    assert find(pl.LazyFrame({"__row": ["06 12 34 56 78"]})).columns == ()
    assert find(pl.LazyFrame(schema={"a": pl.String})) == PrivacyReport(rows=0)
    assert find(pl.LazyFrame({"a": [None, None]}, schema={"a": pl.String})).columns == ()


def test_one_in_a_large_table_is_found_and_exact() -> None:
    values = ["rien"] * 120_000
    values[77_777] = "rappeler au 06 12 34 56 78"
    report = find(pl.LazyFrame({"texte": values}))
    (one,) = report.columns
    assert (one.kind, one.rows, one.exact, one.examples) == ("phone", 1, True, ("06 ** ** ** **",))
    assert "5000 lignes sur 120000" in report.notes()[0]


def test_what_was_sampled_is_said_and_estimated() -> None:
    report = find(pl.LazyFrame({"tel": phones(3000)}), Limits(rows=100, values=200))
    (one,) = report.columns
    assert not one.exact and one.french.startswith("« tel » : numéro de téléphone, environ") and 2700 <= one.rows <= 3000
    assert report.checked == {"tel": 200} and "200 valeurs" in " ".join(report.notes())


def test_long_texts_are_read_to_their_end_for_what_has_digits() -> None:
    text = "mot " * 20_000 + "joignable au 06 12 34 56 78, " + "mot " * 20_000 + "jean.dupont@orange.fr"
    report = find(pl.LazyFrame({"texte": [text]}))
    assert {c.kind for c in report.columns} == {"phone", "email"} and report.cut == {"texte": 1}


def test_the_same_table_gives_the_same_report_and_no_value_is_in_it() -> None:
    table = pl.LazyFrame({"tel": phones(500), "nom": ["Durand Jeanne", "Martin Sylvie"] * 250})
    first, second = (find(table, Limits(rows=50, values=60)) for _ in range(2))
    assert first == second == PrivacyReport.from_dict(first.to_dict())
    written = repr(first.to_dict())
    assert not any(p in written for p in [*phones(500), "Durand", "Jeanne"])


def test_excuses_keep_what_was_found() -> None:
    report = find(pl.LazyFrame({"mel": ["jean.dupont@orange.fr"] * 3, "tel": phones(3)}))
    assert [c.column for c in report.excuse({"mel": ((), "adresses publiées par le ministère")}).certain] == ["tel"]
    assert [c.column for c in report.excuse({"mel": (("phone",), "autre chose")}).certain] == ["mel", "tel"]
    assert "adresses publiées" in " ".join(c.french for c in report.excuse({"mel": ((), "adresses publiées par le ministère")}).columns)


@pytest.mark.parametrize(
    ("path", "separator"),
    [("egapro/index-egalite-fh.csv", ";"), ("egapro/sirens.csv", ","), ("egapro/naf.csv", ","), ("code-du-travail/articles.csv", ",")],
)
def test_published_files_about_companies_and_law_hold_nothing_certain(path: str, separator: str) -> None:
    if not (DATA / path).is_file():
        pytest.skip("shared/data is not here")
    report = find(pl.scan_csv(DATA / path, separator=separator, infer_schema=False), Limits(rows=800))
    assert report.certain == []
