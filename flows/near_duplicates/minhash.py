"""Which texts of many look alike, without comparing each with each.

A text is the set of its shingles: its sequences of k characters. Texts that share most shingles share values of their MinHash signatures
(Broder, "On the resemblance and containment of documents", 1997); a signature is cut into bands, and texts with an equal band are
compared (locality-sensitive hashing; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3). Signatures are computed
by rensa; what its signatures propose is then compared exactly, so that no text is said to resemble another that it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

PERMUTATIONS = 256  # length of a signature, numbers
RECALL = 0.99  # at least this share of the pairs whose similarity is just the threshold is proposed, and more of those above
CHARACTERS = 1_000_000  # of text whose shingles are in memory at once; one text is never cut
PAIRS = 5_000  # whose sketches are compared at once
SKETCH = 128  # bytes a text, of its signature, that tell most pairs apart before they are compared
SEED = 1
Array = np.ndarray[Any, np.dtype[Any]]


def bands(threshold: float) -> tuple[int, int]:
    """(number of bands, numbers in a band): the longest bands, which propose the fewest pairs for nothing, that keep RECALL."""
    for length in range(32, 1, -1):
        count = PERMUTATIONS // length
        if 1 - (1 - threshold**length) ** count >= RECALL:
            return count, length
    return PERMUTATIONS, 1


def signatures(texts: pl.Series, shingle: int, count: int, length: int) -> tuple[Array, Array]:
    """(a hash of each band of each text: uint32, shape (texts, count); one byte of each of the first numbers: uint8, (texts, SKETCH))."""
    from rensa import RMinHash

    keys, sketches = np.empty((len(texts), count), np.uint32), np.empty((len(texts), SKETCH), np.uint8)
    for start, end in _portions(texts.str.len_chars().to_numpy()):
        hashes, offsets = shingles(texts[start:end], shingle)
        digests = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), num_perm=PERMUTATIONS, seed=SEED)
        numbers = np.array(digests.to_rows(), dtype=np.uint64)
        parts = numbers[:, : count * length].reshape(end - start, count, length)
        keys[start:end] = (_mixed(_rolled(parts)) >> np.uint64(32)).astype(np.uint32)
        sketches[start:end] = _mixed(numbers[:, :SKETCH]).astype(np.uint8)
    return keys, sketches


def may_reach(sketches: Array, left: Array, right: Array, threshold: float) -> Array:
    """Pairs whose sketches do not tell that they are less similar than `threshold`: not by three standard deviations of what they tell."""
    least = threshold - 3 * np.sqrt(threshold * (1 - threshold) / SKETCH)
    alike = np.empty(len(left), bool)
    for start in range(0, len(left), PAIRS):
        pairs = slice(start, start + PAIRS)
        alike[pairs] = (sketches[left[pairs]] == sketches[right[pairs]]).mean(axis=1) >= least
    return alike


def jaccard(texts: pl.Series, left: Array, right: Array, shingle: int) -> Array:
    """Exact similarity, 0 to 1, of the texts with the numbers left[i] and right[i]."""
    similarities = np.empty(len(left))
    lengths = texts.str.len_chars().to_numpy()
    for start, end in _portions(lengths[left] + lengths[right]):
        pairs = slice(start, end)
        numbers, places = np.unique(np.concatenate([left[pairs], right[pairs]]), return_inverse=True)
        sets = _sets(texts.gather(numbers), shingle)
        half = len(left[pairs])
        both = pl.DataFrame({"a": sets.gather(places[:half]), "b": sets.gather(places[half:])})
        common, all_ = pl.col("a").list.set_intersection("b").list.len(), pl.col("a").list.set_union("b").list.len()
        similarities[pairs] = both.select(common / all_).to_series().to_numpy()
    return similarities


def shingles(texts: pl.Series, shingle: int) -> tuple[Array, Array]:
    """(hashes of all shingles, one text after the other; where each text begins, and the end). A text shorter than a shingle is one."""
    padded = [text.ljust(shingle) for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(letters, shingle)
    starts = np.ones(len(letters), bool)
    for before in range(1, shingle):
        starts[np.cumsum(lengths) - before] = False  # windows that would reach into the next text
    hashes = _mixed(_rolled(windows))[starts[: len(windows)]]
    return hashes, np.concatenate([[0], np.cumsum(lengths - shingle + 1)])


def _sets(texts: pl.Series, shingle: int) -> pl.Series:
    hashes, offsets = shingles(texts, shingle)
    text = np.repeat(np.arange(len(texts)), np.diff(offsets))
    frame = pl.DataFrame({"text": text, "hash": hashes}).group_by("text", maintain_order=True).agg("hash")
    return frame["hash"]


def _portions(lengths: Array) -> Iterator[tuple[int, int]]:
    """Ranges of what has these lengths that hold CHARACTERS together."""
    ends = np.cumsum(lengths, dtype=np.int64)
    start = 0
    while start < len(lengths):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + CHARACTERS, side="right")))
        yield start, end
        start = end


def _rolled(numbers: Array) -> Array:
    """Polynomial hash modulo 2**64 along the last axis."""
    value = np.zeros(numbers.shape[:-1], np.uint64)
    for position in range(numbers.shape[-1]):
        value = value * np.uint64(0x9E3779B97F4A7C15) + numbers[..., position] + np.uint64(1)
    return value


def _mixed(value: Array) -> Array:
    """Every bit of the result depends on every bit of `value` (the finaliser of MurmurHash3)."""
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    mixed: Array = value ^ (value >> np.uint64(33))
    return mixed
