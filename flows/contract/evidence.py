"""The texts of a column, each once with how often it comes: what conventions are found in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flows.contract.convert import read
from flows.contract.reading import Reading
from flows.findings import Finding

if TYPE_CHECKING:
    import polars as pl

MOST = 20_000  # different texts that are looked at: the most frequent ones
_SHORT = (
    "na n/a n.a. n.a #n/a #na #null! #valeur! #ref! nan null none nil nd n.d. n.d n/d nc n.c. n.c ns n.s. nr n.r. so s.o. "
    "- -- --- – — . .. ... ? ?? / \\n # (vide) vide néant neant inconnu inconnue indéterminé"
)
_LONG = "sans objet|non renseigné|non renseignée|non communiqué|non communiquée|non disponible|non applicable"
MARKERS = frozenset(_SHORT.split()) | frozenset(_LONG.split("|"))
"""Texts that stand for no value, in small letters."""


@dataclass(frozen=True)
class Texts:
    """`values` (String, without spaces around, none empty, all different) and `counts` beside them."""

    values: pl.Series
    counts: pl.Series
    rows: int
    """With those that hold nothing."""

    @cached_property
    def total(self) -> int:
        return int(self.counts.sum() or 0)

    def fitting(self, reading: Reading) -> pl.Series:
        return read(self.values, reading).is_not_null()

    def count(self, which: pl.Series) -> int:
        return int(self.counts.filter(which).sum() or 0)

    def only(self, which: pl.Series) -> Texts:
        return Texts(self.values.filter(which), self.counts.filter(which), self.rows)

    def matching(self, pattern: str) -> pl.Series:
        return self.values.str.contains(pattern)

    def without_markers(self) -> tuple[Texts, list[str]]:
        """The rest, and the texts among these that usually stand for no value."""
        is_marker = self.values.str.to_lowercase().is_in(list(MARKERS))
        return self.only(~is_marker), self.values.filter(is_marker).sort().to_list()

    def first(self, which: pl.Series | None = None) -> str:
        """The most frequent one; the same for the same texts."""
        found = self.values if which is None else self.values.filter(which)
        return str(found[0]) if len(found) else ""


def texts_of(column: pl.Series) -> Texts:
    import polars as pl

    found = (
        column.alias("v")
        .to_frame()
        .select(pl.col("v").str.strip_chars())
        .filter(pl.col("v") != "")
        .group_by("v")
        .len()
        .sort(["len", "v"], descending=[True, False])
        .head(MOST)
    )
    return Texts(found["v"], found["len"], len(column))


@dataclass(frozen=True)
class Found:
    """What the texts of one column say of how they are written."""

    convention: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    certain: bool = True
    """The texts can be read in no other way that fits as many of them."""
    vote: str = ""
    """What this column says, if it is certain, to those of the same file that are not: a decimal mark, or an order such as dmy."""


@dataclass(frozen=True)
class Shown:
    """How values are named in findings. `masked`: only their shape, for what is about persons."""

    masked: bool = False

    def __call__(self, text: str) -> str:
        text = re.sub(r"\s", " ", text if len(text) <= 40 else text[:39] + "…")
        return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text)) if self.masked else text
