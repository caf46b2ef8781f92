"""Which columns a model leans on: how much worse it answers when one of them is shuffled (Breiman 2001; Fisher, Rudin and Dominici 2019).

On rows that it did not learn from. Two columns that say the same hide each other: the model reads the one where the other is shuffled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

REPEATS = 5
ROWS = 5_000  # that are enough to order columns by


def permutation(
    table: pl.DataFrame, score: Callable[[pl.DataFrame, np.ndarray], float], *, repeats: int = REPEATS, rows: int = ROWS, seed: int = 13
) -> dict[str, Any]:
    """The loss of each column, the largest first, with the lowest and highest of its repeats.

    score: of a table and the row numbers that it was made from, shape (m,); higher is better. Below 0: the model does better without.
    """
    generator = np.random.default_rng(seed)
    kept = np.sort(generator.choice(len(table), min(rows, len(table)), replace=False))
    table = table[kept]
    whole = score(table, kept)
    found = []
    for name in table.columns:
        losses = [whole - score(table.with_columns(table[name][generator.permutation(len(table))]), kept) for _ in range(repeats)]
        found.append({"input": name, "loss": float(np.mean(losses)), "low": float(min(losses)), "high": float(max(losses))})
    return {"rows": len(table), "repeats": repeats, "score": whole, "inputs": sorted(found, key=lambda f: -float(f["loss"]))}  # type: ignore[arg-type]
