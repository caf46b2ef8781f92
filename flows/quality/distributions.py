"""How far apart two versions of a column are: their distributions over common bins, and the Jensen-Shannon distance of these.

Bins. Numbers and moments: the deciles of the version before, with a bin on either side of its range. Texts, yes and no: each value
that makes up at least SHARE of either version, all others together. A missing value (null, NaN) is a bin of its own.

Distance. The square root of the Jensen-Shannon divergence in bits (J. Lin, Divergence measures based on the Shannon entropy, IEEE
Trans. Inf. Theory 37(1), 1991; a metric: Endres and Schindelin, ibid. 49(7), 2003): 0 for equal shares, 1 for nothing in common. The
population stability index has no upper end and is not defined for an empty bin, which is why it is not used.

Every pass is streamed; what is held is a sample of SAMPLE rows and KEPT values a column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

SHARE = 0.001  # of the rows of a version: a value that is rarer is one of the others
KEPT = 2_000  # values that are followed while reading: all that make up more than 1/KEPT are among them
SAMPLE = 100_000  # rows that the deciles are found in
CHUNK = 100_000  # rows read at a time
CHARS = 200  # of a text that tell it from another
NORMAL_999 = 3.0902  # quantile 0.999 of the normal distribution
MISSING, OTHERS = "(vide)", "(autres valeurs)"


@dataclass(frozen=True)
class Comparison:
    """One column in two versions."""

    distance: float
    """0 to 1."""
    chance: float
    """Distance that chance alone stays under, 999 times in 1000, between two draws of so many rows from the same."""
    shares: list[tuple[str, float, float]]
    """(what, share before, share now), the largest change first."""


def distance(before: Sequence[float], now: Sequence[float]) -> float:
    """Jensen-Shannon distance (base 2) of two lists of counts over the same bins, in [0, 1]. Two empty lists are equal, an empty one and
    another have nothing in common."""
    total_before, total_now = sum(before), sum(now)
    if not total_before or not total_now:
        return 0.0 if total_before == total_now else 1.0
    divergence = 0.0
    for left, right in zip(before, now, strict=True):
        p, q = left / total_before, right / total_now
        middle = (p + q) / 2
        divergence += sum(share / 2 * math.log2(share / middle) for share in (p, q) if share)
    return math.sqrt(min(1.0, max(0.0, round(divergence, 12))))  # rounding errors are no distance


def chance(bins: int, before: int, now: int) -> float:
    """Quantile 0.999 of the distance between two samples of `before` and `now` rows from one distribution over `bins` bins, at most 1.

    For small differences the divergence in nats is an eighth of chi-squared with bins - 1 degrees of freedom times (1/before + 1/now); the
    quantile of chi-squared is Wilson and Hilferty's (1931).
    """
    freedom = bins - 1
    if freedom <= 0:
        return 0.0
    if not before or not now:
        return 1.0
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + NORMAL_999 * math.sqrt(spread)) ** 3
    return min(1.0, math.sqrt(quantile * (1 / before + 1 / now) / (8 * math.log(2))))


def comparable(kind: pl.DataType) -> bool:
    """Whether columns of this type have a distribution: not lists, structures and bytes."""
    return _family(kind) != ""


def compare(before: pl.LazyFrame, now: pl.LazyFrame, columns: Sequence[str]) -> dict[str, Comparison]:
    """`columns` are in both, and comparable in both. Where a column is a number in one and a text in the other, both are texts."""
    old, new = before.collect_schema(), now.collect_schema()
    families = {c: _family(old[c]) if _family(old[c]) == _family(new[c]) else "text" for c in columns}
    measured = [c for c in columns if families[c] != "text"]
    texts = [c for c in columns if families[c] == "text"]
    left, right = _plain(before, old, families), _plain(now, new, families)
    edges = _edges(left, measured)
    counted = [_count_bins(frame, edges) for frame in (left, right)]
    values = {c: sorted({*a, *b}) for (c, a), b in zip(_frequent(left, texts).items(), _frequent(right, texts).values(), strict=True)}
    grouped = [_count_values(frame, values) for frame in (left, right)]
    made = {c: _measured(edges[c], counted[0][c], counted[1][c], old[c]) for c in measured}
    made |= {c: _texts(values[c], grouped[0][c], grouped[1][c]) for c in texts}
    return {c: made[c] for c in columns}


def _family(kind: pl.DataType) -> str:
    import polars as pl

    if kind.is_numeric():
        return "number"
    if kind in (pl.Date, pl.Datetime):
        return "moment"
    if kind in (pl.Time, pl.Duration):
        return str(kind.base_type())
    return "text" if kind in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null) else ""


def _plain(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType], families: Mapping[str, str]) -> pl.LazyFrame:
    """Texts as String, all else as Float64 without NaN."""
    import polars as pl

    def one(column: str, family: str) -> pl.Expr:
        value, kind = pl.col(column), schema[column]
        if family == "text":
            return value.cast(pl.String).str.slice(0, CHARS)
        if kind == pl.Date:
            value = value.cast(pl.Datetime("us"))
        if isinstance(kind, pl.Datetime):
            value = value.dt.cast_time_unit("us")
        return (value if kind.is_numeric() else value.to_physical()).cast(pl.Float64).fill_nan(None)

    return frame.select(one(c, f).alias(c) for c, f in families.items())


# ---- numbers and moments -------------------------------------------------------------------------------------------


def _edges(frame: pl.LazyFrame, columns: list[str]) -> dict[str, list[float]]:
    """Smallest value, deciles and largest value of an even sample, each once."""
    import polars as pl

    if not columns:
        return {}
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    every = max(1, rows // SAMPLE)
    sample = frame.select(columns).with_row_index("__n").filter(pl.col("__n") % every == 0).collect(engine="streaming")
    found = {}
    for column in columns:
        values = sample[column].drop_nulls()
        found[column] = sorted({float(values.quantile(q / 10, "nearest") or 0.0) for q in range(11)}) if len(values) else []
    return found


def _count_bins(frame: pl.LazyFrame, edges: Mapping[str, list[float]]) -> dict[str, list[int]]:
    """Per column: below the first edge, at it, up to each edge, above the last, missing. Without edges: all, missing."""
    import polars as pl

    if not edges:
        return {}
    asked = [pl.len().alias("rows")]
    for place, (column, marks) in enumerate(edges.items()):
        value = pl.col(column)
        asked += [(value < e if not n else value <= marks[n - 1]).sum().alias(f"{place} {n}") for n, e in enumerate([*marks[:1], *marks])]
        asked.append(value.null_count().alias(f"{place} null"))
    row = frame.select(asked).collect(engine="streaming").row(0, named=True)
    found = {}
    for place, (column, marks) in enumerate(edges.items()):
        missing = row[f"{place} null"]
        upto = [row[f"{place} {n}"] for n in range(len(marks) + 1)] if marks else []
        bounds = [0, *upto, row["rows"] - missing]
        found[column] = [high - low for low, high in pairwise(bounds)] + [missing]
    return found


def _measured(edges: list[float], before: list[int], now: list[int], kind: pl.DataType) -> Comparison:
    names = [_shown(e, kind) for e in edges]
    if not names:
        labels = ["(renseigné)"]
    else:
        inner = [names[0], *(f"de {a} à {b}" for a, b in pairwise(names))]
        labels = [f"moins de {names[0]}", *inner, f"plus de {names[-1]}"]
    return _comparison([*labels, MISSING], before, now)


def _shown(value: float, kind: pl.DataType) -> str:
    import datetime

    import polars as pl

    if isinstance(kind, pl.Date | pl.Datetime):
        unit = 1_000 if isinstance(kind, pl.Datetime) and kind.time_unit == "ms" else 1_000_000
        try:
            return f"{datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value / unit):%d/%m/%Y}"
        except (OverflowError, ValueError):
            pass
    return f"{value:.6g}".replace(".", ",")


# ---- texts ---------------------------------------------------------------------------------------------------------


def _frequent(frame: pl.LazyFrame, columns: list[str]) -> dict[str, list[str]]:
    """Per column the values that make up at least SHARE of the rows, whatever their order, in one pass of bounded memory.

    Counters of Misra and Gries, merged as in Agarwal et al. (Mergeable summaries, PODS 2012): with KEPT counters, none that makes up
    more than 1/KEPT is lost. Exact counts are made afterwards.
    """
    import polars as pl

    if not columns:
        return {}
    rows, held = 0, dict[str, Any]()
    for piece in frame.select(columns).collect_batches(chunk_size=CHUNK, maintain_order=False):
        rows += piece.height
        for column in columns:
            counted = piece.select(v=pl.col(column)).drop_nulls().group_by("v").len().with_columns(pl.col("len").cast(pl.Int64))
            if column in held:
                counted = pl.concat([held[column], counted]).group_by("v").agg(pl.col("len").sum())
            held[column] = _smaller(counted)
    least = rows * (SHARE - 1 / KEPT)  # a counter may have lost rows / KEPT
    return {c: held[c].filter(pl.col("len") >= least)["v"].to_list() if c in held else [] for c in columns}


def _smaller(counted: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    if counted.height <= KEPT:
        return counted
    taken = int(counted["len"].top_k(KEPT + 1).min())  # type: ignore[arg-type]
    return counted.with_columns(pl.col("len") - taken).filter(pl.col("len") > 0)


def _count_values(frame: pl.LazyFrame, values: Mapping[str, list[str]]) -> dict[str, dict[str | bool | None, int]]:
    """Per column: value -> rows; None: without one; True: with any other."""
    import polars as pl

    found: dict[str, dict[str | bool | None, int]] = {column: {} for column in values}
    if not values:
        return found
    listed = {column: pl.Series(names, dtype=pl.String).implode() for column, names in values.items()}
    # Piece by piece: Polars would keep the rows that several queries share, or that replace_strict reads, in memory.
    for piece in frame.select(values.keys()).collect_batches(chunk_size=CHUNK, maintain_order=False):
        for column, counts in found.items():
            value = pl.col(column)
            keys = piece.select(v=pl.when(value.is_in(listed[column])).then(value), missing=value.is_null())
            for text, missing, rows in keys.group_by("v", "missing").len().iter_rows():
                key = None if missing else True if text is None else text
                counts[key] = counts.get(key, 0) + rows
    return found


def _texts(names: list[str], before: Mapping[str | bool | None, int], now: Mapping[str | bool | None, int]) -> Comparison:
    """Values that turn out to be rarer than SHARE in both go to the others."""
    least = (SHARE * sum(before.values()), SHARE * sum(now.values()))
    kept = [n for n in names if before.get(n, 0) >= least[0] > 0 or now.get(n, 0) >= least[1] > 0]
    sides = []
    for counts in (before, now):
        own = [counts.get(n, 0) for n in kept]
        missing = counts.get(None, 0)
        sides.append([*own, sum(counts.values()) - sum(own) - missing, missing])
    return _comparison([*(f"« {n} »" for n in kept), OTHERS, MISSING], *sides)


def _comparison(labels: list[str], before: list[int], now: list[int]) -> Comparison:
    used = [(label, b, n) for label, b, n in zip(labels, before, now, strict=True) if b or n]
    left, right = sum(before), sum(now)
    shares = [(label, b / left if left else 0.0, n / right if right else 0.0) for label, b, n in used]
    shares.sort(key=lambda s: -abs(s[1] - s[2]))
    return Comparison(distance(before, now), chance(len(used), left, right), shares)
