"""A card of each task, from a real evaluation of a cheap candidate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from huggingface_hub import ModelCard

from flows.project import TextClassification, TextSimilarity, TokenClassification
from flows.training import card, pictures, report
from flows.training.examples import REASONS, prepare
from flows.training.tasks import task_of
from flows.training.tasks.base import Job, Seen
from tests.conftest import rows
from tests.training import tables
from tests.training.test_card import FACTS, english, french

COMMON = {"title": "t", "dataset": "d", "split": {"validation": 0.2, "test": 0.2}}
TEXTS = pl.DataFrame(rows(300), schema=["id", "texte", "theme"], orient="row").with_columns(ville=pl.col("id").str.slice(-1))


def several() -> tuple[Any, pl.DataFrame]:
    fields = {"task": "text-classification", "inputs": ["texte"], "label": "theme", "answer": "several", "candidates": ["tfidf"]}
    return TextClassification.model_validate(COMMON | fields), TEXTS.with_columns(theme=pl.col("theme") + "|question")


def ordered() -> tuple[Any, pl.DataFrame]:
    fields = {
        "task": "text-classification",
        "inputs": ["texte"],
        "label": "theme",
        "answer": "ordered",
        "order": ["paie", "congé", "contrat"],
    }
    return TextClassification.model_validate(COMMON | fields | {"candidates": ["tfidf"], "groups": ["ville"]}), TEXTS


def entities() -> tuple[Any, pl.DataFrame]:
    tags = [" ".join("B-nombre" if w.isdigit() else "O" for w in text.split()) for text in TEXTS["texte"]]
    fields = {"task": "token-classification", "tokens": "texte", "tags": "tags", "candidates": ["dictionary"]}
    return TokenClassification.model_validate(COMMON | fields), TEXTS.with_columns(tags=pl.Series(tags))


def similar() -> tuple[Any, pl.DataFrame]:
    fields = {"task": "text-similarity", "query": "texte", "answer": "theme", "candidates": ["tfidf"]}
    return TextSimilarity.model_validate(COMMON | fields), TEXTS


def ranked() -> tuple[Any, pl.DataFrame]:
    return tables.classification(groups=["secteur"]), tables.companies()


def numbers() -> tuple[Any, pl.DataFrame]:
    return tables.regression(), tables.companies()


@pytest.mark.parametrize("made", [several, ordered, entities, similar, ranked, numbers])
def test_a_card_of_each_task(tmp_path: Path, made: Any) -> None:
    model, frame = made()
    task = task_of(model)
    examples = prepare(frame.lazy(), task, ["id"], tmp_path / "examples")
    folder = tmp_path / "model"
    folder.mkdir()
    candidate = model.all_candidates[0]
    trained = task.trainer(candidate)(Job(candidate, examples, folder, tmp_path, tmp_path))
    fitted = task.fit_to_validation(trained.predictor, examples)
    trained.predictor.save(folder)
    sides = {side: examples.read(side) for side in ("validation", "test")}
    answers = {side: task.predict(trained.predictor, sides[side]) for side in sides}
    metrics = {side: task.evaluate(answers[side], sides[side], examples.labels) for side in sides}
    found = json.loads(json.dumps(report.make(task, Seen(sides, answers, examples.labels, "none", folder), examples)))
    manifest = FACTS | {
        "candidate": {"label": candidate.label, **candidate.model_dump(exclude_none=True)},
        "dataset": FACTS["dataset"] | {"rows": examples.rows, "left_out": examples.left_out},
        "metrics": json.loads(json.dumps(metrics)),
        "labels": examples.labels,
        "inputs": next(iter(model.read.values())),
        "training": trained.facts,
        "fitted": fitted,
        "base_model": {},
    }
    facts = manifest | {
        "title": model.title,
        "task": model.task,
        "metric": model.metric,
        "split": model.split.model_dump(exclude_none=True),
        "reasons": REASONS | task.REASONS,
        "report": found,
        "about": json.loads((folder / "socle.json").read_text(encoding="utf-8")),
        "sections": {language: task.card(manifest, language) for language in ("fr", "en")},
        "plots": pictures.draw(metrics["test"], found, folder),
    }
    text = card.write(facts)
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    loaded = ModelCard.load(tmp_path / "README.md")
    assert model.metric in {r.metric_name for r in loaded.data.eval_results}
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(None|nan|inf)\b", prose)
    for part, decides in ((french(text), "celle qui décide"), (english(text), "the one that decides")):
        assert part.count(decides) == 1
        for table in re.findall(r"(?:^\|.*\n)+", part, re.MULTILINE):
            assert len({re.sub(r"\\\|", "", line).count("|") for line in table.splitlines()}) == 1, table
    assert all((folder / p["file"]).is_file() for p in facts["plots"])


def test_every_metric_has_a_name():
    from flows.project import models
    from flows.training.card.words import METRICS

    for name in dir(models):
        for metric in getattr(getattr(models, name), "METRICS", {}):
            assert metric in METRICS
