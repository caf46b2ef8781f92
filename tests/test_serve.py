"""The docs server: what project teams see of every version, read-only and in French."""

from __future__ import annotations

import shutil

import pytest
from starlette.testclient import TestClient

from flows.lake import Lake, keys
from flows.lake.followed import Followed
from flows.lake.local import LocalObjects
from flows.quality import dataset_page
from flows.serve import make_app
from flows.settings import load_settings
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import csv_text, rows
from tests.quality.test_docs import Page


def load(root, *counts: int):
    path = root / "projects" / "essai" / "data" / "demandes.csv"
    outcome = None
    for count in counts:
        path.write_text(csv_text(rows(count)))
        with open_run("essai") as run:
            outcome = load_dataset(run, "demandes")
    return outcome


@pytest.fixture
def get(root):
    with TestClient(make_app(load_settings()), base_url="http://127.0.0.1") as client:

        def page(address: str, status: int = 200) -> Page:
            answer = client.get(address)
            assert answer.status_code == status, answer.text
            assert "default-src 'none'" in answer.headers["content-security-policy"] or status == 400
            found = Page(answer.text)
            assert '<html lang="fr">' in answer.text and found.elements.count("h1") == found.elements.count("main") == 1
            assert not {"script", "link", "img", "iframe"} & set(found.elements)
            return found

        yield page


def links(page: Page) -> list[str]:
    return [value for name, value in page.attributes if name == "href"]


def test_before_anything_was_loaded(get):
    assert "/essai" in links(get("/"))
    assert "Aucune version." in get("/essai").text
    assert "Aucune version n'a encore été publiée" in get("/essai/donnees/demandes").text
    for address in ("/essai/donnees/demandes/abc", "/essai/donnees/autre", "/autre", "/essai/donnees/demandes/..%2f"):
        assert "n'existe pas" in get(address, 404).text


def test_from_the_project_to_a_report_and_back(get, root):
    last = load(root, 10, 20, 30).report
    project = get("/essai")
    assert links(project)[-2].startswith("/essai/donnees/demandes") and "Toutes les versions (3)" in project.text
    dataset = get("/essai/donnees/demandes")
    assert "satisfait 3 fois de suite" in dataset.text and dataset.elements.count("svg") == 2
    reports = [address for address in links(dataset) if address.startswith("/essai/donnees/demandes/")]
    assert len(reports) == 3 and reports[0].endswith(last.load_id)
    middle = get(reports[1])
    assert {reports[0], reports[2], "/", "/essai", "/essai/donnees/demandes"} <= set(links(middle))
    assert "Version suivante" in middle.text and "Version précédente" in middle.text
    assert "Version suivante" not in get(reports[0]).text


def test_a_refused_load_is_shown_and_one_that_was_killed_is_not(get, root):
    load(root, 10)
    (root / "expectations" / "demandes.json").write_text(
        '{"name": "d", "expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 99}}]}'
    )
    refused = load(root, 20)
    assert refused.refused
    assert "Refusé" in get(f"/essai/donnees/demandes/{refused.report.load_id}").text
    objects = Lake(load_settings()).bucket("essai")
    killed = refused.report
    killed.load_id, killed.verdict = "killed", "passed"
    objects.put(keys.check_result("demandes", "killed"), killed.to_json())
    objects.put(keys.check_docs("demandes", "killed"), b"secret")
    get("/essai/donnees/demandes/killed", 404)


def test_refused_loads_are_listed_until_a_version_came_in_later_than_they(get, root):
    suite = root / "expectations" / "demandes.json"
    least = '{"name": "d", "expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": %d}}]}'
    suite.write_text(least % 25)
    first = load(root, 10).report
    assert "Dernier chargement refusé" in get("/essai").text and "Aucune version." in get("/essai").text
    assert "Non satisfait : Le nombre de lignes" in get("/essai/donnees/demandes").text
    load(root, 30)
    second = load(root, 20).report
    page = get("/essai/donnees/demandes")
    assert "Le dernier chargement a été refusé" in page.text and "La version 1 reste celle qui est servie" in page.text
    refused = [address for address in links(page) if address.endswith((first.load_id, second.load_id))]
    assert [address.rpartition("/")[2] for address in refused] == [second.load_id, second.load_id, first.load_id]
    assert "Refusé" in get(refused[0]).text
    assert f"/essai/donnees/demandes/{second.load_id}" in links(get("/essai"))
    load(root, 40)
    page = get("/essai/donnees/demandes")
    assert "Le dernier chargement a été refusé" not in page.text and "Chargements refusés" in page.text
    assert "Dernier chargement refusé" not in get("/essai").text
    suite.write_text(least % 5)
    assert load(root, 10).report.verdict == "passed"
    objects = Lake(load_settings()).bucket("essai")
    objects.delete(keys.check_result("demandes", second.load_id))
    assert not any(address.endswith(second.load_id) for address in links(get("/essai/donnees/demandes"))), "its report has expired"


