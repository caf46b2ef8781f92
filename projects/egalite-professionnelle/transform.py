"""Declarations, companies and activities -> one row a declaration, with all that is known of the company."""

import polars as pl

THRESHOLD = 75  # below it, the law asks for corrective measures
SIREN = r"\(\d{9}\)"


def enrichies(tables: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Every declaration stays, also where its company or its activity is not found: `entreprise_connue` and `activite_connue` say so.

    The right side of each join has a key that the contract made unique, so no declaration is doubled.
    """
    declarations = tables["declarations"]
    companies = tables["entreprises"].with_columns(entreprise_connue=pl.lit(True))
    activities = tables["naf"].select(
        "section",
        "libelle_section",
        "division",
        activite_principale="sous_classe",
        libelle_activite="libelle_sous_classe",
        activite_connue=pl.lit(True),
    )
    year_before = declarations.select("siren", pl.col("annee") + 1, note_precedente="note")
    return (
        declarations.with_columns(autres_entreprises_ues=pl.col("entreprises_ues").str.count_matches(SIREN).fill_null(0).cast(pl.Int64))
        .drop("nom_ues", "entreprises_ues")
        .join(companies, on="siren", how="left", validate="m:1")
        .join(activities, on="activite_principale", how="left", validate="m:1")
        .join(year_before, on=["siren", "annee"], how="left", validate="1:1")
        .with_columns(
            pl.col("entreprise_connue", "activite_connue").fill_null(False),
            sous_le_seuil=pl.col("note") < THRESHOLD,
            deja_notee=pl.col("note_precedente").is_not_null(),
        )
    )
