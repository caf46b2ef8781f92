"""Texts as they are compared."""

from __future__ import annotations

import polars as pl


def folded(texts: pl.Expr) -> pl.Expr:
    """Texts without case, accents, ligatures and punctuation, words one space apart. "" for a text without letters and digits."""
    plain = texts.cast(pl.String).str.normalize("NFKD").str.replace_all(r"\p{M}+", "")
    small = plain.str.to_uppercase().str.to_lowercase()  # upper first: "ß" is "ss"
    joined = small.str.replace_all("œ", "oe", literal=True).str.replace_all("æ", "ae", literal=True)
    return joined.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars(" ")
