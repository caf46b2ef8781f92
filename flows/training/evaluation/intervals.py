"""Confidence intervals by resampling, in memory that does not grow with the number of rows.

A score that depends on counts (a confusion table) or on sums (errors of rows) is drawn again from these, never from the rows: a bootstrap
draw of rows is a multinomial draw of the cells of a table, and sums over rows are drawn by random blocks of rows. scipy.stats.bootstrap
draws rows, and would hold 2,000 times their number; on few rows the tests hold both to the same interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from flows.errors import Refused

SEED = 13
RESAMPLES = 2000
CONFIDENCE = 0.95
BLOCKS = 10_000
"""Rows are summed in so many blocks at most. An interval's width is then known to 1 % (the square root of 1 / 2 BLOCKS)."""
NUMBERS = 4_000_000  # that are drawn at once
PORTION = 200_000  # rows that are looked at together
Array = np.ndarray[Any, np.dtype[Any]]
Interval = dict[str, float | None]
"""{"value", "low", "high"}"""
Statistic = Callable[[Array], Mapping[str, Array]]
"""Of counts or sums of shape (draws, cells): scores of shape (draws,) or (draws, n), by name. NaN: undefined for that draw."""


def number(value: Any) -> float | None:
    """A float of Python, None for NaN: JSON has none."""
    return None if np.isnan(value) else float(value)


def interval(value: Any, draws: Array) -> Interval:
    """The percentile interval (Efron 1979) of a score from its draws, shape (draws,). Draws that are NaN (undefined) do not count."""
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(defined):
        return {"value": number(value), "low": None, "high": None}
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(defined, [tail, 100 - tail])
    return {"value": float(value), "low": float(low), "high": float(high)}


def draw(counts: Array, seed: int = SEED, wide: int = 0) -> Iterator[Array]:
    """RESAMPLES draws of as many rows as there are, with replacement, in portions of shape (some, cells).

    counts: rows of each cell. wide: numbers that the caller will hold for each draw, where that is more than the cells.
    """
    generator, total, cells = np.random.default_rng(seed), int(counts.sum()), len(counts)
    sparse = total <= 4 * cells  # few rows a cell: drawing rows costs less than drawing a binomial for each cell
    owners = np.repeat(np.arange(cells), counts) if sparse else None
    size = max(1, NUMBERS // max(cells, wide, 1))
    for start in range(0, RESAMPLES, size):
        some = min(size, RESAMPLES - start)
        if owners is None:
            yield generator.multinomial(total, counts / total, size=some)
        else:
            drawn = owners[generator.integers(0, total, (some, total))] + np.arange(some)[:, None] * cells
            yield np.bincount(drawn.ravel(), minlength=some * cells).reshape(some, cells)


def resample(counts: Array, statistic: Statistic, seed: int = SEED, wide: int = 0) -> dict[str, Array]:
    """The scores of each draw: name -> shape (RESAMPLES,) or (RESAMPLES, n)."""
    portions = [statistic(drawn) for drawn in draw(counts, seed, wide)]
    return {name: np.concatenate([p[name] for p in portions]) for name in portions[0]}


def intervals(point: Mapping[str, Array], draws: Mapping[str, Array]) -> dict[str, Any]:
    """name -> an interval, or a list of them for scores of shape (n,)."""
    found: dict[str, Any] = {}
    for name, value in point.items():
        found[name] = (
            interval(value, draws[name]) if np.ndim(value) == 0 else [interval(v, d) for v, d in zip(value, draws[name].T, strict=True)]
        )
    return found


class Sums:
    """What rows contribute to sums, added up in at most BLOCKS random blocks of rows.

    Blocks that are drawn at random are exchangeable, so drawing blocks with replacement has the spread of drawing rows; up to BLOCKS rows,
    each is a block of its own and both are the same.
    """

    def __init__(self, rows: int, width: int, seed: int = SEED) -> None:
        self.rows, self._at, self._generator = rows, 0, np.random.default_rng(seed)
        self.blocks = np.zeros((min(rows, BLOCKS), width))

    def add(self, contributions: Array) -> None:
        """contributions: shape (some rows, width), the next ones."""
        from scipy.sparse import csr_matrix

        some = len(contributions)
        if self.rows <= BLOCKS:
            self.blocks[self._at : self._at + some] = contributions
        else:
            place = self._generator.integers(0, BLOCKS, some)
            self.blocks += csr_matrix((np.ones(some), (place, np.arange(some))), shape=(BLOCKS, some)) @ contributions
        self._at += some

    def point(self, statistic: Statistic) -> dict[str, Array]:
        """The scores themselves, of the sums over all rows."""
        return {name: np.asarray(value)[0] for name, value in statistic(self.blocks.sum(0, keepdims=True)).items()}

    def draws(self, statistic: Statistic, seed: int = SEED) -> dict[str, Array]:
        ones = np.ones(len(self.blocks), dtype=np.int64)
        return resample(ones, lambda drawn: statistic(drawn @ self.blocks), seed, wide=self.blocks.shape[1])

    def intervals(self, statistic: Statistic, seed: int = SEED) -> dict[str, Any]:
        return intervals(self.point(statistic), self.draws(statistic, seed))


def portions(rows: int) -> Iterator[slice]:
    for start in range(0, rows, PORTION):
        yield slice(start, min(rows, start + PORTION))


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, NaN where whole is 0."""
    whole = np.asarray(whole, dtype=float)
    quotient: Array = np.full(np.broadcast_shapes(np.shape(part), whole.shape), np.nan)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient


def checked(truth: Any, values: Any, what: str) -> tuple[Array, Array]:
    """Both as arrays, of one length and with finite numbers.

    what: what the model gave, for the message. Raises: Refused where there are no rows, or values that are not numbers.
    """
    truth, values = np.asarray(truth), np.asarray(values)
    if len(truth) != len(values):
        raise ValueError(f"{len(truth)} rows of truth and {len(values)} of {what}")
    if not len(truth):
        raise Refused("there are no rows to evaluate", where=what, hint="look at the sizes of the sides of the split")
    for name, array in (("the truth", truth), (what, values)):
        if array.dtype.kind in "fc":
            _refuse_nan(name, array)
    return truth, values


def _refuse_nan(name: str, array: Array) -> None:
    for part in portions(len(array)):
        finite = np.isfinite(array[part]).reshape(part.stop - part.start, -1).all(1)
        if not finite.all():
            row = part.start + int(np.flatnonzero(~finite)[0])
            raise Refused(
                f"{name} are not numbers (NaN or infinite)",
                where=f"row {row} of {len(array)}",
                hint="the model's weights may be broken by a loss that was NaN; train again with a lower learning rate",
            )
