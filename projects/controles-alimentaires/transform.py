"""The two layouts in which the inspections were published -> one.

In April 2017 a file had `Adresse_activite`, `Localite`, `Libelle_commune` and `ods_adresse`. Since June the first two are gone: in their
places stand `ods_adresse` and `Libelle_commune` a second time. Reading by place would put short addresses where long ones were, so
everything goes by name. What is in neither layout is left as it is: the contract says so.
"""

import polars as pl

ONLY_AT_FIRST = ("Adresse_activite", "Localite")
TWICE = ("ods_adresse", "Libelle_commune")


def inspections(batch: pl.DataFrame) -> pl.DataFrame:
    for name in TWICE:
        batch = _once(batch, name, f"{name}_2")
    if not set(ONLY_AT_FIRST) & set(batch.columns):
        batch = batch.with_columns(pl.lit(None, pl.String).alias(name) for name in ONLY_AT_FIRST)
    return _coordinates(batch) if "geores" in batch.columns else batch


def _once(batch: pl.DataFrame, name: str, again: str) -> pl.DataFrame:
    """Without the second of two columns of one name, which says the same. If it ever says something else it stays: a new column, which
    is refused until somebody has decided which of the two is right."""
    if not {name, again} <= set(batch.columns) or not batch[name].eq_missing(batch[again]).all():
        return batch
    return batch.drop(again)


def _coordinates(batch: pl.DataFrame) -> pl.DataFrame:
    """`48.85, 2.35` -> latitude and longitude. What is no pair stays as text in their place, so that its row is refused as no number."""
    pair = pl.col("geores").str.strip_chars().replace("", None)
    parts = pair.str.splitn(",", 2).struct
    lone = pair.is_not_null() & ~pair.str.contains(",", literal=True)
    return batch.with_columns(
        latitude=pl.when(lone).then(pl.lit("geores = ") + pair).otherwise(parts.field("field_0").str.strip_chars()),
        longitude=parts.field("field_1").str.strip_chars(),
    ).drop("geores")
