"""A model version made again from its manifest: what is compared, what is said beforehand, and that nothing is committed."""

from __future__ import annotations

import json
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter

from flows.errors import ConfigurationError, NotFound
from flows.lake import keys
from flows.lake.datasets import Dataset
from flows.lake.references import parse
from flows.project import AnyModel
from flows.steps import model_manifest, open_run, reproduce
from flows.training import baseline
from tests.conftest import csv_text, rows
from tests.training import tiny

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def again(root):
    def made(reference="essai/theme@1", tolerance=None):
        with open_run("essai") as run:
            return reproduce.carry_out(run, reproduce.plan(run, parse(reference), tolerance))

    return made


@pytest.fixture
def planned(root):
    def made(reference="essai/theme@1"):
        with open_run("essai") as run:
            return reproduce.plan(run, parse(reference))

    return made


@pytest.fixture
def manifest(root):
    """Change the manifest of version 1, as if another Socle had written it."""

    def edited(change):
        with open_run("essai") as run:
            key = keys.model_version("theme", 1)
            objects = run.lake.bucket("essai")
            found = json.loads(objects.get(key))
            change(found)
            path = root / ".socle" / "lake" / "socle-essai" / key
            path.write_text(json.dumps(found), encoding="utf-8")

    return edited


def everything(root):
    lake = root / ".socle" / "lake"
    return {p.relative_to(lake): p.read_bytes() for p in lake.rglob("*") if p.is_file()}


def test_the_same_answers_and_scores_come_out_and_nothing_is_committed(root, load, train, again):
    load()
    train()
    before = everything(root)
    found = again()
    assert (found.verdict, found.notes, found.examples) == ("exact", [], [])
    assert found.answers["rows"] == found.answers["same"] > 10 and found.answers["identical"]
    assert found.weights == {"model.safetensors": True}
    assert all(then == now for side in found.scores.values() for then, now in side.values())
    assert everything(root) == before


def test_it_is_made_from_its_own_data_and_settings_not_from_those_of_today(load, train, edit, data, again):
    load()
    train()
    data(csv_text(rows(240, start=500)))
    load()
    edit("validation: 0.2, test: 0.2", "validation: 0.3, test: 0.3")
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, ngram_max: 1, max_features: 2}]")
    edit("inputs: [texte]", "inputs: [id]")
    assert again().verdict == "exact"


def test_what_comes_out_otherwise_is_said(load, train, again, monkeypatch):
    load()
    train()
    own = baseline.train

    def weaker(job, **more):
        job.candidate = job.candidate.model_copy(update={"max_features": 2})
        return own(job, **more)

    monkeypatch.setattr(baseline, "train", weaker)
    found = again()
    then, now = found.scores["test"]["macro_f1"]
    assert found.verdict == "different" and now < then - 0.1
    assert found.answers["same"] < found.answers["rows"] and not found.answers["identical"]
    assert found.weights == {"model.safetensors": False}
    assert again(tolerance=1.0).verdict == "within", "the tolerance is of the metric"


def test_other_examples_are_never_the_same(load, train, again, manifest):
    load()
    train()
    manifest(lambda m: m["dataset"]["left_out"].update(without_text=3))
    found = again(tolerance=1.0)
    assert (found.verdict, found.examples) == ("different", ["left_out"])


def test_a_dataset_version_that_expired_is_said_before_anything_is_trained(load, train, data, planned):
    load()
    train()
    data(csv_text(rows(120)))
    load()
    with open_run("essai") as run:
        table = Dataset(run.lake, "essai", "demandes")
        table.expire([1], table.delta_version(), "retention")
    with pytest.raises(NotFound, match="essai/demandes@1 expired"):
        planned()


def test_another_load_under_the_same_number_is_not_taken(load, train, manifest, planned):
    load()
    train()
    manifest(lambda m: m["dataset"].update(load_id="0" * 24))
    with pytest.raises(NotFound, match="not the one that essai/theme@1 was made from"):
        planned()


def test_settings_that_are_not_known_any_more(load, train, manifest, planned):
    load()
    train()
    manifest(lambda m: m["model_settings"].update(an_old_key=1))
    with pytest.raises(ConfigurationError, match="does not know"):
        planned()


def test_an_older_manifest_is_read_and_what_it_lacks_is_said(load, train, manifest, again, edit):
    load()
    train()

    def older(m):
        del m["model_settings"], m["environment"]
        for name in ("key", "title", "licence", "personal_data"):
            del m["dataset"][name]
        m["made"]["libraries"] = "Python 3.11.7, scikit-learn 1.7.2"

    manifest(older)
    found = again()
    assert found.verdict == "exact"
    assert len(found.notes) == 2 and "today's project file" in found.notes[0] and "scikit-learn 1.7.2" in found.notes[1]


def test_an_older_manifest_of_a_model_that_the_project_has_no_more(load, train, manifest, planned, edit):
    load()
    train()
    manifest(lambda m: m.pop("model_settings"))
    edit("  theme:\n    title", "  autre:\n    title")
    with pytest.raises(ConfigurationError, match="has no model 'theme'"):
        planned()


