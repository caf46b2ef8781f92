"""Texts that a model is trained on and judged by: the same on two sides of a split."""

from __future__ import annotations

import polars as pl

from flows.errors import ConfigurationError
from flows.near_duplicates.folding import folded
from flows.quality.french.near_duplicates import SHINGLE, THRESHOLD, check, resembling


def is_not_leaked(columns: dict[str, pl.Expr], *, threshold: float = THRESHOLD, shingle: int = SHINGLE) -> pl.Expr:
    """The text does not occur, word for word or nearly, on a larger side of the split.

    columns: one or more columns of text, and last the column that names the side ("train", "test", …). Sides are compared by their number
    of rows, so that the rows to leave out are those of the smaller side; of sides of one size, the one that comes first counts as larger.
    threshold and shingle: as of is_not_near_duplicate. Rows without a side or without text meet it.
    Raises: ConfigurationError for a threshold outside ]0, 1], a shingle under 1, or fewer than two columns.
    """
    check(threshold, shingle)
    *texts, side = columns.values()
    if not texts:
        raise ConfigurationError(
            "there is one column",
            where="texts on several sides of a split",
            hint="list the columns of text, and last the column that names the side",
        )

    def answers(rows: pl.Series) -> pl.Series:
        both = rows.struct.unnest()
        sizes = both.drop_nulls("side").group_by("side", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
        sizes = sizes.with_row_index("group")
        return ~resembling(both.join(sizes, on="side", how="left", maintain_order="left"), threshold, shingle)

    text = folded(pl.concat_str([t.cast(pl.String) for t in texts], separator=" ", ignore_nulls=True))
    return pl.struct(text.alias("text"), side.cast(pl.String).alias("side")).map_batches(answers, return_dtype=pl.Boolean)
