"""Thresholds, weak groups, labels that look wrong, errors to read, learning curves."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from flows.errors import Refused
from flows.training.evaluation import errors, evaluate, groups, intervals, label_problems, learning_curve, thresholds

LABELS = ["a", "b", "c"]


def drawn(rows: int, seed: int, labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Truth drawn from the probabilities themselves: a well-calibrated model."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.3] * labels, rows)
    return np.minimum((probabilities.cumsum(1) < generator.random(rows)[:, None]).sum(1), labels - 1), probabilities


# ---- thresholds ----


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 60))
def test_answers_above_a_threshold_by_hand(seed, rows):
    truth, probabilities = drawn(rows, seed)
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    for entry in thresholds.answers(truth, probabilities):
        kept = sure >= entry["threshold"]
        assert entry["rows"] == kept.sum() and entry["share"]["value"] == pytest.approx(kept.mean())
        assert entry["recall"]["value"] == pytest.approx((kept & right).mean())
        if kept.any():
            assert entry["accuracy"]["value"] == pytest.approx(right[kept].mean())
        else:
            assert entry["accuracy"] == {"value": None, "low": None, "high": None}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60))
def test_decisions_above_a_threshold_are_those_of_scikit_learn(rows):
    truth, scores = np.array([t for t, _ in rows]).astype(int), np.array([s / 20 for _, s in rows], dtype=np.float32)
    for entry in thresholds.decisions(truth, scores):
        given_ = scores >= np.float32(entry["threshold"])
        precision, recall = (f(truth, given_, zero_division=np.nan) for f in (precision_score, recall_score))
        for name, value in (("precision", precision), ("recall", recall)):
            assert entry[name]["value"] is None if np.isnan(value) else entry[name]["value"] == pytest.approx(value)
        assert entry["accuracy"]["value"] == pytest.approx((given_ == truth).mean())


def test_the_threshold_that_validation_promises_is_kept_on_the_test_side():
    kept = []
    for seed in range(20):
        found = thresholds.promise(drawn(2000, seed), drawn(4000, seed + 100), 0.9)
        assert found["on_validation"]["threshold"] == found["on_test"]["threshold"] == found["threshold"]
        kept.append(found["on_test"]["accuracy"]["high"] >= 0.9)
    assert all(kept) and json.loads(json.dumps(found, allow_nan=False)) == found
    bold = thresholds.promise(drawn(2000, 0), drawn(4000, 100), 0.9)
    assert thresholds.choose(bold["validation"], 0.9, cautious=False) <= bold["threshold"]


def test_few_rows_that_are_all_right_promise_little():
    """Twenty right out of twenty: a bootstrap would be certain, the binomial interval begins at 0.83."""
    truth, probabilities = np.zeros(20, int), np.tile([0.8, 0.1, 0.1], (20, 1))
    table = thresholds.answers(truth, probabilities)
    assert thresholds.choose(table, 0.95) is None and thresholds.choose(table, 0.8) == 0.0
    assert thresholds.choose(table, 0.95, cautious=False) == 0.0
    none = thresholds.promise((truth, probabilities), (truth, probabilities), 0.95)
    assert none["threshold"] is None and none["on_test"] is None


def test_a_decision_is_chosen_by_its_precision():
    truth = np.array([0] * 900 + [1] * 100)
    scores = np.concatenate([np.full(890, 0.1), np.full(10, 0.6), np.full(100, 0.9)])
    assert thresholds.choose(thresholds.decisions(truth, scores), 0.95) == pytest.approx(0.65)


# ---- groups ----


def test_a_weak_group_is_seen_and_a_small_one_is_not_judged():
    truth = np.zeros(1230, int)
    region = np.array(["Bretagne"] * 1000 + ["Corse"] * 200 + ["Mayotte"] * 30, dtype=object)
    region[-10:] = "La Réunion"
    predicted = np.where(np.arange(1230) % 10 == 0, 1, 0)
    predicted[1000:1200:2] = 1
    probabilities = np.eye(3)[predicted]
    found = groups.by_groups({"région": region}, lambda rows: evaluate(truth[rows], probabilities[rows], LABELS), "accuracy")
    by_value = {g["value"]: g for g in found["columns"]["région"]["groups"]}
    assert list(by_value) == ["Bretagne", "Corse", "Mayotte", "La Réunion"]
    assert by_value["Corse"]["weak"] and not by_value["Bretagne"]["weak"]
    assert by_value["Mayotte"]["few"] and by_value["Mayotte"]["accuracy"] is None and not by_value["Mayotte"]["weak"]
    assert [w["value"] for w in groups.weak(found)] == ["Corse"] and groups.weak(found)[0]["column"] == "région"
    assert found["accuracy"]["value"] == pytest.approx((predicted == 0).mean())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_is_not_known_is_a_group_and_there_are_not_too_many():
    values = [None, math.nan, float("nan"), *(f"commune {i % 70}" for i in range(700))]
    found = groups.by_groups({"commune": values}, lambda rows: {"mae": {"value": 1.0, "low": 1.0, "high": 1.0}}, "mae", fewest=2)
    column = found["columns"]["commune"]
    assert len(column["groups"]) == 50 and column["others"] == {"groups": 21, "rows": 203}
    few = groups.by_groups({"c": values[:3]}, lambda rows: {"mae": {"value": 1.0, "low": 1.0, "high": 1.0}}, "mae", fewest=2)
    assert few["columns"]["c"]["groups"][0]["value"] is None and few["columns"]["c"]["groups"][0]["rows"] == 3


def test_of_an_error_the_higher_is_weak():
    error = np.array([1.0] * 100 + [3.0] * 50)

    def mean(rows):
        return {"mae": intervals.interval(error[rows].mean(), error[rows])}

    found = groups.by_groups({"size": ["petit"] * 100 + ["grand"] * 50}, mean, "mae", higher_is_better=False)
    assert [g["weak"] for g in found["columns"]["size"]["groups"]] == [False, True]


def test_columns_of_other_lengths_are_said():
    with pytest.raises(ValueError, match="one number"):
        groups.by_groups({"a": [1], "b": [1, 2]}, lambda rows: {}, "f1")


def test_a_group_whose_score_does_not_exist_is_not_weak():
    nothing = {"roc_auc": {"value": None, "low": None, "high": None}}
    found = groups.by_groups({"a": ["x"] * 40}, lambda rows: nothing, "roc_auc")
    assert found["columns"]["a"]["groups"][0]["weak"] is False


# ---- labels that look wrong ----


def test_labels_that_were_swapped_are_found():
    truth, probabilities = drawn(3000, 1)
    sure = np.flatnonzero((probabilities.max(1) > 0.9) & (probabilities.argmax(1) == truth))[:60]
    swapped = truth.copy()
    swapped[sure] = (truth[sure] + 1) % 3
    found = label_problems.find(swapped, probabilities, LABELS, most=1000)
    assert set(sure.tolist()) <= {entry["row"] for entry in found["listed"]}
    first = [entry["row"] for entry in found["listed"][:100]]
    assert len(set(first) & set(sure.tolist())) >= 50
    assert sum(p["rows"] for p in found["pairs"]) == found["suspects"] == len(found["listed"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_label_of_which_the_model_is_never_sure_is_suggested_all_the_same():
    """By hand: it gives "b" 0.4 where it is right, so 0.45 is much for it; "a" has 0.9 usually, so 0.55 is little."""
    probabilities = np.array([[0.9, 0.1]] * 8 + [[0.55, 0.45]] + [[0.6, 0.4]] * 5)
    truth = np.array([0] * 9 + [1] * 5)
    found = label_problems.find(truth, probabilities, ["a", "b"])
    assert found["thresholds"] == {"a": pytest.approx((0.9 * 8 + 0.55) / 9), "b": pytest.approx(0.4)}
    assert found["suspects"] == 0  # "b" is above its threshold for one row of "a", and yet "a" is likelier
    probabilities[8] = [0.45, 0.55]
    one = label_problems.find(truth, probabilities, ["a", "b"])
    assert one["listed"] == [{"row": 8, "given": "a", "suggested": "b", "margin": 0.1}]


def test_labels_without_rows_and_few_listed():
    found = label_problems.find([0, 0, 1], np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]]), LABELS, most=1)
    assert found["thresholds"]["c"] is None and found["suspects"] == 2
    assert found["listed"] == [{"row": 0, "given": "a", "suggested": "b", "margin": 0.8}]


def test_cross_validation_predicts_each_row_by_a_model_that_has_not_seen_it():
    truth = np.array([0, 1, 2, 2, 0, 1, 0, 0, 1, 2, 1, 0])
    seen = []

    def fit_predict(train, out):
        assert not set(train) & set(out)
        seen.extend(out.tolist())
        return np.tile(np.bincount(truth[train], minlength=3) / len(train), (len(out), 1))

    found = label_problems.cross_validated(truth, 3, fit_predict, folds=3)
    assert sorted(seen) == list(range(12)) and found.sum(1) == pytest.approx(np.ones(12))
    rare = label_problems.cross_validated([0, 0, 1], 2, lambda train, out: np.full((len(out), 2), 0.5), folds=5)
    assert rare.shape == (3, 2) and (rare == 0.5).all()
    with pytest.raises(Refused, match="two rows"):
        label_problems.cross_validated([0], 2, lambda train, out: np.zeros((1, 2)))


# ---- errors to read ----


def test_errors_come_with_the_surest_first_and_some_by_chance():
    truth, probabilities = drawn(500, 2)
    found = errors.sample(truth, probabilities, LABELS, lambda row: f"texte {row}", personal_data="none", surest=5, by_chance=7)
    wrong = np.flatnonzero(probabilities.argmax(1) != truth)
    assert found["errors"] == len(wrong) and found["rows"] == 500
    surest = [e["row"] for e in found["surest"]]
    assert surest == sorted(wrong, key=lambda r: -probabilities[r].max())[:5]
    chance = [e["row"] for e in found["by_chance"]]
    assert len(chance) == 7 and set(chance) <= set(wrong) - set(surest)
    for entry in found["surest"] + found["by_chance"]:
        assert entry["truth"] != entry["predicted"] and entry["text"] == f"texte {entry['row']}"
    assert found == errors.sample(truth, probabilities, LABELS, lambda row: f"texte {row}", personal_data="none", surest=5, by_chance=7)


def test_no_errors_and_fewer_than_asked():
    none = errors.sample([0, 1], np.eye(3)[[0, 1]], LABELS, lambda row: "x")
    assert none["errors"] == 0 and none["surest"] == none["by_chance"] == []
    one = errors.sample([0, 1], np.eye(3)[[0, 2]], LABELS, lambda row: "x", personal_data="none")
    assert [e["row"] for e in one["surest"]] == [1] and one["by_chance"] == []


PERSONAL = "Bonjour, je suis Jeanne Martin, joignable au 06 12 34 56 78 ou à jeanne.martin@ville-essai.fr, n° 1 85 05 78 006 084 91."


@pytest.mark.parametrize("declared", ["none", "pseudonymised", "personal"])
def test_personal_data_is_masked_whatever_is_declared(declared):
    found = errors.shown(PERSONAL, declared)
    for secret in ("06 12", "34 56 78", "jeanne.martin", "85 05", "Martin"):
        assert secret not in found
    assert "[téléphone]" in found and "[e-mail]" in found and "[NIR]" in found


def test_a_name_that_no_rule_knows_is_reduced_to_letters_where_people_are_expected():
    text = "le dossier de Xqzrtv a été perdu par mail a@ville-essai.fr"
    assert "Xqzrtv" in errors.shown(text, "none")
    assert errors.shown(text, "personal") == "l*** d*** d*** X*** a*** é*** p*** p*** m*** [e-mail]"
    assert "Xqzrtv" not in errors.shown(text, "none", kinds=["name"])
    assert errors.shown(text, "sensitive") is None


@settings(deadline=None)
@given(st.integers(0, 4200))
def test_a_number_that_a_cut_would_halve_is_not_shown(before):
    """Wherever it stands in a long text, and however short what is before it becomes by masking."""
    text = ("a@ville-essai.fr " * 400)[:before] + " 06 12 34 56 78 " + "fin " * 500
    assert "34" not in errors.shown(text, "none")


def test_long_texts_are_cut():
    found = errors.shown("mot " * 5000, "none")
    assert len(found) == errors.LENGTH and found.endswith("…")


# ---- learning curve ----


def test_a_learning_curve_asks_for_more_and_more_rows():
    asked = []

    def train(rows):
        asked.append(rows)
        return {"f1": {"value": rows / 1000, "low": 0.0, "high": 1.0}, "rows": 50}

    found = learning_curve.learning_curve(800, train, "f1", [1.0, 0.1, 0.5])
    assert asked == [80, 400, 800] and found["gain"] == pytest.approx(0.4)
    assert [p["f1"]["value"] for p in found["points"]] == [0.08, 0.4, 0.8] and found["points"][0]["share"] == 0.1


def test_a_learning_curve_of_hardly_any_rows():
    found = learning_curve.learning_curve(2, lambda rows: {"f1": {"value": None, "low": None, "high": None}}, "f1")
    assert [p["rows"] for p in found["points"]] == [1, 2] and found["gain"] is None
    for shares in ([], [0.0], [1.2]):
        with pytest.raises(ValueError, match="shares"):
            learning_curve.learning_curve(10, lambda rows: {}, "f1", shares)
