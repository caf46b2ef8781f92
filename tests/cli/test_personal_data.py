"""socle personal-data as it is typed, on a version that was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import PROJECT, csv_text, write_project


@pytest.fixture
def published(root: Path) -> Path:
    """Loaded as personal."""
    folder = write_project(root, text=PROJECT.replace("personal_data: none", "personal_data: personal"))
    rows = [("d1", "M. Durand au 06 12 34 56 78", "paie"), ("d2", "rien", "paie")]
    (folder / "data" / "demandes.csv").write_text(csv_text(rows), encoding="utf-8")
    with open_run("essai") as run:
        assert load_dataset(run, "demandes").version is not None
    return folder


def test_a_version_is_shown_masked(socle, published: Path) -> None:
    done = socle("personal-data", "essai/demandes")
    assert done.code == 0 and "numéro de téléphone" in done.out and "06 ** ** ** **" in done.out
    assert "Durand" not in done.out and "34 56" not in done.out
    found = socle("personal-data", "essai/demandes@1", "--json").json
    assert (found["version"], found["declared"], found["refused"]) == (1, "personal", False)
    assert {(c["column"], c["kind"]) for c in found["report"]["columns"]} == {("texte", "phone"), ("texte", "name")}


def test_exit_code_where_it_was_declared_to_have_none(socle, published: Path) -> None:
    (published / "project.yaml").write_text(PROJECT, encoding="utf-8")
    assert socle("personal-data", "essai/demandes").code == 1
    assert socle("personal-data", "essai/demandes@9").code == 2
    assert socle("personal-data", "essai/demandes@champion").code == 2
