"""Similarity of texts against sets of Python, and bands that find it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.near_duplicates.minhash import bands, jaccard, shingles


@settings(deadline=None)
@given(st.lists(st.text("ab é😀", min_size=1, max_size=20), min_size=2, max_size=12), st.integers(1, 6))
def test_similarity_is_exact(texts: list[str], shingle: int) -> None:
    left, right = np.arange(len(texts) - 1), np.arange(1, len(texts))
    sets = [{t.ljust(shingle)[i : i + shingle] for i in range(max(1, len(t) - shingle + 1))} for t in texts]
    expected = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in zip(left, right, strict=True)]
    assert jaccard(pl.Series(texts), left, right, shingle).tolist() == pytest.approx(expected)
    assert len(set(shingles(pl.Series(texts), shingle)[0].tolist())) == len(set().union(*sets))


def test_bands_find_pairs_at_the_threshold() -> None:
    for threshold in (0.3, 0.5, 0.8, 0.9, 0.99):
        count, length = bands(threshold)
        assert 1 - (1 - threshold**length) ** count >= 0.99
        assert count * length <= 256
