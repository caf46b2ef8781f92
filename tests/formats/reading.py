"""How tests of the formats read a file: what is not declared is found, as in a load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows import formats
from flows.project import Format
from flows.settings import Settings


def read(path: Path, name: str, declared: Format | None, batch_rows: int = 1000, max_record_mb: int = 10, **limits: Any) -> Iterator[Any]:
    """Every piece: frames or records, and BadRow where a record is no row."""
    settings = Settings(root=path.parent, batch_rows=batch_rows, max_record_mb=max_record_mb, **limits)
    decided = formats.decide(path, name, declared, settings)
    return formats.read(path, name, decided.format, settings)
