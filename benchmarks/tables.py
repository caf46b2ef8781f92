"""The tables that loading is measured on: the same bytes each time, of any size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

COLUMNS = {
    "id": "integer",
    "siret": "string",
    "montant": "number",
    "jour": "date",
    "libelle": "string",
    "commune": "string",
    "code_postal": "string",
    "actif": "boolean",
}
ROWS = 4_000_000  # about 390 MB
PIECE = 1_000_000
PROJECT = """\
title: Mesure
ministry: Essai
owner: {{team: Essai, email: essai@example.gouv.fr}}
datasets:
  grand:
    title: Grand fichier
    source: {{type: file, path: "data/*"}}
    {format}{key}columns: {columns}
    expectations: [{suites}]
    on_failure: quarantine
    personal_data: none
"""
SUITE = [
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_between", {"column": "id", "min_value": 0}),
    ("expect_column_values_to_not_be_null", {"column": "siret"}),
    ("expect_column_value_lengths_to_equal", {"column": "siret", "value": 14}),
    ("expect_column_values_to_match_regex", {"column": "siret", "regex": r"^\d{14}$"}),
    ("expect_column_values_to_be_between", {"column": "montant", "min_value": -5000, "max_value": 10000}),
    ("expect_column_mean_to_be_between", {"column": "montant", "min_value": 900, "max_value": 1100}),
    ("expect_column_values_to_not_be_null", {"column": "jour"}),
    (
        "expect_column_values_to_be_in_set",
        {"column": "libelle", "value_set": ["Restauration", "Boucherie, charcuterie", "Épicerie", "Découpe de viande"]},
    ),
    ("expect_column_values_to_match_regex", {"column": "code_postal", "regex": r"^\d{5}$"}),
    ("expect_column_unique_value_count_to_be_between", {"column": "commune", "min_value": 10, "max_value": 10000}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
]


def pieces(rows: int) -> Iterator[pl.DataFrame]:
    """The table, a million rows at a time."""
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(1)
    words = pl.Series(["Restauration", "Boucherie, charcuterie", "Épicerie", "Découpe de viande"])
    towns = pl.Series([f"Commune numéro {i}" for i in range(5000)])
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        town = generator.integers(0, 5000, n)
        yield pl.DataFrame(
            {
                "id": np.arange(start, start + n),
                "siret": generator.integers(10**13, 10**14, n).astype(str),
                "montant": np.round(generator.normal(1000, 300, n), 2),
                "jour": (np.datetime64("2020-01-01") + generator.integers(0, 1000, n)).astype("datetime64[D]"),
                "libelle": words.gather(generator.integers(0, 4, n)),
                "commune": towns.gather(town),
                "code_postal": pl.Series(town).cast(pl.String).str.zfill(5),
                "actif": generator.integers(0, 2, n).astype(bool),
            }
        )


def write_parquet(path: Path, rows: int) -> Path:
    import pyarrow.parquet as pq

    writer = None
    for piece in pieces(rows):
        table = piece.to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=122_880)  # what Polars writes, and Socle with it
    assert writer is not None
    writer.close()
    return path


def write_texts(path: Path, rows: int) -> Path:
    """Texts of 2,000 characters, no two alike."""
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(2)
    words = np.array(
        ["salarié", "employeur", "congé", "accord", "durée", "travail", "contrat", "sécurité", "l'article", "de", "la", "prévu"]
    )
    made = [" ".join(words[generator.integers(0, len(words), 300)]) for _ in range(2_000)]
    texts = pl.Series(made).gather(generator.integers(0, len(made), rows))
    frame = pl.DataFrame({"id": np.arange(rows), "texte": texts}).with_columns(pl.format("Sous {} jours, {}", "id", "texte").alias("texte"))
    frame.write_parquet(path, row_group_size=122_880)
    return path


def write_csv(path: Path, rows: int = ROWS, *, french: bool = False, every_wrong: int = 0) -> Path:
    """`french`: cp1252, semicolons, decimal commas. `every_wrong`: one row in so many has a text where its amount should be."""
    import polars as pl

    with path.open("wb") as out:
        for number, piece in enumerate(pieces(rows)):
            frame = piece.with_columns(pl.col("montant").cast(pl.String))
            if every_wrong:
                frame = frame.with_columns(
                    pl.when(pl.col("id") % every_wrong == every_wrong - 1).then(pl.lit("néant")).otherwise("montant").alias("montant")
                )
            if french:
                frame = frame.with_columns(pl.col("montant").str.replace(".", ",", literal=True))
            text = frame.write_csv(include_header=number == 0, separator=";" if french else ",")
            out.write(text.encode("cp1252" if french else "utf-8"))
    return path


def write_project(root: Path, *, key: bool = False, suite: bool = False, declared: str = "") -> Path:
    """projects/mesure under `root`; the folder that its data go into."""
    folder = root / "projects" / "mesure"
    (folder / "data").mkdir(parents=True)
    (root / "expectations").mkdir()
    expectations = [{"type": kind, "kwargs": arguments, "severity": "critical"} for kind, arguments in SUITE]
    (root / "expectations" / "grand.json").write_text(json.dumps({"name": "grand", "expectations": expectations}), encoding="utf-8")
    text = PROJECT.format(
        format=f"format: {declared}\n    " if declared else "",
        key="key: [id]\n    " if key else "",
        columns=json.dumps(COLUMNS),
        suites="grand.json" if suite else "",
    )
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return folder / "data"
