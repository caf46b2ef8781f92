"""Texts that stand on two sides of a split, word for word or nearly: a model that has seen them is judged by its memory.

The smaller side is held in memory, at most HELD rows of it; the larger one is read in portions. Signatures and the exact comparison are
those of flows.near_duplicates; what is compared and how sure it is to be found is said there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.near_duplicates import minhash
from flows.training.evaluation.intervals import Array

if TYPE_CHECKING:
    import polars as pl

THRESHOLD = 0.8
SHINGLE = 5  # characters
HELD = 100_000
"""Rows of the smaller side that are looked at, a sample by key that is the same each time; with PORTION, about 500 MB for texts of 500
characters."""
PORTION = 50_000  # rows of the larger side that are looked at together
EXAMPLES = 20
ORDER = ("train", "validation", "test")


def across_sides(
    sides: Mapping[str, pl.LazyFrame],
    *,
    text: str = "text",
    key: Sequence[str] = ("order",),
    threshold: float = THRESHOLD,
    shingle: int = SHINGLE,
) -> dict[str, Any]:
    """For each pair of sides, the rows of the later one (test after validation after train) whose text is on the earlier one.

    sides: name -> rows with a column of text and columns that identify a row. threshold: the Jaccard similarity, as sets of sequences of
    `shingle` characters, from which texts are nearly the same; 1: only those equal but for case, accents, spaces and punctuation, which
    never count. Each pair: side, against, rows and looked_at of `side`, exact, near (not exact), share (of both), and examples: hashes of
    both keys (key_hash) and the similarity, no text and no key. Texts without a letter or digit are the same as none.
    """
    if not 0 < threshold <= 1 or shingle < 1:
        raise ValueError(f"threshold {threshold} and shingle {shingle}: a threshold over 0 and up to 1, a shingle of 1 character or more")
    names = sorted(sides, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    frames = {name: _prepared(sides[name], text, key) for name in names}
    pairs = []
    for i, name in enumerate(names[1:], 1):
        held = _Held(frames[name], threshold, shingle)
        for other in names[:i]:
            held.forget()
            for portion in frames[other].collect_batches(chunk_size=PORTION, maintain_order=True):
                held.look(portion)
            pairs.append({"side": name, "against": other} | held.report())
    return {"threshold": threshold, "shingle": shingle, "pairs": pairs}


def key_hash(values: Iterable[object]) -> str:
    """Sixteen hexadecimal digits for the key of a row: whoever has the dataset finds the row, whoever has the report does not."""
    text = json.dumps(list(values), ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class _Held:
    """Distinct texts of one side, each with the rows that have it, and for each the first row of the other side that resembles it."""

    def __init__(self, rows: pl.LazyFrame, threshold: float, shingle: int) -> None:
        import polars as pl

        self.threshold, self.shingle = threshold, shingle
        self.rows = int(rows.select(pl.len()).collect(engine="streaming").item())
        some = rows if self.rows <= HELD else rows.bottom_k(HELD, by="__order")
        sample = some.collect(engine="streaming").sort("__order")
        self.looked_at = sample.height
        said = sample.filter(pl.col("__text") != "")
        distinct = said.group_by("__text", maintain_order=True).agg(pl.len().alias("rows"), pl.col("__key").first())
        self.texts, self.counts, self.keys = distinct["__text"], distinct["rows"].to_numpy(), distinct["__key"]
        self.bands = minhash.bands(threshold)
        self.hashes, self.sketches = self._signed(self.texts)
        self.forget()

    def forget(self) -> None:
        """Before another side is looked at."""
        self.similarity = np.zeros(len(self.texts))  # 0: not found yet
        self.twins = np.full(len(self.texts), "", dtype=object)

    def look(self, portion: pl.DataFrame) -> None:
        """portion: rows of the other side."""
        import polars as pl

        others = portion.filter(pl.col("__text") != "").unique("__text", keep="first", maintain_order=True)
        own = pl.DataFrame({"__text": self.texts, "number": np.arange(len(self.texts))})
        equal = own.join(others, on="__text", how="inner")
        self._found(equal["number"].to_numpy(), equal["__key"].to_list(), 1.0, exact=True)
        if self.threshold < 1 and others.height and len(self.texts):
            self._near(others)

    def report(self) -> dict[str, Any]:
        exact, near = self.similarity == EXACT, (self.similarity > 0) & (self.similarity < EXACT)
        first = np.argsort(-self.similarity, kind="stable")[:EXAMPLES]
        found = int(self.counts[exact | near].sum())
        return {
            "rows": self.rows,
            "looked_at": self.looked_at,
            "exact": int(self.counts[exact].sum()),
            "near": int(self.counts[near].sum()),
            "share": found / self.looked_at if self.looked_at else 0.0,
            "examples": [
                {"key": self.keys[int(i)], "twin": self.twins[i], "similarity": round(min(1.0, float(self.similarity[i])), 3)}
                for i in first
                if self.similarity[i]
            ],
        }

    def _near(self, others: pl.DataFrame) -> None:
        import polars as pl

        hashes, sketches = self._signed(others["__text"])
        both, sketches = pl.concat([self.texts, others["__text"]]), np.concatenate([self.sketches, sketches])
        shift = len(self.texts)
        for left, right in self._proposed(hashes):
            open_ = self.similarity[left] == 0
            left, right = left[open_], right[open_]
            worth = minhash.may_reach(sketches, left, right + shift, self.threshold)
            left, right = left[worth], right[worth]
            alike = minhash.jaccard(both, left, right + shift, self.shingle)
            reached = alike >= self.threshold
            self._found(left[reached], others["__key"].gather(right[reached]).to_list(), alike[reached])

    def _proposed(self, hashes: Array) -> Iterator[tuple[Array, Array]]:
        """(numbers of held texts, numbers of the portion's texts) with an equal band: of many, the first and the last of the portion."""
        for band in range(self.bands[0]):
            own, other = self.hashes[:, band], hashes[:, band]
            order = np.argsort(other, kind="stable")
            ordered = other[order]
            start, end = np.searchsorted(ordered, own, side="left"), np.searchsorted(ordered, own, side="right")
            left = np.flatnonzero(end > start)
            yield left, order[start[left]]
            several = left[end[left] - start[left] > 1]
            yield several, order[end[several] - 1]

    def _found(self, numbers: Array, keys: list[str], similarity: Array | float, *, exact: bool = False) -> None:
        """An exact twin takes the place of a near one, no other does."""
        free = self.similarity[numbers] != EXACT if exact else self.similarity[numbers] == 0
        self.similarity[numbers[free]] = EXACT if exact else np.asarray(similarity)[free]
        self.twins[numbers[free]] = np.array(keys, dtype=object)[free]

    def _signed(self, texts: pl.Series) -> tuple[Array, Array]:
        if self.threshold == 1 or not len(texts):
            return np.empty((len(texts), self.bands[0]), np.uint32), np.empty((len(texts), minhash.SKETCH), np.uint8)
        return minhash.signatures(texts, self.shingle, *self.bands)


EXACT = 2.0
"""Equal texts. Texts whose sets of shingles are equal have the similarity 1 and need not be ("ababab", "abababab")."""


def _prepared(rows: pl.LazyFrame, text: str, key: Sequence[str]) -> pl.LazyFrame:
    import polars as pl

    from flows.near_duplicates.folding import folded

    hashes = pl.struct(key).map_batches(lambda s: pl.Series([key_hash(v.values()) for v in s]), return_dtype=pl.String, is_elementwise=True)
    plain = folded(pl.col(text)).fill_null("")
    return rows.select(plain.alias("__text"), hashes.alias("__key")).with_columns(pl.col("__key").alias("__order"))
