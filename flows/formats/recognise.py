"""Which format a file is of: by its first bytes, and by its name where those do not tell."""

from __future__ import annotations

from pathlib import Path

from flows.errors import SourceRefused

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def recognise(path: Path, name: str) -> str:
    """A key of FORMATS. Raises: SourceRefused if it is none of them."""
    kind = SUFFIXES.get(Path(name).suffix.lower())
    if kind is None:
        raise SourceRefused(f"{name}: which format this is cannot be told", where=str(path), hint="declare format.type in project.yaml")
    return kind
