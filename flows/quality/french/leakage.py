"""Texts that a model is trained on and judged by: the same on two sides of a split."""

from __future__ import annotations

import polars as pl

from flows.quality.french.near_duplicates import SHINGLE, THRESHOLD, check, resembling
from flows.quality.french.texts import folded


def is_not_leaked(columns: dict[str, pl.Expr], *, threshold: float = THRESHOLD, shingle: int = SHINGLE) -> pl.Expr:
    """The text does not occur, word for word or nearly, on a larger side of the split.

    columns: one or more columns of text, and last the column that names the side ("train", "test", …). Sides are compared by their number
    of rows, so that the rows to leave out are those of the smaller side; of sides of one size, the first by name counts as larger.
    threshold and shingle: as of is_not_near_duplicate. Rows without a side or without text meet it.
    Raises: ConfigurationError for a threshold outside ]0, 1] or a shingle under 1.
    """
    check(threshold, shingle)
    *texts, side = columns.values()

    def answers(rows: pl.Series) -> pl.Series:
        both = rows.struct.unnest()
        sizes = both.drop_nulls("side").group_by("side").len().sort(["len", "side"], descending=[True, False]).with_row_index("group")
        return ~resembling(both.join(sizes, on="side", how="left", maintain_order="left"), threshold, shingle)

    text = folded(pl.concat_str([t.cast(pl.String) for t in texts], separator=" ", ignore_nulls=True))
    return pl.struct(text.alias("text"), side.cast(pl.String).alias("side")).map_batches(answers, return_dtype=pl.Boolean)
