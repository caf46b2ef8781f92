"""Pictures are written, say what they show, and come out for input that has hardly anything in it. What they look like is for eyes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flows.training.evaluation import calibration, evaluate, groups, learning_curve, plots, thresholds

LABELS = ["Congés", "Paie & primes <b>", "Prix en $ ou en $"]
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def side() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([0.4] * 3, 400)
    return np.minimum((probabilities.cumsum(1) < generator.random(400)[:, None]).sum(1), 2), probabilities


def texts(path: Path) -> str:
    """SVG keeps its texts as comments beside the outlines of their letters."""
    content = path.read_text("utf-8")
    assert content.startswith("<?xml") and content.rstrip().endswith("</svg>")
    return "\n".join(line for line in content.splitlines() if line.strip().startswith("<!--"))


def test_a_confusion_matrix(side, tmp_path):
    path = plots.confusion_matrix(evaluate(*side, LABELS)["confusion"], LABELS, tmp_path / "new" / "confusion.svg")
    said = texts(path)
    assert "Matrice de confusion" in said and "vrai libellé" in said and "Congés" in said


def test_of_many_labels_the_frequent_ones_are_shown(tmp_path):
    table = np.diag(np.arange(1, 41))
    said = texts(plots.confusion_matrix(table.tolist(), [f"libellé {i}" for i in range(40)], tmp_path / "c.svg"))
    assert "10 libellés moins fréquents non montrés" in said and "libellé 39" in said and "libellé 9 " not in said


def test_the_curve_of_calibration(side, tmp_path):
    report = calibration.report(side, side)
    said = texts(plots.reliability(report, tmp_path / "both.svg"))
    assert "avant (erreur de calibration" in said and "après" in said
    alone = texts(plots.reliability(calibration.measure(*side), tmp_path / "one.svg"))
    assert "modèle (erreur de calibration" in alone and "avant" not in alone


def test_bars_of_labels_come_with_the_lowest_first(side, tmp_path):
    truth, _ = side
    metrics = evaluate(truth, np.eye(3)[np.where(truth == 2, 0, truth)], LABELS)
    said = texts(plots.per_label(metrics, tmp_path / "labels.svg"))
    assert said.index("Prix en") < said.index("Congés") < said.index("Paie") and "F1 par libellé" in said
    assert "Rappel par libellé" in texts(plots.per_label(metrics, tmp_path / "recall.svg", "recall"))


def test_bars_of_groups_say_which_are_weak_and_how_many_are_too_small(tmp_path):
    truth, region = np.zeros(200, int), ["Bretagne"] * 100 + ["Corse"] * 90 + [None] * 10
    probabilities = np.eye(2)[(np.arange(200) >= 100) & (np.arange(200) % 2 == 0).astype(int)]
    report = groups.by_groups({"région": region}, lambda rows: evaluate(truth[rows], probabilities[rows], ["a", "b"]), "accuracy")
    path = plots.group_bars(report, "région", tmp_path / "groups.svg")
    said = texts(path)
    assert "Exactitude par région" in said and "1 groupe avec trop peu de lignes" in said and "nettement moins bon" in said
    assert plots.ORANGE.lower() in path.read_text("utf-8").lower()


def test_curves_of_thresholds_of_answers_and_of_decisions(side, tmp_path):
    truth, probabilities = side
    said = texts(plots.threshold_curve(thresholds.answers(truth, probabilities), tmp_path / "a.svg", chosen=0.7))
    assert "part de lignes avec réponse" in said and "seuil retenu : 0,70" in said
    decisions = thresholds.decisions(truth == 0, probabilities[:, 0])
    said = texts(plots.threshold_curve(decisions, tmp_path / "d.svg", side="test"))
    assert "rappel" in said and "précision" in said and "(test)" in said


def test_precision_and_recall_of_many_points(tmp_path):
    path = plots.precision_recall(np.linspace(1, 0.1, 500_000), np.linspace(0, 1, 500_000), tmp_path / "pr.svg", base_rate=0.1)
    assert "au hasard" in texts(path) and path.stat().st_size < 500_000


def test_a_learning_curve(tmp_path):
    scores = {"macro_f1": {"value": 0.5, "low": 0.4, "high": None}}
    report = learning_curve.learning_curve(12_000, lambda rows: scores, "macro_f1", [0.5, 1.0])
    said = texts(plots.learning(report, tmp_path / "l.svg"))
    assert "12\u202f000" in said and "F1 macro" in said


def test_png_and_the_same_bytes_for_the_same_numbers(side, tmp_path):
    table = evaluate(*side, LABELS)["confusion"]
    for suffix in ("png", "svg"):
        first, again = (plots.confusion_matrix(table, LABELS, tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab")
        assert first == again and (suffix == "svg" or first.startswith(PNG))


def test_one_row_and_scores_that_do_not_exist(tmp_path):
    truth, probabilities = np.array([0]), np.array([[0.4, 0.6, 0.0]])
    metrics = evaluate(truth, probabilities, LABELS)
    plots.confusion_matrix(metrics["confusion"], LABELS, tmp_path / "1.png")
    plots.per_label(metrics, tmp_path / "2.png", "recall")
    plots.per_label({"per_label": []}, tmp_path / "3.png")
    plots.reliability(calibration.measure(truth, probabilities), tmp_path / "4.png")
    plots.threshold_curve(thresholds.answers(truth, probabilities), tmp_path / "5.png")
    nothing = {"f1": {"value": None, "low": None, "high": None}}
    plots.learning(learning_curve.learning_curve(3, lambda rows: nothing, "f1"), tmp_path / "6.png")
    plots.group_bars(groups.by_groups({"a": ["x"]}, lambda rows: nothing, "f1"), "a", tmp_path / "7.png")
    assert all((tmp_path / f"{i}.png").read_bytes().startswith(PNG) for i in range(1, 8))


def test_matplotlib_is_loaded_when_a_picture_is_drawn():
    code = "import sys; import flows.training.evaluation.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
