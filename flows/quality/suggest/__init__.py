"""Proposes a suite for a dataset: thresholds that a person can read, edit and accept, and nothing that only memorises the sample.

suggest(rows, earlier, about, name) -> Suggestion      # rows, earlier: polars.LazyFrame

    profile.py    two streamed passes: exact counts, and an even sample
    texts.py      formats, categories, shapes, lengths, accents        formats.py, shapes.py
    numbers.py    natural ranges, orders of magnitude, dates
    table.py      rows, keys, missing values, what may change from one version to the next
    trial.py      every proposal is tried on this version and on the earlier ones; what did not hold is not proposed

Why it does not memorise, and how that is measured: docs/decisions/0025-suggested-suites.md.
"""

from __future__ import annotations

from flows.quality.suggest.entries import About
from flows.quality.suggest.suite import Suggestion, suggest

__all__ = ["About", "Suggestion", "suggest"]
