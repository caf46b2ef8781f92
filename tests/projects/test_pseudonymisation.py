"""The real project on the published decisions. Names in there are of real people: no assertion here shows a text."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from flows.lake.models import Models
from flows.models import load
from flows.privacy.pseudonyms import pseudonymise
from flows.steps import open_run
from flows.steps.pipeline import run_plain
from flows.steps.plan import plan_project
from flows.training.split import sides
from flows.training.tasks import task_of
from flows.training.tasks.token_classification import as_spans
from tests.conftest import REPOSITORY
from tests.projects.conftest import root_of, table

DATA = REPOSITORY.parent / "shared" / "data" / "decisions-cedh"
PROJECT = "pseudonymisation"
STAYS = {
    "m",
    "mm",
    "mme",
    "mlle",
    "me",
    "mr",
    "sir",
    "lord",
    "juge",
    "monsieur",
    "madame",
    "le",
    "la",
    "les",
    "l",
    "de",
    "du",
    "des",
    "d",
    "en",
}
"""Civilities and articles before what is replaced."""

pytestmark = pytest.mark.skipif(not list(DATA.glob("*.tsv")), reason=f"the published files are not in {DATA}")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the cheap candidate alone: the other one takes minutes."""
    root = root_of(tmp_path_factory.mktemp("reel"), PROJECT, whole=True)
    file = root / "projects" / PROJECT / "project.yaml"
    declared = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    declared["models"]["entites"]["candidates"] = ["dictionary"]
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(declared, out)
    for path in DATA.glob("*.tsv"):
        (root / "projects" / PROJECT / "data" / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOCLE_ROOT", str(root))
        with open_run(PROJECT) as run:
            run.lake.bucket(PROJECT).ensure()
            result = run_plain(run)
    assert [(d.dataset, d.action) for d in result.datasets] == [("phrases", "loaded"), ("phrases-pseudonymisees", "loaded")]
    assert not result.failures
    return root


@pytest.fixture(autouse=True)
def _root(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCLE_ROOT", str(loaded))


def test_every_sentence_is_there_and_its_decision_was_found():
    phrases, made = table(f"{PROJECT}/phrases@1"), table(f"{PROJECT}/phrases-pseudonymisees@1")
    assert phrases.height == 1450 and phrases["decision"].n_unique() == 29
    assert made.sort("id")["id"].equals(phrases.sort("id")["id"]) and set(made.columns) == {"id", "decision", "rang", "texte"}
    changed = phrases.sort("id")["texte"] != made.sort("id")["texte"]
    assert changed.mean() > 0.2


def test_the_text_is_what_the_model_learns_from_and_no_decision_is_on_two_sides():
    phrases = table(f"{PROJECT}/phrases@1")
    with open_run(PROJECT) as run:
        model = run.project.models["entites"]
    examples = task_of(model).examples(phrases)
    assert examples["left_out"].null_count() == 1450 and examples["repaired"].sum() == 0
    assert (examples["text"] == phrases["texte"]).all()
    side, _ = sides(phrases, ["id"], model.split)
    on = phrases.select("decision", side=side).unique()
    assert on["decision"].n_unique() == on.height
    assert dict(on["side"].value_counts().iter_rows()) == {"train": 18, "validation": 5, "test": 6}


def test_most_names_of_the_test_side_are_hidden():
    """By a dictionary that knows none of them, and rules: a floor, below what docs/pseudonymisation.md says of the real champion."""
    phrases = table(f"{PROJECT}/phrases@1").sort("decision", "rang")
    with open_run(PROJECT) as run:
        model, source = run.project.models["entites"], run.project.datasets["phrases-pseudonymisees"].source
        store = Models(run.lake, PROJECT, "entites")
        predictor = load(store.download(store.version(1), run.work / "model"))
    side, _ = sides(phrases, ["id"], model.split)
    rows = task_of(model).examples(phrases).with_columns(side=side).filter(pl.col("side") == "test")
    hidden = dict.fromkeys(("PER", "LEGAL_PROFESSIONAL", "DATE"), (0, 0))
    for _, document in rows.group_by("document", maintain_order=True):
        texts = document["text"].to_list()
        made = pseudonymise(texts, predictor.predict(texts), source.replace)
        for text, truth, replaced in zip(texts, document["spans"], made.spans, strict=True):
            covered = {i for start, end in replaced for i in range(start, end)}
            for start, end, label in as_spans(truth):
                words = [m for m in re.finditer(r"\w+", text[start:end]) if m[0].lower() not in STAYS]
                if label in hidden and words:
                    is_hidden = all(start + i in covered for m in words for i in range(*m.span()))
                    hidden[label] = (hidden[label][0] + is_hidden, hidden[label][1] + 1)
    shares = {label: found / all_of for label, (found, all_of) in hidden.items()}
    assert shares["LEGAL_PROFESSIONAL"] > 0.85 and shares["PER"] > 0.5 and shares["DATE"] > 0.4
    assert hidden["PER"][1] > 40 and hidden["DATE"][1] > 100


def test_nothing_is_left_to_do():
    with open_run(PROJECT) as run:
        assert plan_project(run).is_empty
