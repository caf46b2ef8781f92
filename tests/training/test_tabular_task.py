"""Tasks of tables: rows become examples, scores, comparisons, what counts most, and what the card says."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from flows.errors import ConfigurationError, Refused
from flows.training import importance
from flows.training.tasks.base import Seen
from tests.training.tables import classification, companies, prepared, regression, trained


def test_rows_without_label_are_left_out(tmp_path):
    rows = companies().with_columns(risque=pl.when(pl.int_range(pl.len()) % 6 == 0).then(None).otherwise(pl.col("risque")))
    task, examples = prepared(tmp_path, classification(), rows)
    assert examples.left_out == {"without_label": 100} and sum(examples.rows.values()) == 500
    assert examples.labels == ["false", "true"] and task.REASONS["without_label"] == "sans étiquette"
    frame = examples.read("train")
    assert frame.schema["input.creation"] == pl.Date and frame["label"].dtype == pl.Int64


def test_numbers_that_cannot_be_learned_are_left_out(tmp_path):
    odd = {0: None, 1: float("nan"), 2: float("inf"), 3: float("-inf")}
    values = [odd.get(i, value) for i, value in enumerate(companies()["note"])]
    _, examples = prepared(tmp_path, regression(), companies().with_columns(note=pl.Series(values, dtype=pl.Float64)))
    assert examples.left_out == {"without_label": 2, "not_finite": 2}


def test_a_label_that_is_no_number(tmp_path):
    with pytest.raises(ConfigurationError, match="'secteur' is String, not a number") as error:
        prepared(tmp_path, regression(label="secteur", inputs=["effectif"], texts=[]))
    assert "tabular-classification" in error.value.hint


@pytest.mark.parametrize("changes", [{"positive": "oui"}, {"label": "secteur", "positive": "A", "inputs": ["effectif"], "texts": []}])
def test_a_ranking_needs_one_of_two_labels(tmp_path, changes):
    with pytest.raises(Refused, match="is not one of two labels"):
        prepared(tmp_path, classification(**changes))


def test_one_label(tmp_path):
    with pytest.raises(Refused, match=r"fewer than two labels to train on \(true\)"):
        prepared(tmp_path, classification(positive=None), companies().filter("risque"))


@pytest.mark.parametrize("written, label", [("true", "true"), (True, "true"), (False, "false"), (1, "1")])
def test_yes_or_no_may_be_written_as_such(written, label):
    assert classification(positive=written).positive == label


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "roc_auc", "average_precision"])
def test_two_models_are_compared_on_the_same_rows(tmp_path, metric):
    task, examples = prepared(tmp_path, classification(promote={"metric": metric}), companies(1500))
    rows = examples.read("test")
    linear, boosting = (task.predict(trained(task, examples, tmp_path, kind)[0].predictor, rows) for kind in ("linear", "boosting"))
    found = task.paired(boosting, linear, rows, examples.labels)
    own = [task.evaluate(a, rows, examples.labels)[metric]["value"] for a in (boosting, linear)]
    assert found.difference == pytest.approx(own[0] - own[1]) and found.low < found.difference < found.high
    assert found.low > 0, "boosting is better beyond chance"
    assert task.paired(linear, linear, rows, examples.labels).difference == 0


@pytest.mark.parametrize("metric, score", [("mae", mean_absolute_error), ("rmse", root_mean_squared_error), ("r2", r2_score)])
def test_scores_of_numbers(tmp_path, metric, score):
    task, examples = prepared(tmp_path, regression(promote={"metric": metric}))
    rows, found, _ = examples.read("test"), *trained(task, examples, tmp_path, "boosting")
    answers = task.predict(found.predictor, rows)
    value = task.evaluate(answers, rows, [])[metric]["value"]
    assert value == pytest.approx(score(rows["label"], answers))
    assert task._worth(rows["label"].to_numpy(), answers, []) == pytest.approx(value if metric == "r2" else -value)
    worse = answers + 3
    compared = task.paired(worse, answers, rows, [])
    assert compared.difference == pytest.approx(score(rows["label"], worse) - score(rows["label"], answers))
    loss = found.predictor.pipeline["model"].loss
    assert loss == ("absolute_error" if metric == "mae" else "squared_error")


def test_what_counts_most_is_what_the_label_hangs_on(tmp_path):
    rows = companies().with_columns(hasard=pl.Series(np.random.default_rng(7).normal(size=600)))
    task, examples = prepared(tmp_path, classification(inputs=["hasard", "effectif", "secteur"], texts=[]), rows)
    found, _ = trained(task, examples, tmp_path, "boosting")
    fitted = task.fit_to_validation(found.predictor, examples)
    inputs = {i["input"]: i for i in fitted["importance"]["inputs"]}
    assert [i["input"] for i in fitted["importance"]["inputs"]][2] == "hasard"
    assert inputs["effectif"]["low"] > 0.05 > abs(inputs["hasard"]["loss"]) and fitted["importance"]["metric"] == "macro_f1"


def test_importance_by_hand():
    table = pl.DataFrame({"a": list(range(200)), "b": list(range(200))})
    found = importance.permutation(table, lambda t, kept: float((t["a"].to_numpy() == kept).mean()), rows=100)
    assert found["rows"] == 100 and found["score"] == 1
    assert [i["input"] for i in found["inputs"]] == ["a", "b"]
    assert found["inputs"][0]["loss"] > 0.9 and found["inputs"][1]["loss"] == 0


def test_a_temperature_makes_probabilities_believable(tmp_path):
    task, examples = prepared(tmp_path, classification(), companies(4000))
    found, job = trained(task, examples, tmp_path, "boosting")
    rows = examples.read("test")
    found.predictor.classes.temperature = 0.2
    sure = task.predict(found.predictor, rows)
    found.predictor.classes.temperature = 1.0
    assert task.fit_to_validation(found.predictor, examples)["temperature"] == found.predictor.classes.temperature
    answers = task.predict(found.predictor, rows)
    seen = Seen({"validation": examples.read("validation"), "test": rows}, {"test": answers}, examples.labels, "none", job.folder)
    report = task.report(seen)
    assert report["calibration"]["ece"]["value"] < 0.06
    np.testing.assert_array_equal(sure.argmax(1), answers.argmax(1))
    assert report["decisions"][0]["share"]["value"] == 1 and json.dumps(report)


def test_answers_of_an_older_model_in_todays_labels(tmp_path):
    task, _ = prepared(tmp_path, classification())
    answers = np.array([[0.2, 0.8]], dtype=np.float32)
    np.testing.assert_array_equal(task.in_labels(answers, ["b", "a"], ["a", "c", "b"]), np.array([[0.8, 0, 0.2]], dtype=np.float32))


# ---- the card ------------------------------------------------------------------------------------------------------


@pytest.fixture
def manifest(tmp_path):
    task, examples = prepared(tmp_path, classification(promote={"metric": "average_precision"}), companies(2000))
    found, _ = trained(task, examples, tmp_path, "boosting")
    fitted, rows = task.fit_to_validation(found.predictor, examples), examples.read("test")
    return task, {"fitted": fitted, "metrics": {"test": task.evaluate(task.predict(found.predictor, rows), rows, examples.labels)}}


def test_the_card_says_the_ranking_and_what_counts(manifest):
    task, made = manifest
    french, english = task.card(made, "fr"), task.card(made, "en")
    ranking = made["metrics"]["test"]["ranking"]
    looked, precision = ranking["looked_at"]["10pct"], ranking["precision_at_10pct"]["value"]
    text = f"{100 * precision:.1f}".removesuffix(".0")
    assert f"Parmi les {looked} lignes signalées en premier, c'est le cas de {text.replace('.', ',')}\u00a0%" in french
    assert f"Of the {looked} rows that come first, it is so in {text}%" in english
    assert "`risque` = « true »" in french and "`risque` = “true”" in english
    assert french.count("### ") == english.count("### ") == 2
    assert french.index("| effectif |") < french.index("sociale"), "the order is that of what counts"
    tables = [line.count("|") for line in french.splitlines() if line.startswith("|")]
    assert tables[:5] == [5] * 5 and set(tables[5:]) == {4}


def test_names_of_the_data_do_not_break_the_card(manifest):
    task, made = manifest
    made["fitted"]["importance"]["inputs"][0]["input"] = "a|b\nc"
    made["metrics"]["test"]["positive"] = "x|y"
    text = task.card(made, "fr")
    assert "a\\|b c" in text and "« x\\|y »" in text


def test_the_card_of_numbers(tmp_path):
    task, examples = prepared(tmp_path, regression())
    found, _ = trained(task, examples, tmp_path, "linear")
    rows = examples.read("test")
    made = {"fitted": task.fit_to_validation(found.predictor, examples)}
    made |= {"metrics": {"test": task.evaluate(task.predict(found.predictor, rows), rows, [])}}
    assert "| creation |" in task.card(made, "fr") and "### Erreurs selon la valeur" in task.card(made, "fr")
    assert "### Errors by the value" in task.card(made, "en")
