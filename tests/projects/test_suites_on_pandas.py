"""Suites of the projects that are not in test_real_projects.py, on what they are about: the same answers as on pandas."""

from __future__ import annotations

import polars as pl
import pytest

from flows.quality.suites import load_suites
from tests.conftest import REPOSITORY
from tests.projects.as_on_pandas import same_answers_as_on_pandas

ARTICLES = REPOSITORY.parent / "shared" / "data" / "code-du-travail" / "articles.csv"


@pytest.mark.skipif(not ARTICLES.exists(), reason="needs shared/data/code-du-travail")
def test_code_du_travail() -> None:
    """One article in nine, with the chapters that are in none of the eight parts: fewer rows and more values than the suite allows."""
    rows = pl.read_csv(ARTICLES, infer_schema=False).gather_every(9).with_columns(pl.col("grande_partie").str.strip_chars().alias("partie"))
    assert rows.height > 1000
    assert same_answers_as_on_pandas(rows, load_suites(REPOSITORY, ["commun/texte.json", "code-du-travail/articles.json"])) >= 2


def test_exemple() -> None:
    """As they are received, with the dozen rows that are wrong on purpose."""
    path = REPOSITORY / "projects" / "exemple" / "data" / "demandes.csv"
    rows = pl.read_csv(path, infer_schema=False).with_columns(pl.col("recu_le").str.to_date(strict=False))
    assert rows.height > 1000
    assert same_answers_as_on_pandas(rows, load_suites(REPOSITORY, ["commun/texte.json", "exemple/demandes.json"])) >= 2
