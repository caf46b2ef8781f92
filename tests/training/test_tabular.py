"""Models of tables: they learn from each kind of column, what is stored is what was trained, odd tables get right answers or errors."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from flows.errors import ConfigurationError, Refused, StorageError
from flows.models import load
from flows.models.tabular import FILE, TRUSTED, Column, features
from flows.project import Budget
from flows.training.tables import inputs_of
from tests.conftest import REPOSITORY
from tests.training.tables import INPUTS, classification, companies, prepared, regression, trained

KINDS = ["linear", "boosting"]


def test_boosting_learns_what_a_linear_model_cannot(tmp_path):
    task, examples = prepared(tmp_path, classification(inputs=["effectif", "secteur"], texts=[]))
    rows, scores = examples.read("test"), {}
    for kind in KINDS:
        found, _ = trained(task, examples, tmp_path, kind)
        scores[kind] = task.evaluate(task.predict(found.predictor, rows), rows, examples.labels)["roc_auc"]["value"]
    assert scores["linear"] < 0.75 and scores["boosting"] > 0.85


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("only", [["creation"], ["effectif"]])
def test_each_kind_of_column_says_something_of_a_number(tmp_path, kind, only):
    task, examples = prepared(tmp_path, regression(inputs=only, texts=[]))
    found, _ = trained(task, examples, tmp_path, kind)
    rows = examples.read("test")
    assert r2_score(rows["label"], task.predict(found.predictor, rows)) > {"creation": 0.6, "effectif": 0.02}[only[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_a_text_count(tmp_path, kind):
    task, examples = prepared(tmp_path, classification(inputs=["activite"]))
    found, _ = trained(task, examples, tmp_path, kind)
    rows = examples.read("test")
    assert roc_auc_score(rows["label"], task.predict(found.predictor, rows)[:, 1]) > 0.7
    assert {c.kind for c in found.predictor.columns} == {"text"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [classification(), regression()], ids=["labels", "numbers"])
def test_the_saved_one_gives_the_same_answers(tmp_path, kind, model):
    task, examples = prepared(tmp_path, model)
    found, job = trained(task, examples, tmp_path, kind)
    loaded, rows = load(job.folder), companies(80, seed=9)
    answers = loaded.predict(rows)
    np.testing.assert_array_equal(answers, found.predictor.predict(rows))
    assert answers.shape == ((80, 2) if model.task.endswith("classification") else (80,))
    assert {p.suffix for p in job.folder.iterdir()} == {".skops", ".json"}
    assert loaded.predict(rows[:0]).shape[0] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_without_socle(tmp_path, kind):
    task, examples = prepared(tmp_path, classification(inputs=["effectif", "secteur"], texts=[]))
    found, job = trained(task, examples, tmp_path, kind)
    rows = companies(50, seed=9)
    table = rows.select(pl.col("effectif").fill_null(float("nan")), pl.col("secteur").fill_null("")).to_pandas()
    expected = found.predictor.predict(rows)
    np.testing.assert_allclose(skops.io.load(job.folder / FILE, trusted=TRUSTED).predict_proba(table), expected, atol=1e-6)


def test_a_file_with_a_type_that_is_not_trusted_is_refused(tmp_path):
    from functools import partial
    from os import system

    from sklearn.preprocessing import FunctionTransformer

    task, examples = prepared(tmp_path, classification())
    _, job = trained(task, examples, tmp_path, "boosting")
    for harmful in (FunctionTransformer(system), FunctionTransformer(partial(system, "true"))):
        skops.io.dump(harmful, job.folder / FILE)
        with pytest.raises(StorageError, match=r"holds types that no model of Socle has.*system"):
            load(job.folder)


def test_a_damaged_file(tmp_path):
    task, examples = prepared(tmp_path, classification())
    _, job = trained(task, examples, tmp_path, "linear")
    path = job.folder / FILE
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(StorageError, match="cannot be read"):
        load(job.folder)


# ---- odd tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_categories_new_nulls_and_infinite_numbers_get_finite_answers(tmp_path, kind):
    rows = companies().with_columns(pl.col("effectif").fill_null(60.0), sociale=pl.col("sociale").fill_null(False))
    task, examples = prepared(tmp_path, classification(), rows)
    found, _ = trained(task, examples, tmp_path, kind)
    known = {"effectif": 60.0, "secteur": "A", "sociale": True, "creation": rows["creation"][0], "activite": "bureau conseil"}
    odd = [{"secteur": "Z"}, *({name: None} for name in INPUTS), {"effectif": float("inf")}, {"effectif": float("nan")}, {"activite": "!"}]
    table = pl.DataFrame([known | change for change in odd], schema={name: rows.schema[name] for name in INPUTS})
    answers = found.predictor.predict(table)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)
    none, infinite, nan = (answers[i] for i in (1, 6, 7))
    np.testing.assert_array_equal(infinite, nan)
    np.testing.assert_array_equal(infinite, none)


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_numbers_in_training_are_missing_and_said(tmp_path, kind):
    rows = companies().with_columns(effectif=pl.when(pl.int_range(pl.len()) % 50 == 0).then(float("inf")).otherwise(pl.col("effectif")))
    task, examples = prepared(tmp_path, classification(), rows)
    said: list[str] = []
    found, _ = trained(task, examples, tmp_path, kind, notice=said.append)
    assert "infinies" in said[0] and "effectif (" in said[0]
    assert np.isfinite(found.predictor.predict(rows)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_one_value_are_left_out_and_said(tmp_path, kind):
    rows = companies().with_columns(annee=pl.lit(2018), vide=pl.lit(None, dtype=pl.Float64), muet=pl.lit("!"))
    task, examples = prepared(tmp_path, classification(inputs=["annee", "effectif", "vide", "vu", "muet"], texts=["muet"]), rows)
    said: list[str] = []
    found, _ = trained(task, examples, tmp_path, kind, notice=said.append)
    assert found.facts["unused_inputs"] == ["annee", "vide", "vu", "muet"]
    assert "annee, vide, vu, muet" in said[0]
    later = rows.with_columns(annee=pl.lit(2019), vide=pl.lit(7.0), muet=pl.lit("des mots"))
    np.testing.assert_array_equal(found.predictor.predict(later), found.predictor.predict(rows))


def test_nothing_varies(tmp_path):
    rows = companies().with_columns(annee=pl.lit(2018), muet=pl.lit("!"))
    task, examples = prepared(tmp_path, classification(inputs=["annee", "muet"], texts=["muet"]), rows)
    with pytest.raises(Refused, match="every input has one value"):
        trained(task, examples, tmp_path, "linear")


@pytest.mark.parametrize("kind", KINDS)
def test_missing_columns_and_columns_of_another_type(tmp_path, kind):
    task, examples = prepared(tmp_path, classification())
    found, _ = trained(task, examples, tmp_path, kind)
    rows = companies(20)
    with pytest.raises(Refused, match=r"2 column\(s\) that the model reads are missing: secteur, creation"):
        found.predictor.predict(rows.drop("secteur", "creation"))
    with pytest.raises(Refused, match="'effectif' is String: the model was trained on a number"):
        found.predictor.predict(rows.with_columns(pl.col("effectif").cast(pl.String)))
    with pytest.raises(Refused, match="'secteur' is Int64: the model was trained on a category"):
        found.predictor.predict(rows.with_columns(secteur=pl.lit(3, dtype=pl.Int64)))
    assert found.predictor.predict(rows.with_columns(secteur=pl.lit(None))).shape == (20, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_with_two_rows_and_one_that_training_never_saw(tmp_path, kind):
    rows = companies(400).with_columns(theme=pl.col("secteur").fill_null("D"))
    rare = pl.DataFrame({"id": ["r1", "r2"], "theme": ["deux", "deux"]})
    rows = pl.concat([rows, rare], how="diagonal")
    task, examples = prepared(tmp_path, classification(label="theme", inputs=["effectif", "creation"], texts=[], positive=None), rows)
    found, _ = trained(task, examples, tmp_path, kind)
    answers = task.predict(found.predictor, examples.read("test"))
    assert examples.labels == ["A", "B", "C", "D", "deux"] and answers.shape[1] == 5
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)
    seen = 4 in examples.read("train")["label"].to_list()
    assert seen or answers[:, 4].max() < 1e-6
    task.fit_to_validation(found.predictor, examples)
    task.evaluate(answers, examples.read("test"), examples.labels)


def test_many_categories(tmp_path):
    rows = companies(900).with_columns(commune=("c" + (pl.int_range(pl.len()) % 450).cast(pl.String)))
    task, examples = prepared(tmp_path, classification(inputs=["commune", "effectif"], texts=[]), rows)
    for kind in KINDS:
        found, _ = trained(task, examples, tmp_path, kind)
        assert np.isfinite(task.predict(found.predictor, examples.read("test"))).all()


def test_types_that_nothing_is_learned_from(tmp_path):
    rows = companies().with_columns(liste=pl.col("activite").str.split(" "))
    task, examples = prepared(tmp_path, classification(inputs=["liste"], texts=[]), rows)
    with pytest.raises(ConfigurationError, match="'liste' is List"):
        trained(task, examples, tmp_path, "linear")
    task, examples = prepared(tmp_path, classification(texts=["effectif"]))
    with pytest.raises(ConfigurationError, match="texts: 'effectif' is Float64"):
        trained(task, examples, tmp_path, "boosting")


def test_dates_become_days_and_parts():
    frame = features(companies(3).select("creation", "vu"), [Column("creation", "date"), Column("vu", "datetime")])
    assert frame.columns == ["creation", "creation:month", "creation:weekday", "vu", "vu:month", "vu:weekday", "vu:hour"]
    assert frame["vu"][0] == 19849 + 10.5 / 24 and frame.row(0)[4:] == ("05", "1", "10")


# ---- training ------------------------------------------------------------------------------------------------------


def test_boosting_stops_by_the_validation_side(tmp_path):
    task, examples = prepared(tmp_path, classification(candidates=[{"kind": "boosting", "max_iter": 400}]))
    points: dict[int, dict[str, float]] = {}
    shares: list[float] = []
    found, _ = trained(task, examples, tmp_path, "boosting", log=points.__setitem__, advance=shares.append)
    steps = found.facts["steps"]
    assert found.facts["stopped"] == "validation" and 10 < steps < 400
    assert list(points) == list(range(1, steps + 1)) and sum(shares) == pytest.approx(1)
    losses = [points[s]["validation_loss"] for s in points]
    assert min(losses[-10:]) >= min(losses[:-10]), "ten trees in a row were no better"
    rows = examples.read("validation")
    probabilities = found.predictor.predict(inputs_of(rows))[np.arange(len(rows)), rows["label"].to_numpy()]
    assert -np.log(probabilities).mean() == pytest.approx(losses[-1], abs=1e-4), "the loss is that of our validation side"


def test_the_test_side_is_not_read(tmp_path):
    task, examples = prepared(tmp_path, classification())
    examples.path("test").unlink()
    for kind in KINDS:
        found, _ = trained(task, examples, tmp_path, kind)
        task.fit_to_validation(found.predictor, examples)


def test_a_budget_stops_with_the_trees_so_far(tmp_path):
    task, examples = prepared(tmp_path, classification(candidates=[{"kind": "boosting", "learning_rate": 0.001}]))
    said: list[str] = []
    found, _ = trained(task, examples, tmp_path, "boosting", budget=Budget(max_minutes=1e-6), notice=said.append)
    assert found.facts == {"steps": 20, "stopped": "max_minutes", "unused_inputs": []} and "budget" in said[0]
    (tmp_path / "b").mkdir()
    job = {"budget": Budget(max_kwh=1.0), "energy": lambda: 2.0}
    assert trained(task, examples, tmp_path / "b", "boosting", **job)[0].facts["stopped"] == "max_kwh"


def test_two_trainings_are_the_same(tmp_path):
    task, examples = prepared(tmp_path, classification())
    for kind in KINDS:
        (tmp_path / "again").mkdir(exist_ok=True)
        one, two = (trained(task, examples, tmp_path / place, kind)[0] for place in ("", "again"))
        rows = companies(100, seed=4)
        np.testing.assert_array_equal(one.predictor.predict(rows), two.predictor.predict(rows))


def test_ranking_scores_are_those_of_scikit_learn(tmp_path):
    task, examples = prepared(tmp_path, classification())
    found, _ = trained(task, examples, tmp_path, "linear")
    rows = examples.read("test")
    answers = task.predict(found.predictor, rows)
    scores = task.evaluate(answers, rows, examples.labels)
    assert scores["average_precision"]["value"] == pytest.approx(average_precision_score(rows["label"], answers[:, 1]))
    assert scores["ranking"]["base_rate"]["value"] == pytest.approx(rows["label"].mean())
    assert task.outcomes(answers, rows, examples.labels).columns == ["truth", "predicted", "confidence", "probability"]


def test_docs_name_the_trusted_types():
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    given = page.split("trusted=[", 1)[1].split("]", 1)[0]
    assert sorted(re.findall(r'"([^"]+)"', given)) == sorted(TRUSTED)
