"""Rows of a dataset version with the entities in their texts replaced: what a `pseudonymised` dataset is made of.

Only columns that the new dataset declares are taken. No text leaves the run's own folder but as the new version's rows, and no table is
written that leads from a placeholder back to a name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.findings import Finding
from flows.lake.datasets import Dataset
from flows.lake.models import Models, ModelVersion
from flows.lake.raw import RawFile
from flows.lake.references import parse
from flows.privacy.pseudonyms import pseudonymise
from flows.project import Dataset as Declared
from flows.project.sources import PseudonymisedSource
from flows.steps import Run

if TYPE_CHECKING:
    import polars as pl

DOCUMENT = "__document"
SOME = 2_000  # rows that are read together, and more where a document is longer


def write(run: Run, declared: Declared, file: RawFile, path: Path) -> tuple[str, Finding]:
    """Write the rows at `path` as Parquet. Returns what they are made of, and what a person should know of them.

    `file`: what the source gave. Raises: StorageError if the model's files are not those that were committed.
    """
    import pyarrow.parquet as pq

    source = declared.source
    assert isinstance(source, PseudonymisedSource)
    assert file.path is not None
    named = json.loads(file.path.read_text(encoding="utf-8"))
    model = _model(run, named["model"])
    predictor = _predictor(run, model)
    table, counts = Dataset(run.lake, named["project"], named["dataset"]), Counter[str]()
    made_of = f"{named['project']}/{named['dataset']}@{named['version']}"
    with table.reading():
        rows = _sorted(table.scan(named["version"]), declared, source)
        rows.sink_parquet(path.with_suffix(".sorted"), engine="streaming")
    writer: Any = None
    for frame in _whole_documents(path.with_suffix(".sorted")):
        made = _replaced(frame, source, predictor, counts).to_arrow()
        writer = writer or pq.ParquetWriter(path, made.schema)
        writer.write_table(made)
    if writer is None:
        rows.drop(DOCUMENT).head(0).collect().write_parquet(path)
    else:
        writer.close()
    path.with_suffix(".sorted").unlink()
    return f"{made_of} + {model}", _finding(counts, model)


def _model(run: Run, reference: str) -> ModelVersion:
    named = parse(reference)
    return Models(run.lake, named.project, named.name).resolve(named)


def _predictor(run: Run, version: ModelVersion) -> Any:
    from flows.models import load

    store = Models(run.lake, version.project, version.model)
    return load(store.download(version, run.work / "pseudonymise" / version.model))


def _sorted(rows: pl.LazyFrame, declared: Declared, source: PseudonymisedSource) -> pl.LazyFrame:
    """The columns that are wanted, the rows of a document side by side, in the order of the key where there is one."""
    import polars as pl

    there = rows.collect_schema().names()
    wanted = [origin for name, column in declared.columns.items() if (origin := column.source or name) in there]
    key = [origin for name in declared.key if (origin := declared.columns[name].source or name) in there]
    document = pl.col(source.document).cast(pl.String) if source.document else pl.lit(None, pl.String)
    return rows.select(*wanted, document.alias(DOCUMENT)).sort(DOCUMENT, *key, maintain_order=True)


def _whole_documents(path: Path) -> Iterator[pl.DataFrame]:
    """Frames that end where a document ends."""
    import polars as pl

    held: pl.DataFrame | None = None
    for batch in pl.scan_parquet(path).collect_batches(chunk_size=SOME, maintain_order=True):
        frame = batch if held is None else pl.concat([held, batch])
        if not frame.height:
            continue
        last = frame[DOCUMENT][-1]
        open_rows = 0 if last is None else int(frame.select((pl.col(DOCUMENT) == last).sum()).item())
        ended = frame.head(frame.height - open_rows)
        held = frame.tail(open_rows)
        if ended.height:
            yield ended
    if held is not None and held.height:
        yield held


def _replaced(frame: pl.DataFrame, source: PseudonymisedSource, predictor: Any, counts: Counter[str]) -> pl.DataFrame:
    import polars as pl

    texts = {column: frame[column].cast(pl.String).to_list() for column in source.texts}
    spans = {column: predictor.predict([text or "" for text in values]) for column, values in texts.items()}
    for rows in _documents(frame[DOCUMENT].to_list()):
        places = [(column, row) for row in rows for column in source.texts]
        made = pseudonymise([texts[c][r] for c, r in places], [spans[c][r] for c, r in places], source.replace)
        counts.update(made.counts)
        for (column, row), text in zip(places, made.texts, strict=True):
            texts[column][row] = text
    return frame.drop(DOCUMENT).with_columns(pl.Series(column, values, dtype=pl.String) for column, values in texts.items())


def _documents(names: list[str | None]) -> Iterator[list[int]]:
    """Rows of each document; a row without one is one."""
    for _, rows in groupby(range(len(names)), key=lambda row: (names[row], row if names[row] is None else 0)):
        yield list(rows)


def _finding(counts: Counter[str], model: ModelVersion) -> Finding:
    said = ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "–"
    recalls = [model.metrics["test"][name]["value"] for name in ("recall", "partial_recall")]
    exact, partly = (f"{100 * r:.0f}" if r is not None else "?" for r in recalls)
    return Finding(
        "note",
        f"{counts.total()} passages were replaced ({said}). {model} finds {exact} % of the entities of its test side exactly, {partly} % "
        "at least in part: what is missed is still in the texts, and a person has to read them before they are published",
        f"{counts.total()} passages remplacés ({said}). Le modèle {model} retrouve {exact} % des entités de son côté test exactement, "
        f"{partly} % au moins en partie : ce qu'il manque est resté dans les textes. Une personne doit les relire avant toute publication.",
    )
