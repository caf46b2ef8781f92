"""How a card writes figures, names and lists, in French and in English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

METRICS = {
    "macro_f1": ("F1 macro", "macro F1"),
    "micro_f1": ("F1 micro", "micro F1"),
    "accuracy": ("exactitude", "accuracy"),
    "subset_accuracy": ("exactitude de tous les libellés d'un texte", "subset accuracy"),
    "quadratic_kappa": ("kappa quadratique", "quadratic kappa"),
    "macro_mae": ("écart moyen en rangs, moyenne des libellés", "macro mean error in ranks"),
    "within_one": ("exactitude à un rang près", "accuracy within one rank"),
    "f1": ("F1", "F1"),
    "precision": ("précision", "precision"),
    "recall": ("rappel", "recall"),
    "partial_f1": ("F1 partiel", "partial F1"),
    "partial_precision": ("précision partielle", "partial precision"),
    "partial_recall": ("rappel partiel", "partial recall"),
    "partial_macro_f1": ("F1 macro partiel", "partial macro F1"),
    "roc_auc": ("aire sous la courbe ROC", "area under the ROC curve"),
    "average_precision": ("précision moyenne", "average precision"),
    "mae": ("erreur absolue moyenne", "mean absolute error"),
    "rmse": ("erreur quadratique moyenne (racine)", "root mean squared error"),
    "r2": ("R²", "R²"),
    "bias": ("écart moyen (prévu − vrai)", "mean difference (predicted − true)"),
    "median_error": ("erreur médiane", "median error"),
    "mrr": ("rang réciproque moyen", "mean reciprocal rank"),
    "ndcg_at_10": ("nDCG sur 10", "nDCG at 10"),
    "recall_at_1": ("rappel au premier rang", "recall at 1"),
    "recall_at_5": ("rappel aux 5 premiers", "recall at 5"),
    "recall_at_10": ("rappel aux 10 premiers", "recall at 10"),
    "perplexity": ("perplexité", "perplexity"),
    "masked_accuracy": ("mots masqués retrouvés", "masked words found"),
    "token_accuracy": ("mots prédits justement", "words predicted right"),
}
SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")
LISTED = 20  # names in a sentence
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)


class Words:
    """`words("en français", "in English")` gives the one that this card is in."""

    def __init__(self, language: str) -> None:
        self.language, self.french = language, language == "fr"

    def __call__(self, french: str, english: str) -> str:
        return french if self.french else english

    def figure(self, value: float | None, digits: int = 3) -> str:
        """A number without superfluous digits where it is very large or very small; – for none."""
        if value is None:
            return "–"
        small = value != 0 and abs(value) < 10.0**-digits
        text = f"{value:.2g}" if small else f"{value:,.{digits}f}"
        return text.replace(",", "\u202f").replace(".", ",") if self.french else text

    def count(self, value: float) -> str:
        return self.figure(value, 0) if value else "0"

    def percent(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return "–"
        return f"{self.figure(100 * value, digits)}\u00a0%" if self.french else f"{self.figure(100 * value, digits)}%"

    def interval(self, score: Mapping[str, Any], digits: int = 3) -> str:
        """value (low – high)"""
        ends = f" ({self.figure(score['low'], digits)} – {self.figure(score['high'], digits)})" if score.get("low") is not None else ""
        return self.figure(score["value"], digits) + ends

    def several(self, count: int, french: str, english: str) -> str:
        """A count with its noun; `french` and `english` are of one: an s is added to each word for more (in French from 2 on)."""
        noun = self(french, english)
        more = count > 1 if self.french else count != 1
        return f"{self.count(count)} {noun + 's' if more else noun}"

    def names(self, names: Sequence[str]) -> str:
        shown = [f"«\u00a0{plain(n)}\u00a0»" if self.french else f"“{plain(n)}”" for n in names[:LISTED]]
        return ", ".join(shown) + (" …" if len(names) > LISTED else "")

    def metric(self, name: str) -> str:
        return self(*METRICS[name]) if name in METRICS else f"`{name}`"

    def day(self, iso: str) -> str:
        return f"{datetime.fromisoformat(iso):%d/%m/%Y}" if self.french else f"{datetime.fromisoformat(iso):%Y-%m-%d}"

    def duration(self, seconds: float) -> str:
        if seconds < 120:
            return f"{self.figure(seconds, 0 if seconds >= 10 else 1)} s"
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"

    def table(self, head: Sequence[str], lines: Sequence[Sequence[str]], texts: int = 1) -> str:
        """`texts`: columns on the left that are no figures."""
        rule = ["---" if i < texts else "---:" for i in range(len(head))]
        return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def plain(text: object) -> str:
    """A name or a value of the data in one line, with nothing in it that Markdown would read."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """The same as code."""
    return "`" + " ".join(str(text).split()).replace("`", "'").replace("|", "¦") + "`"


def spaced(text: str) -> str:
    """French Markdown whose colons and the like do not begin a line; code stays as it is."""
    parts = CODE.split(text)
    return "".join(part if number % 2 else re.sub(r"(?<=\S) (?=[:;?!](\s|$))", "\u00a0", part) for number, part in enumerate(parts))
