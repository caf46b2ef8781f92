"""Pictures of a version's evaluation, as PNG files beside its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.training.evaluation import plots

MOST_LABELS = 60  # of bars a label
Picture = dict[str, str]
"""file (relative to the version's folder), and what it shows: fr, en."""


def draw(metrics: dict[str, Any], report: dict[str, Any], folder: Path) -> list[Picture]:
    """Those that these scores of the test side and this report have the figures for. `folder`: of the version; they go to its plots/."""
    place, found = folder / "plots", list[Picture]()

    def keep(name: str, french: str, english: str) -> Path:
        found.append({"file": f"plots/{name}.png", "fr": french, "en": english})
        return place / f"{name}.png"

    labels = metrics.get("per_label") or []
    if (table := metrics.get("confusion")) and len(labels) > 1:
        plots.confusion_matrix(table, [p["label"] for p in labels], keep("confusion", "Matrice de confusion", "confusion matrix"))
    if 2 < len(labels) <= MOST_LABELS and any(p["intervals"]["f1"]["value"] is not None for p in labels if "intervals" in p):
        plots.per_label(metrics, keep("labels", "F1 par libellé", "F1 by label"))
    if calibration := report.get("calibration"):
        plots.reliability(calibration, keep("calibration", "Calibration", "calibration"))
    if promise := report.get("thresholds"):
        path = keep("thresholds", "Ce qui change avec le seuil", "what changes with the threshold")
        plots.threshold_curve(promise["validation"], path, chosen=promise["threshold"])
    if decisions := report.get("decisions"):
        plots.threshold_curve(
            decisions, keep("decisions", "Précision et rappel selon le seuil", "precision and recall by threshold"), side="test"
        )
    if groups := report.get("groups"):
        for number, (column, one) in enumerate(groups["columns"].items(), 1):
            if any(g[groups["metric"]] and g[groups["metric"]]["value"] is not None for g in one["groups"]):
                plots.group_bars(groups, column, keep(f"groups-{number}", f"Score par {column}", f"score by {column}"))
    if curve := report.get("learning_curve"):
        plots.learning(curve, keep("learning", "Score selon le nombre d'exemples", "score by number of examples"))
    return found
