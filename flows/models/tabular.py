"""A row of a table -> a label or a number: a scikit-learn pipeline, stored with skops. Nothing is pickled.

skops (https://skops.readthedocs.io) writes JSON and arrays; a file that names a type besides those of scikit-learn, numpy and TRUSTED is
refused before anything of it is built.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException
from threadpoolctl import threadpool_limits

from flows.errors import ConfigurationError, Refused, StorageError
from flows.models import DESCRIPTION
from flows.models.classes import NEVER, Classes

FILE = "model.skops"
TRUSTED = [
    "functools.partial",  # with check_array: how gradient boosting checks its numbers. What a partial calls has to be trusted, too.
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]
BATCH = 50_000  # rows whose features are in memory at once
SMALL = 10_000  # rows up to which threads cost more, waiting for each other tree after tree, than they bring
SMALLEST = 1e-15  # probability
DATES = ("date", "datetime")


@dataclass(frozen=True)
class Column:
    """An input of the model."""

    name: str
    kind: str
    """number, boolean, date, datetime, category, text"""


def kind_of(name: str, dtype: pl.DataType, texts: Sequence[str]) -> str:
    """Raises: ConfigurationError for a type that no model of tables learns from."""
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return "text" if name in texts else "category"
    if name in texts:
        raise ConfigurationError(f"texts: {name!r} is {dtype}, not text", where=f"column {name}")
    if dtype.is_numeric():
        return "number"
    for kind, types in (("boolean", pl.Boolean), ("date", pl.Date), ("datetime", pl.Datetime)):
        if dtype == types:
            return kind
    raise ConfigurationError(f"{name!r} is {dtype}: a model cannot learn from it", where=f"column {name}", hint="leave it out of inputs")


def features(table: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """What the pipeline reads. Numbers, and yes or no as 1 and 0: Float64, NaN where there is none (an infinite one is none). Dates: days
    since 1970, with month, weekday and hour as categories. Categories and texts: "" where there is none.

    Raises: Refused if a column is not there, or holds something else than what the model was trained on.
    """
    if missing := [c.name for c in columns if c.name not in table.columns]:
        raise Refused(
            f"{len(missing)} column(s) that the model reads are missing: {', '.join(missing)}",
            where=f"the columns {', '.join(table.columns) or '(none)'}",
            hint="give them; where a value is not known, leave it empty",
        )
    made: dict[str, pl.Expr] = {}
    for column in columns:
        dtype = table.schema[column.name]
        if not _fits(column.kind, dtype):
            raise Refused(f"the column {column.name!r} is {dtype}: the model was trained on a {column.kind}", where=f"column {column.name}")
        made |= _expressions(column)
    return table.select(**made)


def _fits(kind: str, dtype: pl.DataType) -> bool:
    if dtype == pl.Null:
        return True
    if kind in ("category", "text"):
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    if kind == "number":
        return dtype.is_numeric()
    return dtype == pl.Boolean if kind == "boolean" else dtype in (pl.Date, pl.Datetime)


def _expressions(column: Column) -> dict[str, pl.Expr]:
    name, value = column.name, pl.col(column.name)
    if column.kind in ("category", "text"):
        return {name: value.cast(pl.String).fill_null("")}
    if column.kind not in DATES:
        number = value.cast(pl.Float64)
        return {name: pl.when(number.is_finite()).then(number).otherwise(float("nan"))}
    moment = value.cast(pl.Datetime("us"))
    parts = {"month": "%m", "weekday": "%u"} | ({"hour": "%H"} if column.kind == "datetime" else {})
    days = (moment.cast(pl.Int64) / 86_400_000_000).fill_null(float("nan"))
    return {name: days} | {f"{name}:{part}": moment.dt.strftime(form).fill_null("") for part, form in parts.items()}


class TabularPredictor:
    """`classes`: None for a model that answers with numbers. `pipeline`: fitted; its classes are numbers of `classes.labels`."""

    def __init__(self, kind: str, pipeline: Any, columns: Sequence[Column], classes: Classes | None) -> None:
        self.kind, self.pipeline, self.columns, self.classes = kind, pipeline, list(columns), classes

    def scores(self, table: pl.DataFrame) -> np.ndarray:
        """Logits, float64 (rows, labels); or the numbers, float64 (rows,). Raises: Refused, see features()."""
        with threadpool_limits(1 if len(table) <= SMALL else None):
            parts = [self._scores(features(part, self.columns)) for part in table.iter_slices(BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes.labels)) if self.classes else 0)

    def _scores(self, frame: pl.DataFrame) -> np.ndarray:
        if self.classes is None:
            return np.asarray(self.pipeline.predict(frame), dtype=np.float64)
        found = np.full((len(frame), len(self.classes.labels)), NEVER)
        found[:, self.pipeline.classes_] = np.log(np.maximum(self.pipeline.predict_proba(frame), SMALLEST))
        return found

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        """Of a table with at least the columns that the model reads: probabilities, float32 (rows, labels); or numbers, float64 (rows,)."""
        scores = self.scores(table)
        return self.classes.probabilities(scores) if self.classes else scores

    def save(self, folder: Path) -> None:
        skops.io.dump(self.pipeline, folder / FILE, compression=zipfile.ZIP_DEFLATED)
        described: dict[str, Any] = {"kind": self.kind, "columns": [asdict(c) for c in self.columns]}
        described |= self.classes.to_dict() if self.classes else {}
        (folder / DESCRIPTION).write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, description: dict[str, Any]) -> TabularPredictor:
        """Raises: StorageError for a file that is damaged, holds a type that is not trusted, or is of another scikit-learn."""
        try:
            pipeline = skops.io.load(folder / FILE, trusted=TRUSTED)
        except UntrustedTypesFoundException as error:
            raise StorageError(f"refused, it holds types that no model of Socle has: {error}", where=str(folder / FILE)) from None
        except Exception as error:  # what a damaged archive, or another scikit-learn, raises is anything
            hint = "the model card says which version of scikit-learn wrote it; train it again with this one"
            raise StorageError(f"cannot be read: {error!r}", where=str(folder / FILE), hint=hint) from None
        columns = [Column(**c) for c in description["columns"]]
        return cls(description["kind"], pipeline, columns, Classes.from_dict(description) if "labels" in description else None)
