"""What texts are: in French, readable, without HTML. Each condition takes a column of texts and is true where the text meets it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from html.entities import name2codepoint
from typing import Any

import polars as pl

LOOKED_AT = 300  # characters of a text that its language is told from
REPLACEMENT = "\ufffd"
"""What a decoder writes for bytes that it cannot read."""
ORDINARY = "\\x00-\\x7Fàâäæéèêëîïôöùûüÿç’…–—°·§\\u00A0\\u2009\\u202F"
"""Encoding errors made of these alone do not exist, so that most French texts need not be searched for any."""
UNNOTICED = ("Å“", "Å’", "ÃŽ")
"""œ, Œ and Î read as Windows-1252, which ftfy takes for a letter before a quotation mark, and for two letters."""
ALONE = "hidden|disabled|checked|selected|readonly|required|multiple|async|defer|nowrap|noshade|compact|controls|autoplay|reversed|open"
"""HTML's attributes without a value: "a <b et c> d" has none of them, and no "="."""
MISREAD = "ŽÚÞÈËÍÓÔÛÙ‚ƒ†‡ˆ‰ŠÕ"
"""An accented small letter of one of Windows-1252, MacRoman and code page 850 reads as one of these in another of the three."""


def is_french(texts: pl.Expr, *, min_length: int = 40, min_confidence: float = 0.3) -> pl.Expr:
    """No other language is likelier than French.

    min_length: characters below which a text, such as a label or a title, says too little to tell, and meets the condition.
    min_confidence: the probability, from 0 to 1, that the other language must have; texts in doubt meet the condition.
    The language is told from the first 300 characters, by py3langid (a naive Bayes classifier of byte sequences, 139 languages).
    """

    def judge(text: str) -> bool:
        language, confidence = _languages().classify(text[:LOOKED_AT])
        return bool(language == "fr" or confidence < min_confidence)

    texts = texts.cast(pl.String).str.strip_chars()
    return (texts.str.len_chars() < min_length) | _each(texts, judge, texts.str.len_chars() >= min_length)


def is_free_of_mojibake(texts: pl.Expr) -> pl.Expr:
    """No trace of an encoding error: "Ã©" and the like, once or several times over, "�", letters of another one-byte encoding.

    Told by ftfy's `is_bad`, which knows what UTF-8 looks like when it is read as something else; the replacement character, the one-byte
    encodings and three French letters, which it leaves alone, are looked for here.
    """
    from ftfy.badness import is_bad

    texts = texts.cast(pl.String)
    damaged = texts.str.contains("|".join((REPLACEMENT, *UNNOTICED, rf"\p{{Ll}}[{MISREAD}]\p{{Ll}}")))
    return ~damaged & _each(texts, lambda text: not is_bad(text), texts.str.contains(f"[^{ORDINARY}]"))


def is_free_of_html(texts: pl.Expr) -> pl.Expr:
    """No HTML or Office tag, comment or entity. "<nom>" and "a < b" are none."""
    return ~texts.cast(pl.String).str.contains(_html())


def _each(texts: pl.Expr, judge: Callable[[str], bool], where: pl.Expr) -> pl.Expr:
    """`judge` asked once for each distinct text among those `where` is true; true for the others."""

    def answers(columns: pl.Series) -> pl.Series:
        rows = columns.struct.unnest().select("text", pl.col("where").fill_null(False))
        asked = rows.filter("where").select(pl.col("text").unique())
        met = pl.Series("met", [judge(text) for text in asked["text"]], dtype=pl.Boolean)
        return rows.join(asked.with_columns(met), on="text", how="left", maintain_order="left")["met"].fill_null(True)

    both = pl.struct(texts.alias("text"), where.alias("where"))
    return both.map_batches(answers, return_dtype=pl.Boolean, is_elementwise=True)


@functools.cache
def _languages() -> Any:
    """Loaded when a text is first asked about: it takes most of a second and about 120 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.cache
def _html() -> str:
    from lxml.html import defs

    names = sorted({*defs.tags, "main", "picture", "template", "dialog", "slot"}, key=len, reverse=True)
    tag = rf"</?(?:{'|'.join(names)}|[ovwm]:[a-z]+)(?:\s+(?:[^<>]*=|(?:{ALONE})\b)[^<>]*)?\s*/?>"
    entity = rf"&(?:{'|'.join(map(re.escape, name2codepoint))}|apos|#\d{{1,7}}|#x[0-9a-f]{{1,6}});"
    return rf"(?i){tag}|<!--|<!\[CDATA\[|<!doctype|<\?xml|{entity}"
