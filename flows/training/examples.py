"""Rows of a dataset version -> examples of a task on three sides, as Parquet files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import Refused
from flows.project import Model
from flows.training.split import EARLIER, SAMPLE_SALT, SIDES, UNDATED, sides, unit_hash
from flows.training.tasks.base import LEFT_OUT, Task

if TYPE_CHECKING:
    import polars as pl

GROUP = "group."  # before the name of a column whose values test scores are broken down by
REASONS = {EARLIER: "d'une entité que l'on retrouve plus tard", UNDATED: "sans date"}


@dataclass(frozen=True)
class Examples:
    """Three Parquet files on this machine: the task's columns, `order` (it names the row) and `group.<column>`."""

    folder: Path
    labels: list[str]
    rows: dict[str, int]
    """Rows by side."""
    left_out: dict[str, int]
    """Rows that cannot be learned from or asked about, counted by why."""

    def path(self, side: str) -> Path:
        return self.folder / f"{side}.parquet"

    def read(self, side: str, max_rows: int | None = None) -> pl.DataFrame:
        """`max_rows`: the same rows for the same keys, whatever the machine."""
        import polars as pl

        frame = pl.scan_parquet(self.path(side))
        if max_rows is not None:
            frame = frame.bottom_k(max_rows, by="order")
        return frame.sort("order").collect()


def prepare(rows: pl.LazyFrame, task: Task, key: list[str], folder: Path) -> Examples:
    """Write the three sides under `folder`.

    Raises: Refused if there is nothing to learn: an empty side, or what the task says.
    """
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    model = task.model
    table = rows.select(list(dict.fromkeys([*key, *model.columns]))).collect()
    side, why = sides(table, key, model.split)
    frame = task.examples(table).with_columns(
        side=side,
        order=pl.Series([unit_hash(SAMPLE_SALT, list(k)) for k in table.select(key).iter_rows()], dtype=pl.Float64),
        **{f"{GROUP}{name}": table[name].cast(pl.String) for name in model.groups},
    )
    frame = frame.with_columns(pl.coalesce(pl.col(LEFT_OUT), why).alias(LEFT_OUT))
    left_out = Counter(frame[LEFT_OUT].drop_nulls().to_list())
    frame = frame.filter(pl.col(LEFT_OUT).is_null()).drop(LEFT_OUT)
    labels = task.labels(frame)
    numbered = task.numbered(frame, labels)
    counts = Counter(frame["side"].to_list())
    for name in SIDES:
        numbered.filter(pl.col("side") == name).drop("side").write_parquet(folder / f"{name}.parquet")
    examples = Examples(folder, labels, {s: counts[s] for s in SIDES}, dict(left_out))
    task.check(examples)
    _refuse_empty_sides(model, examples)
    return examples


def _refuse_empty_sides(model: Model, examples: Examples) -> None:
    for side in SIDES:
        if not examples.rows[side]:
            raise Refused(
                f"the {side} side is empty: {sum(examples.rows.values())} rows are too few for this split",
                where=f"dataset {model.dataset}, for {model.title!r}",
                hint="more rows, or larger shares in split",
            )
