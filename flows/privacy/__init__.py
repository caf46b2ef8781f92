"""Personal data: found and masked, in columns and in free French text. Plain functions, no network.

find(rows) -> PrivacyReport        # rows: polars.LazyFrame; per column what it holds, how often, how sure, why
contains_personal_data(text)       # the kinds, in the order of kinds.KINDS
mask(text)                         # each entity replaced by its kind: « [nom] a écrit à [e-mail] »
mask_value(value, kinds)           # one value of a column that holds such kinds: « j***@***.fr »

What does not belong here: what a finding leads to for a load (flows/steps/privacy.py). See docs/personal-data.md.
"""

from __future__ import annotations

from flows.privacy.entities import contains_personal_data, entities
from flows.privacy.find import Limits, find
from flows.privacy.kinds import Entity
from flows.privacy.masks import mask, mask_value, masker
from flows.privacy.report import ColumnFinding, PrivacyReport

PRIVACY_REVISION = "2"
"""Raise it when other things are found than before: every dataset is then checked again."""

__all__ = [
    "PRIVACY_REVISION",
    "ColumnFinding",
    "Entity",
    "Limits",
    "PrivacyReport",
    "contains_personal_data",
    "entities",
    "find",
    "mask",
    "mask_value",
    "masker",
]
