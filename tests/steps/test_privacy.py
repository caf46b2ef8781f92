"""What personal data leads to for a load: the verdict, its reasons, and what the project may declare."""

from __future__ import annotations

import polars as pl
import pytest

from flows.errors import ConfigurationError, Refused
from flows.settings import load_settings
from flows.steps import open_run
from flows.steps.privacy import look
from flows.validation import load_project

PHONES = pl.LazyFrame({"id": ["a", "b"], "texte": ["rappeler au 06 12 34 56 78", "rien"], "theme": ["paie", "paie"]})
NAMES = pl.LazyFrame({"id": ["a", "b"], "texte": ["M. Durand attend", "rien"], "theme": ["paie", "paie"]})


@pytest.fixture
def verdict(root):
    def look_at(rows):
        with open_run("essai") as run:
            return look(run, "demandes", rows)

    return look_at


def test_what_is_certain_refuses_and_is_said_in_both_languages(verdict):
    found = verdict(PHONES)
    assert found.refused
    assert "phone in 1 row(s) of 'texte'" in found.reasons[0] and "not_personal" in found.reasons[0]
    assert "« texte » : numéro de téléphone, 1 ligne" in found.french[0]
    assert len(found.french) == len(found.reasons)
    assert "06 12 34 56 78" not in repr(found)
    assert found.mask("texte", "06 12 34 56 78") == "06 ** ** ** **"


def test_what_is_possible_is_told_and_refuses_nothing(verdict):
    found = verdict(NAMES)
    assert not found.refused and "nom de personne (à vérifier)" in found.findings[0]


def test_nothing_is_said_of_nothing(verdict):
    found = verdict(pl.LazyFrame({"texte": ["question sur la paie"]}))
    assert (found.refused, found.findings, found.report.columns) == (False, (), ())


def test_a_dataset_that_says_that_it_has_some_is_not_refused(verdict, edit):
    edit("personal_data: none", "personal_data: personal")
    found = verdict(PHONES)
    assert not found.refused and found.report.certain and found.findings == ()


@pytest.mark.parametrize(
    ("excuse", "refused"),
    [
        ("{texte: permanences de service publiées}", False),
        ("{texte: {reason: permanences de service publiées, kinds: [phone]}}", False),
        ("{texte: {reason: permanences de service publiées, kinds: [email]}}", True),
        ("{theme: permanences de service publiées}", True),
    ],
)
def test_excuses(verdict, edit, excuse, refused):
    edit("personal_data: none", f"personal_data: none\n    not_personal: {excuse}")
    found = verdict(PHONES)
    assert found.refused is refused
    assert refused or "permanences de service publiées" in found.findings[0]


@pytest.mark.parametrize(
    ("excuse", "said"),
    [
        ("{nom: une raison assez longue}", "'nom' is not one of the columns"),
        ("{texte: court}", "10"),
        ("{texte: {kinds: [phone]}}", "reason"),
    ],
)
def test_excuses_that_are_none(root, edit, excuse, said):
    edit("personal_data: none", f"personal_data: none\n    not_personal: {excuse}")
    with pytest.raises(ConfigurationError, match=said):
        load_project(load_settings().root, "essai")


def test_the_model_that_is_configured_is_used(verdict, root, monkeypatch):
    from tests.privacy.test_model import make

    make(root / "models" / "ner")
    monkeypatch.setenv("SOCLE_PRIVACY_MODEL", "path:models/ner")
    found = verdict(pl.LazyFrame({"texte": ["bonjour zorglub"]}))
    assert found.report.model == "path:models/ner" and found.report.possible[0].why == "reconnu par le modèle"
    monkeypatch.setenv("SOCLE_PRIVACY_MODEL", "path:nowhere")
    with pytest.raises(ConfigurationError, match="nowhere"):
        verdict(NAMES)
    (root / "models" / "pickled").mkdir()
    (root / "models" / "pickled" / "config.json").write_text("{}")
    monkeypatch.setenv("SOCLE_PRIVACY_MODEL", "path:models/pickled")
    with pytest.raises(Refused, match="safetensors"):
        verdict(NAMES)
    monkeypatch.setenv("SOCLE_PRIVACY_MODEL", "hub:x/y")
    with pytest.raises(ConfigurationError, match="PRIVACY_MODEL"):
        load_settings()
