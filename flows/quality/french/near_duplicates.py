"""Texts that come again, word for word or nearly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from threading import Lock

import numpy as np
import polars as pl

from flows.errors import ConfigurationError
from flows.near_duplicates.folding import folded
from flows.near_duplicates.minhash import Array, bands, jaccard, may_reach, signatures

THRESHOLD = 0.8
SHINGLE = 5  # characters
REMEMBERED = 4  # answers
_answers: dict[bytes, pl.Series] = {}
_storing = Lock()


def is_not_near_duplicate(texts: pl.Expr, *, threshold: float = THRESHOLD, shingle: int = SHINGLE) -> pl.Expr:
    """No earlier row has nearly the same text.

    threshold: the Jaccard similarity of two texts, as sets of sequences of `shingle` characters, from which they are nearly the same; 1 is
    for texts that are equal but for case, accents, spaces and punctuation, which never count.
    Of texts that are just as similar as `threshold`, at least 99 % are found, and more of those more similar; none that is less similar is.
    Raises: ConfigurationError for a threshold outside ]0, 1] or a shingle under 1.
    """
    check(threshold, shingle)

    def answers(column: pl.Series) -> pl.Series:
        rows = pl.DataFrame({"text": column}).with_row_index("group", offset=0)
        return ~resembling(rows, threshold, shingle)

    return folded(texts).map_batches(answers, return_dtype=pl.Boolean)


def resembling(rows: pl.DataFrame, threshold: float, shingle: int) -> pl.Series:
    """Whether a row's text is nearly that of a row of a lower group.

    rows: `text`, folded, and `group`, an integer. Texts that are null or empty, and rows without a group, resemble nothing.
    Memory: about 300 bytes a distinct text for a threshold of 0.8, and the shingles of a million characters.
    """
    key = _digest(rows, threshold, shingle)
    if (known := _answers.get(key)) is None:
        known = _resembling(rows.select("text", "group"), threshold, shingle)
        with _storing:  # not while it is computed: Polars' threads would wait for each other
            _answers[key] = known
            while len(_answers) > REMEMBERED:
                _answers.pop(next(iter(_answers)))
    return known


def _digest(rows: pl.DataFrame, threshold: float, shingle: int) -> bytes:
    """Great Expectations asks the same up to three times: for the count, the values and the places."""
    hashes = rows.select("text", "group").hash_rows(0).to_numpy()
    return hashlib.blake2b(hashes.tobytes() + f"{threshold} {shingle}".encode()).digest()


def _resembling(rows: pl.DataFrame, threshold: float, shingle: int) -> pl.Series:
    said = (pl.col("text") != "") & pl.col("group").is_not_null()
    distinct = rows.filter(said).group_by("text").agg(pl.col("group").min().alias("first")).sort("first", "text")
    if threshold < 1:
        found = _near(distinct["text"], distinct["first"].to_numpy(), threshold, shingle)
        distinct = distinct.with_columns(pl.Series("near", found))
    else:
        distinct = distinct.with_columns(near=pl.lit(False))
    joined = rows.join(distinct, on="text", how="left", maintain_order="left")
    return joined.select((said & (pl.col("near") | (pl.col("group") > pl.col("first")))).fill_null(False)).to_series().alias("text")


def _near(texts: pl.Series, groups: Array, threshold: float, shingle: int) -> Array:
    """Of distinct texts in the order of their groups, those that resemble one of a lower group."""
    count, length = bands(threshold)
    found = np.zeros(len(texts), bool)
    keys, sketches = signatures(texts, shingle, count, length)
    for band in keys.T:
        for left, right in _proposed(band, groups, found):
            worth = may_reach(sketches, left, right, threshold)
            left, right = left[worth], right[worth]
            found[left[jaccard(texts, left, right, shingle) >= threshold]] = True
    return found


def _proposed(keys: Array, groups: Array, found: Array) -> Iterator[tuple[Array, Array]]:
    """Texts that share a band, as (numbers, numbers of a lower group): with the first text that shares it, then with the last before."""
    shared = pl.DataFrame({"key": keys, "group": groups}).with_row_index("number").filter(pl.col("key").is_duplicated())
    lower = shared.with_columns(
        pl.col("number").first().over("key").alias("first"),
        pl.col("group").first().over("key").alias("lowest"),
        pl.col("number").shift(1).over("key").alias("last"),
    ).filter(pl.col("lowest") < pl.col("group"))
    lower = lower.with_columns(pl.col("last").first().over("key", "group"))
    for other in ("first", "last"):
        asked = lower.filter(~pl.Series(found).gather(lower["number"]))
        if other == "last":
            asked = asked.filter(pl.col("last") != pl.col("first"))
        yield asked["number"].to_numpy(), asked[other].to_numpy()


def check(threshold: float, shingle: int) -> None:
    if not 0 < threshold <= 1 or shingle < 1:
        raise ConfigurationError(
            f"threshold is {threshold} and shingle is {shingle}",
            where="near-duplicate texts",
            hint="a threshold over 0 and up to 1, usually 0.7 to 0.95; a shingle of 1 character or more, usually 5, and 9 for long texts",
        )
