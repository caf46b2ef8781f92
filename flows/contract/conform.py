"""A batch of a file -> rows in the declared columns and types, and refused rows with every rule that refused them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flows.contract.convert import convert, has_value
from flows.contract.reading import Convention, settled
from flows.contract.types import FILE, ROW, polars_type
from flows.project import Column, Dataset

if TYPE_CHECKING:
    import polars as pl

TEXT = Column(type="string")


def own_name(name: str, column: Column) -> str:
    """What a column is called in the files."""
    return name if column.source is None else column.source


def origins(dataset: Dataset, found: Iterable[str]) -> dict[str, str]:
    """Declared column -> its name in the file, for those that the file has. `source` counts first; a file that has the declared
    names already (a transform's, corrected rows) is taken as well."""
    there = set(found)
    named = {n: c.source if c.source is not None and c.source in there else n for n, c in dataset.columns.items()}
    return {name: origin for name, origin in named.items() if origin in there}


def required_columns(dataset: Dataset) -> list[str]:
    """Key columns are always required: a row without a key has no identity."""
    return [n for n, c in dataset.columns.items() if c.required or n in dataset.key]


def conform(
    batch: pl.DataFrame, dataset: Dataset, extra: list[str], conventions: Mapping[str, Convention] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a batch into rows in the declared types, and refused rows.

    `batch` has FILE and ROW beside its own columns; `extra` are new columns that are let in as text (evolve); `conventions` say
    how the values of a column are written (`find_conventions`).
    Returns: (kept: FILE, ROW and typed columns; refused: file, row_number, rules, row, under the names of the file).
    """
    import polars as pl

    declared = dict(dataset.columns) | {name: TEXT for name in extra if name not in dataset.columns}
    origin = origins(dataset, batch.columns) | {name: name for name in extra if name in batch.columns}
    found = conventions or {}
    made = batch.select(
        FILE,
        ROW,
        *(
            convert(pl.col(origin[name]), batch.schema[origin[name]], column, found.get(name)).alias(name)
            if name in origin
            else pl.lit(None, dtype=polars_type(column.type)).alias(name)
            for name, column in declared.items()
        ),
    )
    rules = [rule for rule in _broken(batch, made, dataset, declared, origin, found) if rule is not None]
    if not rules:
        return made, refused_rows(batch.clear(), pl.Series("rules", [], dtype=pl.List(pl.String)))
    broken = pl.select(pl.concat_list(rules).list.drop_nulls()).to_series()
    wrong = broken.list.len() > 0
    return made.filter(~wrong), refused_rows(batch.filter(wrong), broken.filter(wrong))


def _broken(
    batch: pl.DataFrame,
    made: pl.DataFrame,
    dataset: Dataset,
    declared: Mapping[str, Column],
    origin: dict[str, str],
    found: Mapping[str, Convention],
) -> Iterable[pl.Series | None]:
    """For each rule that some row breaks: its name where it is broken, null elsewhere."""
    import polars as pl

    for name, column in declared.items():  # those that were let in, too: what no text can be made of is not lost
        unread = made[name].is_null() & batch[origin[name]].is_not_null() if name in origin else pl.Series([False])
        if unread.any():  # hardly ever: whether there is a value is only asked then
            yield _where(unread & _has_value(batch, origin[name], column, found.get(name)), f"type:{name}:{column.type}")
    for name in required_columns(dataset):
        column = dataset.columns[name]
        if name not in origin:
            yield pl.Series([f"required:{name}"] * batch.height, dtype=pl.String) if batch.height else None
        elif made[name].null_count() or batch.schema[origin[name]] == pl.String:
            yield _where(~_has_value(batch, origin[name], column, found.get(name)), f"required:{name}")


def _has_value(batch: pl.DataFrame, name: str, column: Column, convention: Convention | None) -> pl.Series:
    import polars as pl

    return batch.select(has_value(pl.col(name), batch.schema[name], settled(column, convention))).to_series()


def _where(broken: pl.Series, rule: str) -> pl.Series | None:
    import polars as pl

    return pl.select(pl.when(broken).then(pl.lit(rule))).to_series() if broken.any() else None


def refused_rows(rows: pl.DataFrame, rules: pl.Series) -> pl.DataFrame:
    """Rows (with FILE and ROW) in the shape of the quarantine table: file, row_number, rules, row."""
    import polars as pl

    own = [_json_value(c, rows.schema[c]) for c in rows.columns if not c.startswith("__")]
    return rows.select(
        pl.col(FILE).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("row_number"),
        rules.alias("rules").cast(pl.List(pl.String)),
        pl.struct(own).struct.json_encode().alias("row") if own else pl.lit("{}").alias("row"),
    )


def _json_value(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as JSON can hold it: bytes in hexadecimal, durations as integers in their unit."""
    import polars as pl

    if kind == pl.Binary:
        return pl.col(name).bin.encode("hex")
    return pl.col(name).cast(pl.Int64) if isinstance(kind, pl.Duration) else pl.col(name)
