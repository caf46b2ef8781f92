"""Declarations, companies and activities -> one row a declaration, with all that is known of the company."""

import polars as pl

THRESHOLD = 75  # below it, the law asks for corrective measures


def enrichies(tables: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Every declaration stays, also where its company or its activity is not found: `entreprise_connue` and `activite_connue` say so.

    Both sides of a join have a key that the contract made unique, so no declaration is doubled.
    """
    companies = tables["entreprises"].with_columns(entreprise_connue=pl.lit(True))
    activities = tables["naf"].select(
        "section",
        "libelle_section",
        activite_principale="sous_classe",
        libelle_activite="libelle_sous_classe",
        activite_connue=pl.lit(True),
    )
    return (
        tables["declarations"]
        .drop("nom_ues", "entreprises_ues")
        .join(companies, on="siren", how="left", validate="m:1")
        .join(activities, on="activite_principale", how="left", validate="m:1")
        .with_columns(pl.col("entreprise_connue", "activite_connue").fill_null(False), sous_le_seuil=pl.col("note") < THRESHOLD)
    )