def test_how_it_was_trained_is_said_where_that_cannot_be_repeated(load, train, manifest, planned):
    load()
    train()
    manifest(lambda m: m["training"].update(stopped="max_minutes", resumed_from=7, out_of_memory=1, processes=2))
    notes = planned().notes
    assert [next(w for w in ("budget", "step 7", "memory", "2 processes") if w in note) for note in notes] == [
        "budget",
        "step 7",
        "memory",
        "2 processes",
    ]


def test_code_libraries_and_machine_that_differ_are_named(load, train, manifest, planned):
    load()
    train()

    def elsewhere(m):
        m["environment"]["libraries"]["scikit-learn"] = "1.0"
        m["environment"]["libraries"]["gone"] = "2.0"
        m["environment"]["machine"]["processor"] = "Z80"
        m["environment"]["code"].update(sha256="0" * 64, revision="abc")

    manifest(elsewhere)
    notes = planned().notes
    for piece in ("scikit-learn was 1.0", "gone was 2.0, and is none", "the processor was Z80", "the code that trains was 0.1.0 (abc)"):
        assert any(piece in note for note in notes), piece
    assert len(notes) == 4


def test_another_revision_with_the_same_code_changes_nothing():
    then = model_manifest.environment("text-classification", SimpleNamespace(kind="tfidf"))
    now = deepcopy(then)
    now["code"]["revision"] = "another"
    assert model_manifest.changes_of_environment(then, now) == []
    assert then["libraries"]["scikit-learn"] and then["machine"]["cores"] >= 1 and len(then["code"]["sha256"]) == 64


@pytest.fixture
def with_transformer(root, edit):
    tiny.make(root / "mini")
    edit(
        "candidates: [tfidf]",
        "candidates: [tfidf, {base_model: 'path:mini', epochs: 1, max_length: 32, batch_size: 8, learning_rate: 1.0e-3, precision: fp32}]",
    )


def test_a_transformer_comes_out_bit_for_bit(load, train, again, with_transformer):
    load()
    train()
    found = again("essai/theme@2")
    assert (found.verdict, found.notes) == ("exact", [])
    assert found.weights == {"model.safetensors": True}


def test_other_weights_of_the_base_model_are_said_before_anything_is_trained(root, load, train, planned, with_transformer):
    from safetensors.numpy import load_file, save_file

    load()
    train()
    weights = root / "mini" / "model.safetensors"
    arrays = {name: np.asarray(value) + 1 for name, value in load_file(weights).items()}
    save_file(arrays, weights, metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="other weights now"):
        planned("essai/theme@2")


def test_answers_are_compared_row_by_row():
    then = pl.DataFrame({"order": [0.1, 0.2, 0.3], "predicted": [0, 1, 1], "confidence": [0.5, 0.6, 0.7]})
    now = pl.DataFrame({"order": [0.3, 0.2, 0.4], "predicted": [1, 0, 1], "confidence": [0.7, 0.5, 0.9]})
    found = reproduce.compare_answers(then, now)
    assert found.pop("largest_difference") == pytest.approx(0.1)
    assert found == {"rows": 2, "only_then": 1, "only_now": 1, "same": 1, "identical": False}
    again = reproduce.compare_answers(then, then.reverse())
    assert again["identical"] and again["same"] == 3
    lists = pl.DataFrame({"order": [0.1, 0.2], "predicted": [[1, 2], []]})
    assert reproduce.compare_answers(lists, lists.with_columns(predicted=pl.Series([[1], []], dtype=pl.List(pl.Int64))))["same"] == 1
    numbers = pl.DataFrame({"order": [0.1, 0.2], "predicted": [1.5, 2.5]})
    assert reproduce.compare_answers(numbers, numbers + 0)["same"] == 2


COMMON = {"title": "t", "dataset": "d"}
BLOCKS = [
    {"task": "text-classification", "inputs": ["a"], "label": "b", "answer": "ordered", "order": ["x", "y"], "candidates": ["tfidf"]},
    {
        "task": "tabular-classification",
        "inputs": ["a"],
        "label": "b",
        "positive": True,
        "split": {"by": "time", "column": "c", "test_from": "2024-01-01", "validation_from": "2023-01-01", "group": "g"},
        "candidates": ["linear"],
        "promote": {"metric": "average_precision", "at_least": 0.2, "tolerance": 0.02},
        "budget": {"max_minutes": 3},
    },
    {"task": "token-classification", "tokens": "a", "tags": "b", "candidates": ["dictionary"], "groups": ["g"], "limits": ["l"]},
    {"task": "causal-lm", "prompt": "a", "answer": "b", "packing": False, "candidates": [{"base_model": "path:m", "lora": {"r": 4}}]},
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b["task"])
def test_a_block_comes_back_from_the_manifest_as_it_was_declared(block):
    model = TypeAdapter(AnyModel).validate_python(COMMON | block)
    candidate = model.candidates[0]
    kept = json.loads(json.dumps(model_manifest.declared(model)))
    settings = json.loads(json.dumps({"label": "l", **candidate.model_dump(exclude_none=True), "parts": {}}))
    version = SimpleNamespace(model_settings=kept, candidate=settings, made={"code": "0"})
    assert model_manifest.declared_then(version) == (model, candidate)
