"""Pictures of an evaluation, in French, as SVG or PNG files that a person opens. matplotlib is loaded when the first one is drawn.

Each function takes what the module of its name returns and the path to write, whose suffix says the format, and returns the path. Colours
can be told apart by people who do not see red and green alike (Okabe and Ito 2008). The same numbers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flows.training.evaluation.intervals import Array

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
MOST_BARS = 40
MOST_CELLS = 30  # labels of a confusion matrix
LONGEST = 32  # characters of a name beside cells
LONGEST_BAR = 48  # and beside bars
METRICS = {
    "accuracy": "exactitude",
    "macro_f1": "F1 macro",
    "micro_f1": "F1 micro",
    "f1": "F1",
    "partial_f1": "F1 partiel",
    "precision": "précision",
    "recall": "rappel",
    "roc_auc": "aire sous la courbe ROC",
    "average_precision": "précision moyenne",
    "macro_mae": "écart moyen (en rangs)",
    "quadratic_kappa": "kappa quadratique",
    "within_one": "exactitude à un rang près",
    "subset_accuracy": "exactitude de tous les libellés",
    "mae": "erreur absolue moyenne",
    "rmse": "erreur quadratique moyenne",
    "median_error": "erreur médiane",
    "mrr": "rang réciproque moyen",
}


def confusion_matrix(table: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> Path:
    """Shares of each row of the truth, with counts. Of more than MOST_CELLS labels, those with the most rows."""
    counts = np.asarray(table)
    shown = np.sort(np.argsort(-counts.sum(1), kind="stable")[:MOST_CELLS])
    left_out = len(labels) - len(shown)
    part, names = counts[np.ix_(shown, shown)], [_short(labels[i]) for i in shown]
    shares = part / np.maximum(counts[shown].sum(1, keepdims=True), 1)
    side = 2.6 + 0.52 * len(shown)
    with _figure(path, side + 1.2, side) as axes:
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(part > 0):
            colour = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, _count(part[row, column]), ha="center", va="center", color=colour, fontsize=7 if len(shown) > 12 else 9)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("libellé proposé par le modèle")
        axes.set_ylabel("vrai libellé")
        axes.set_title("Matrice de confusion" + (f" ({left_out} libellés moins fréquents non montrés)" if left_out else ""))
        bar = axes.figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.03, label="part des lignes du vrai libellé")
        bar.ax.yaxis.set_major_formatter(_percent())
    return path


def reliability(report: Mapping[str, Any], path: Path) -> Path:
    """report: of calibration.report(), or of calibration.measure() with `curve` alone."""
    curves = [(n, report[k], c) for n, k, c in (("avant", "curve_before", GREY), ("après", "curve_after", BLUE)) if k in report]
    with _figure(path, 6, 6.2) as axes:
        axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="parfaitement calibré")
        for name, curve, colour in curves or [("modèle", report["curve"], BLUE)]:
            sure = [c["confidence"] for c in curve]
            right, errors = _errors([c["accuracy"] for c in curve])
            axes.errorbar(
                sure,
                right,
                yerr=errors,
                color=colour,
                marker="o",
                markersize=4,
                linewidth=1.3,
                elinewidth=0.8,
                label=_with_ece(name, report),
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probabilité annoncée par le modèle", ylabel="part de réponses justes")
        axes.set_title("Calibration : la probabilité annoncée est-elle tenue ?")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)
        _percents(axes, "xy")
    return path


def per_label(metrics: Mapping[str, Any], path: Path, metric: str = "f1") -> Path:
    """metrics: with `per_label`, as of classification, multilabel and entities. metric: f1 or recall. The lowest first."""
    known = [e for e in metrics["per_label"] if e["intervals"][metric]["value"] is not None]
    bars = sorted(((_bar(e["label"], e["rows"]), e["intervals"][metric]) for e in known), key=lambda b: b[1]["value"])
    return _bars(
        bars,
        path,
        f"{_said(metric).capitalize()} par libellé (lignes), intervalle à 95 %",
        metrics.get(f"macro_{metric}"),
        "moyenne des libellés",
    )


def group_bars(report: Mapping[str, Any], column: str, path: Path) -> Path:
    """report: of groups.by_groups(). Weak groups are orange; those with too few rows are named without a bar."""
    metric, groups = report["metric"], report["columns"][column]["groups"]
    known = [g for g in groups if g[metric] is not None and g[metric]["value"] is not None]
    bars = sorted(((_bar(g["value"], g["rows"]), g[metric]) for g in known), key=lambda b: b[1]["value"])
    weak = {_bar(g["value"], g["rows"]) for g in known if g["weak"]}
    few = sum(1 for g in groups if g["few"])
    title = f"{_said(metric).capitalize()} par {column} (lignes), intervalle à 95 %"
    said = ["orange\u00a0: nettement moins bon"] if weak else []
    said += [f"{few} groupe{'s' if few > 1 else ''} avec trop peu de lignes"] if few else []
    note = "\u00a0; ".join(said)
    return _bars(bars, path, title, report[metric], "ensemble", weak, note)


def precision_recall(precision: Array, recall: Array, path: Path, *, base_rate: float | None = None) -> Path:
    """Shape (n,) each, as of ScoreTable.precision_recall(). base_rate: the precision of choosing by chance."""
    kept = np.unique(np.linspace(0, len(recall) - 1, min(len(recall), 2000)).astype(int))
    with _figure(path, 6, 5) as axes:
        axes.step(recall[kept], precision[kept], where="post", color=BLUE, linewidth=1.5, label="modèle")
        if base_rate is not None:
            axes.axhline(base_rate, color="black", linewidth=1, linestyle=":", label="au hasard")
            axes.legend(loc="upper right", frameon=False)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="rappel (part des cas retrouvés)", ylabel="précision (part de cas parmi ceux retenus)")
        axes.set_title("Précision et rappel")
        _percents(axes, "xy")
    return path


def threshold_curve(table: Sequence[Mapping[str, Any]], path: Path, *, chosen: float | None = None, side: str = "validation") -> Path:
    """table: of thresholds.answers() or decisions(). chosen: of thresholds.choose()."""
    if "precision" in table[0]:
        curves = (("precision", "précision", BLUE), ("recall", "rappel", ORANGE))
    else:
        curves = (
            ("accuracy", "part de réponses justes, parmi les lignes avec réponse", BLUE),
            ("share", "part de lignes avec réponse", ORANGE),
        )
    with _figure(path, 6.4, 4.8) as axes:
        for name, said, colour in curves:
            known = [e for e in table if e[name]["value"] is not None]
            at, values = [e["threshold"] for e in known], [e[name]["value"] for e in known]
            low, high = ([e[name][end] if e[name][end] is not None else e[name]["value"] for e in known] for end in ("low", "high"))
            axes.plot(at, values, color=colour, linewidth=1.5, marker="o", markersize=3, label=said)
            axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
        if chosen is not None:
            axes.axvline(chosen, color="black", linewidth=1, linestyle=":", label=f"seuil retenu : {_decimal(chosen)}")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="seuil : probabilité à partir de laquelle une réponse est donnée")
        axes.set_title(f"Ce qui change avec le seuil ({side})")
        axes.legend(loc="lower left", frameon=False)
        _percents(axes, "y")
        axes.xaxis.set_major_formatter(_commas())
    return path


def learning(report: Mapping[str, Any], path: Path) -> Path:
    """report: of learning_curve.learning_curve()."""
    metric, points = report["metric"], [p for p in report["points"] if p[report["metric"]]["value"] is not None]
    with _figure(path, 6.4, 4.4) as axes:
        values, errors = _errors([p[metric] for p in points])
        rows = [p["rows"] for p in points]
        axes.errorbar(rows, values, yerr=errors, color=BLUE, marker="o", markersize=5, linewidth=1.5, elinewidth=1, capsize=3)
        axes.set_xscale("log")
        axes.set_xticks(rows, [_count(r) for r in rows])
        axes.minorticks_off()
        axes.set(xlabel="lignes d'entraînement (échelle logarithmique)", ylabel=_said(metric))
        axes.set_title("Courbe d'apprentissage, sur la validation, intervalle à 95 %")
        axes.yaxis.set_major_formatter(_commas())
    return path


def _bars(
    bars: Sequence[tuple[str, Mapping[str, Any]]],
    path: Path,
    title: str,
    whole: Mapping[str, Any] | None,
    said: str,
    weak: Collection[str] = (),
    note: str = "",
) -> Path:
    shown = bars[:MOST_BARS]
    if len(bars) > len(shown):
        title += f"\nles {len(shown)} plus faibles sur {len(bars)}"
    with _figure(path, 8.5, 1.7 + 0.3 * max(len(shown), 1)) as axes:
        values, errors = _errors([interval for _, interval in shown])
        places = np.arange(len(shown))[::-1]
        axes.barh(places, values, color=[ORANGE if name in weak else BLUE for name, _ in shown], height=0.68, alpha=0.85)
        axes.errorbar(values, places, xerr=errors, fmt="o", color="black", markersize=3, elinewidth=1, capsize=3)
        if whole is not None and whole["value"] is not None:
            axes.axvline(whole["value"], color="black", linewidth=1, linestyle=":")
            note = "\n".join(n for n in (f"pointillé\u00a0: {said}, {_decimal(whole['value'])}", note) if n)
        axes.set_yticks(places, [name for name, _ in shown])
        if values and max(v + e for v, e in zip(values, errors[1], strict=True)) <= 1 and min(values) >= 0:
            axes.set_xlim(0, 1)
        axes.set_xlabel(note)
        axes.set_title(title)
        axes.xaxis.set_major_formatter(_commas())
        axes.margins(y=0.02)
    return path


@contextmanager
def _figure(path: Path, width: float, height: float) -> Any:
    """Axes of a new figure, inches; the file is written when nothing went wrong. No pyplot: it keeps figures, and is not for threads."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "socle", "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure.add_subplot()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def _errors(intervals: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """(values, [below, above]) as matplotlib wants them; an interval that does not exist has no length."""
    values = [float(i["value"]) for i in intervals]
    below = [v - i["low"] if i["low"] is not None else 0.0 for v, i in zip(values, intervals, strict=True)]
    above = [i["high"] - v if i["high"] is not None else 0.0 for v, i in zip(values, intervals, strict=True)]
    return values, [[max(0.0, b) for b in below], [max(0.0, a) for a in above]]


def _with_ece(name: str, report: Mapping[str, Any]) -> str:
    found = report.get({"avant": "ece_before", "après": "ece_after"}.get(name, "ece"))
    return f"{name} (erreur de calibration : {_decimal(found['value'], 3)})" if found else name


def _said(metric: str) -> str:
    return METRICS.get(metric, metric)


def _short(name: object, longest: int = LONGEST) -> str:
    text = "non renseigné" if name is None else " ".join(str(name).split()) or "(vide)"
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return text.replace("$", r"\$")  # matplotlib would read a formula between two


def _bar(name: object, rows: int) -> str:
    return f"{_short(name, LONGEST_BAR)} ({_count(rows)})"


def _count(value: Any) -> str:
    return f"{int(value):,}".replace(",", "\u202f")


def _decimal(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def _commas() -> Callable[[float, Any], str]:
    return lambda value, _: f"{value:g}".replace(".", ",")


def _percent() -> Callable[[float, Any], str]:
    return lambda value, _: f"{100 * value:.0f} %".replace(" ", "\u00a0")


def _percents(axes: Any, which: str) -> None:
    for name in which:
        getattr(axes, f"{name}axis").set_major_formatter(_percent())
