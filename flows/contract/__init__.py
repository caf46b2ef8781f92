"""A dataset's declared columns and types: what a batch must look like, and what drift is.

Values arrive as text (CSV, JSON records) or typed (Parquet). They are converted to the declared types; a row with a value that
cannot be converted is refused, with the rules that refused it, and keeps its original values. How texts are to be read (decimal
commas, the order of a date's parts, words for yes and no) is declared, or found in a sample and then kept.
"""

from __future__ import annotations

from flows.contract.conform import TEXT, conform, origins, own_name, refused_rows, required_columns
from flows.contract.conventions import conflicts, find_conventions, merged
from flows.contract.convert import convert, has_decimal_comma, strict
from flows.contract.drift import Drift, drift, settle
from flows.contract.familiar import familiar, strangers
from flows.contract.propose import Proposal, propose
from flows.contract.types import FILE, ROW, arrow_schema, as_text, frame_of_records, polars_type, require_names

__all__ = [
    "FILE",
    "ROW",
    "TEXT",
    "Drift",
    "Proposal",
    "arrow_schema",
    "as_text",
    "conflicts",
    "conform",
    "convert",
    "drift",
    "familiar",
    "find_conventions",
    "frame_of_records",
    "has_decimal_comma",
    "merged",
    "origins",
    "own_name",
    "polars_type",
    "propose",
    "refused_rows",
    "require_names",
    "required_columns",
    "settle",
    "strangers",
    "strict",
]
