"""Reference lists of the repository (`reference/`): which codes there are. Read once, on first use.

Each list is a CSV file that people can compare line by line; `manifest.json` says where it comes from, of when, under which licence.
They are brought up to date with `socle reference-lists --refresh` (lists_refresh.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigurationError

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path(__file__).parent / "reference"
MANIFEST = "manifest.json"
USED = {
    "expect_column_values_to_be_commune": ("communes",),
    "expect_column_values_to_be_department": ("departments",),
    "expect_column_values_to_be_postal_code": ("postal_codes",),
    "expect_column_values_to_be_naf": ("naf",),
    "expect_column_values_to_be_rome": ("rome",),
    "expect_column_values_to_be_idcc": ("idcc",),
    "expect_column_pair_values_to_be_postal_code_and_commune": ("communes", "postal_codes"),
}
"""Expectation -> the lists that it looks into."""


@lru_cache(maxsize=16)
def table(name: str) -> pl.DataFrame:
    """All columns of a list, as text.

    Raises: ConfigurationError if the file is not there or cannot be read.
    """
    import polars as pl

    path = FOLDER / f"{name}.csv"
    try:
        return pl.read_csv(path, infer_schema=False, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(f"the reference list {name!r} cannot be read: {error}", where=str(path), hint="git status") from None


@lru_cache(maxsize=64)
def codes(name: str, *kinds: str) -> pl.Series:
    """The codes of a list (its first column), of these kinds (its second) or of all, each once and sorted."""
    import polars as pl

    rows = table(name)
    first, second = rows.columns[0], rows.columns[-1] if len(rows.columns) == 1 else rows.columns[1]
    chosen = rows.filter(pl.col(second).is_in(kinds)) if kinds else rows
    return chosen[first].unique().sort()


def manifest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """List -> title, sources, licence, of, fetched, rows, sha256."""
    path = folder / MANIFEST
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the manifest of the reference lists cannot be read: {error}", where=str(path), hint="git status"
        ) from None
    return found


def revision(expectations: Iterable[str]) -> str:
    """Of the lists that these expectations use: where it changes, what they refuse may change. Empty if they use none."""
    used = sorted({name for kind in expectations for name in USED.get(kind, ())})
    sums = [manifest()[name]["sha256"] for name in used]
    return hashlib.sha256("".join(sums).encode()).hexdigest()[:24] if used else ""


def forget() -> None:
    """After the files changed."""
    table.cache_clear()
    codes.cache_clear()
