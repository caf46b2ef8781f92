"""The small language of sentences.py: what stands between braces, put into French words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows.quality.words import listed, number, percent, quoted, value

GENERAL = "prévu"  # in place of an argument that is not known


class Words(dict[str, Any]):
    """The arguments of an expectation as words. A key is a name of PLACES, an argument, or words before an argument: those stand in
    for it where it is not known (`le nombre prévu de value`)."""

    def given(self, name: str) -> bool:
        return name in self.keys()

    def __getitem__(self, key: str) -> str:
        if key in PLACES:
            return PLACES[key](self)
        if key.startswith("compris") and " " not in key:
            return _bounds(self, key.removeprefix("compris"), value)
        words, _, name = key.rpartition(" ")
        if words == "comprise à":
            return f"d'au plus {value(self.get(name))}" if self.given(name) else "dans la limite prévue"
        if words in ("la", "La"):
            return (
                f"{words} colonne {quoted(self.get(name))}"
                if self.given(name)
                else {"la": "toutes les colonnes"}.get(words, "Les colonnes")
            )
        if words in ("les", "Les", "des"):
            return f"{words} colonnes {listed(self.get(name, []))}" if self.given(name) else f"{words} colonnes prévues"
        if words in ("prévus", "prévues"):
            return f"{words} : {listed(self.get(name, []))}" if self.get(name) else words
        if not self.given(name):
            return words or GENERAL
        given = self.get(name)
        return listed(given) if isinstance(given, list | tuple | set) else value(given)


def _bounds(words: Words, ending: str, shown: Any) -> str:
    """`comprise entre 1 et 3`, `supérieure ou égale à 1` ... `ending`: of the adjectives (e, es, or none)."""
    low, high = words.get("min_value"), words.get("max_value")
    above, below = bool(words.get("strict_min")), bool(words.get("strict_max"))
    if low is None and high is None:
        return "dans les bornes prévues"
    if low is not None and high is not None:
        if low == high:
            return f"égal{ending} à {shown(low)}"
        which = {(True, True): "bornes exclues", (True, False): "borne basse exclue", (False, True): "borne haute exclue"}
        left_out = f" ({which[above, below]})" if above or below else ""
        return f"compris{ending} entre {shown(low)} et {shown(high)}{left_out}"
    side, bound, strict = ("supérieur", low, above) if low is not None else ("inférieur", high, below)
    return f"strictement {side}{ending} à {shown(bound)}" if strict else f"{side}{ending} ou égal{ending} à {shown(bound)}"


def _how_many(words: Words) -> str:
    low, high = words.get("min_value"), words.get("max_value")
    if low is None and high is None:
        return "le nombre prévu de"
    if low is not None and high is not None:
        return f"exactement {value(low)}" if low == high else f"entre {value(low)} et {value(high)}"
    if low is not None:
        return f"{'plus de' if words.get('strict_min') else 'au moins'} {value(low)}"
    return f"{'moins de' if words.get('strict_max') else 'au plus'} {value(high)}"


def _quantiles(ranges: Any) -> str:
    if not isinstance(ranges, dict):
        return ""
    each = []
    for share, (low, high) in zip(ranges.get("quantiles", []), ranges.get("value_ranges", []), strict=False):
        each.append(f"{percent(share)} {_bounds(Words(min_value=low, max_value=high), '', value)}")
    return f" ({' ; '.join(each)})" if each else ""


def _change(words: Words) -> str:
    asked = ((name, words.get(argument)) for name, argument in (("baisse", "max_drop"), ("hausse", "max_growth")))
    limits = [f"{name} d'au plus {percent(limit)}" for name, limit in asked if isinstance(limit, int | float)]
    return f" ({', '.join(limits)})" if limits else ""


PLACES: dict[str, Callable[[Words], str]] = {
    "une des ou toutes les": lambda w: "toutes les" if w.get("match_on") == "all" else "une des",
    "un des ou tous les": lambda w: "tous les" if w.get("match_on") == "all" else "un des",
    "strictement": lambda w: ", sans jamais deux fois la même" if w.get("strictly") else "",
    "ou égale": lambda w: " ou égale" if w.get("or_equal") else "",
    "en position": lambda w: f", en position {number(index + 1)}" if isinstance(index := w.get("column_index"), int) else "",
    "quantiles": lambda w: _quantiles(w.get("quantile_ranges")),
    "être ou contenir": lambda w: "contenir" if w.get("exact_match") is False else "être",
    "entre": _how_many,
    "comprise %": lambda w: _bounds(w, "e", percent),
    "method": lambda w: {"iqr": "écart interquartile", "std": "écart type"}.get(str(w.get("method", "iqr")), str(w.get("method"))),
    "baisse ou hausse": _change,
}
"""Words that depend on several arguments, or on none that is always there."""


# ---- for which rows ------------------------------------------------------------------------------------------------

OPERATORS = {"==": "vaut", "!=": "ne vaut pas", "<": "<", "<=": "≤", ">": ">", ">=": "≥", "IN": "est parmi", "NOT_IN": "n'est pas parmi"}


def for_which_rows(arguments: dict[str, Any]) -> str:
    mostly, condition = arguments.get("mostly"), arguments.get("row_condition")
    where = f" où {_condition(condition)}" if condition else ""
    if isinstance(mostly, int | float) and mostly < 1:
        return f", pour au moins {percent(mostly)} des lignes{where}"
    return f", pour les lignes{where}" if where else ""


def _condition(one: Any) -> str:
    """Great Expectations' row conditions: a text in some engine's language, or an object as JSON."""
    if not isinstance(one, dict):
        return str(one)
    column = quoted((one.get("column") or {}).get("name", ""))
    match one.get("type"):
        case "nullity":
            return f"{column} est vide" if one.get("is_null") else f"{column} n'est pas vide"
        case "comparison":
            operator, given = str(one.get("operator")), one.get("parameter")
            return f"{column} {OPERATORS.get(operator, operator)} {listed(given) if isinstance(given, list) else quoted(given)}"
        case "and" | "or":
            joined = {"and": " et ", "or": " ou "}[one["type"]]
            parts = [(c, _condition(c)) for c in one.get("conditions", [])]
            return joined.join(f"({text})" if isinstance(c, dict) and c.get("type") in ("and", "or") else text for c, text in parts)
        case _:
            return str(one.get("pass_through_filter", one))
