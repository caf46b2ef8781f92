"""Parquet files made on this machine become data files of a table's next version, as they are: nothing is read and written again.

They are uploaded under names of their own before the commit that names them. Files of a commit that did not come about are never
visible; `maintain` removes them.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import ConfigurationError
from flows.lake import keys
from flows.lake.objects import Objects

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.transaction import AddAction, RemoveAction

UPLOADS = 4  # files at the same time


@dataclass(frozen=True)
class DataFile:
    """A Parquet file in the columns of its table. It is given up: the lake may take the file itself."""

    path: Path
    rows: int


def upload(objects: Objects, dataset: str, files: Sequence[DataFile]) -> list[AddAction | RemoveAction]:
    """What a commit says of the files that were uploaded. It keeps no smallest and largest values: they can be a person's."""
    from deltalake.transaction import AddAction

    token = uuid.uuid4().hex[:16]
    names = [keys.data_file_name(token, number) for number in range(len(files))]
    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(lambda one: objects.adopt(keys.data_file(dataset, one[0]), one[1].path), zip(names, files, strict=True)))
    return [
        AddAction(
            path=name,
            size=file.path.stat().st_size,
            partition_values={},
            modification_time=int(time.time() * 1000),
            data_change=True,
            stats=json.dumps({"numRecords": file.rows}),
        )
        for name, file in zip(names, files, strict=True)
    ]


def reader(files: Sequence[DataFile], schema: pa.Schema) -> pa.RecordBatchReader:
    from pyarrow import dataset

    return dataset.dataset([str(f.path) for f in files], schema=schema, format="parquet").scanner().to_reader()


def require_names(schema: pa.Schema, where: str) -> None:
    """Delta tables do not tell capitals in names of columns.

    Raises: ConfigurationError for names that differ in them alone.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise ConfigurationError(
                f"the columns {other!r} and {name!r} differ in capitals alone, which a table does not tell",
                where=where,
                hint=f"declare one of them under another name: columns: {{name: {{type: string, source: {name!r}}}}}",
                french=f"Les colonnes « {other} » et « {name} » ne diffèrent que par des majuscules : il faut en renommer une.",
            )