def test_a_page_of_versions_at_a_time(get, root, monkeypatch):
    monkeypatch.setattr(dataset_page, "ON_A_PAGE", 2)
    load(root, 10, 20, 30)
    first, second = get("/essai/donnees/demandes"), get("/essai/donnees/demandes?page=2")
    assert "page 1 sur 2" in first.text and "page 2 sur 2" in second.text
    assert len([a for a in links(first) if a.startswith("/essai/donnees/demandes/")]) == 2
    assert len([a for a in links(second) if a.startswith("/essai/donnees/demandes/")]) == 1
    for wrong in ("0", "99", "x", "-1", "9" * 400):
        get(f"/essai/donnees/demandes?page={wrong}")


def test_looking_again_reads_two_objects_and_no_old_result(get, root, monkeypatch):
    load(root, 10, 20, 30)
    get("/essai/donnees/demandes")
    load(root, 40)
    read, real = [], LocalObjects.get
    monkeypatch.setattr(LocalObjects, "get", lambda self, key: read.append(key) or real(self, key))
    assert "satisfait 4 fois de suite" in get("/essai/donnees/demandes").text
    assert [key.rpartition("/")[2] for key in read if key.startswith("checks/")] == ["result.json", "trend.json"]


def test_a_history_is_followed_and_read_anew_after_a_restore(root):
    lake = Lake(load_settings())
    followed = Followed(lake)
    assert followed.history("essai", "demandes") == []
    load(root, 10)
    assert [v.number for v in followed.history("essai", "demandes")] == [1]
    shutil.copytree(load_settings().lake_folder, root / "kept")
    load(root, 20)
    assert [v.load.rows["total"] for v in followed.history("essai", "demandes")] == [20, 10]
    assert followed.history("essai", "demandes") == Followed(lake).history("essai", "demandes")
    shutil.rmtree(load_settings().lake_folder)
    shutil.copytree(root / "kept", load_settings().lake_folder)
    assert [v.load.rows["total"] for v in followed.history("essai", "demandes")] == [10]


@pytest.fixture
def card(root):
    """(ask for an address of a model's card, the version)."""
    from flows.steps.finetune import finetune_model

    load(root, 90)
    with open_run("essai") as run:
        version = finetune_model(run, "theme").versions[0]
    with TestClient(make_app(load_settings()), base_url="http://127.0.0.1") as client:
        yield lambda address: client.get(f"/essai/modeles/theme/{address}"), version


def test_a_card_has_its_pictures_and_marks_its_english_part(card):
    ask, version = card
    answer = ask("1")
    page = Page(answer.text)
    assert page.elements.count("h1") == page.elements.count("main") == 1 and not {"script", "iframe"} & set(page.elements)
    pictures = [value for name, value in page.attributes if name == "src"]
    assert pictures and all(p.startswith("/essai/modeles/theme/1/plots/") for p in pictures)
    assert {p.removeprefix("/essai/modeles/theme/1/") for p in pictures} == {n for n in version.files if n.startswith("plots/")}
    for picture in pictures:
        found = ask(picture.removeprefix("/essai/modeles/theme/"))
        assert found.headers["content-type"] == "image/png" and found.content.startswith(b"\x89PNG")
    ids = {value for name, value in page.attributes if name == "id"}
    inside = {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")}
    assert inside == {"in-english", "lutiliser-sans-socle"} <= ids
    french, _, english = answer.text.partition('<section lang="en"')
    assert "Données" in french and "Data" in english and "Données" not in english
    assert "socle reproduce essai/theme@1\n" in french and "est le numéro de cette version" not in french


@pytest.mark.parametrize(
    "address", ["1/plots/autre.png", "1/plots/..%2fmetrics.json", "1/plots/..%2f..%2fmetrics.json", "9", "x", "1" * 30]
)
def test_nothing_else_of_a_version_is_given_out(card, address):
    answer = card[0](address)
    assert answer.status_code == 404 and "n'existe pas" in answer.text
