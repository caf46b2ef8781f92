"""Refused rows of a load, between reading and the quarantine: Parquet files of one shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows import contract
from flows.contract import FILE, ROW
from flows.formats import BadRow, locate
from flows.project import Format
from flows.settings import Settings
from flows.steps.parts import COMPRESSION, LEVEL, POSITION, Part

if TYPE_CHECKING:
    import polars as pl

LOCATED = 20_000  # rows of a file whose place and text are looked up; of the others the number is known, and their values


def schema() -> dict[str, pl.DataType]:
    """file, row_number, rules, row (its values as JSON); line, offset and raw text where they are known."""
    import polars as pl

    kinds: dict[str, pl.DataType] = {"file": pl.String(), "row_number": pl.Int64(), "rules": pl.List(pl.String()), "row": pl.String()}
    return kinds | {"line": pl.Int64(), "offset": pl.Int64(), "raw": pl.String()}


def of_records(bad: Iterable[BadRow], file: str) -> pl.DataFrame:
    """Records that are no rows: they have no values, only their text."""
    import polars as pl

    made = [
        {"file": file, "row_number": b.row_number, "line": b.line, "offset": b.offset, "raw": b.raw, "rules": [b.rule], "row": "{}"}
        for b in bad
    ]
    return pl.DataFrame(made, schema=schema())


def complete(rows: pl.DataFrame) -> pl.DataFrame:
    """With every column of the shape, in its order."""
    import polars as pl

    lacking = [pl.lit(None, kind).alias(name) for name, kind in schema().items() if name not in rows.columns]
    return rows.with_columns(lacking).select(list(schema()))


def scan(files: Sequence[Path]) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_parquet(list(files)) if files else pl.LazyFrame(schema=schema())


def take_out(parts: Sequence[Part], wrong: pl.DataFrame, folder: Path, label: str) -> tuple[list[Part], list[Path]]:
    """Write parts again without some of their rows. `wrong`: POSITION among the rows of all parts, and their `rules`.

    Returns: (the parts that are left, files of the rows that were taken out).
    """
    import polars as pl

    kept, refused, start = list[Part](), list[Path](), 0
    for number, part in enumerate(parts):
        own = wrong.filter(pl.col(POSITION).is_between(start, start + part.rows, closed="left"))
        own = own.with_columns((pl.col(POSITION).cast(pl.Int64) - start).cast(pl.UInt32))
        start += part.rows
        if own.is_empty():
            kept.append(part)
            continue
        rest, out = _split(part, own, folder / f"{label}-{number:06}.parquet")
        kept.append(rest)
        refused.append(out)
    return kept, refused


def _split(part: Part, wrong: pl.DataFrame, path: Path) -> tuple[Part, Path]:

    placed = part.scan().with_row_index(POSITION)
    out = placed.join(wrong.lazy(), on=POSITION, how="inner", maintain_order="left").collect()
    refused = path.with_suffix(".refused")
    complete(contract.refused_rows(out.drop(POSITION, "rules"), out["rules"])).write_parquet(refused)
    rest = placed.join(wrong.lazy().select(POSITION), on=POSITION, how="anti", maintain_order="left").drop(POSITION)
    places = path.with_suffix(".places")
    for rows, target in ((rest.drop(FILE, ROW), path), (rest.select(FILE, ROW), places)):
        rows.sink_parquet(target, compression=COMPRESSION, compression_level=LEVEL)
    return Part(path, part.rows - out.height, places), refused


def count(files: Sequence[Path]) -> int:
    import polars as pl

    return int(scan(files).select(pl.len()).collect().item())


def count_rules(files: Sequence[Path]) -> dict[str, int]:
    """Rule -> rows that it refused; a row counts once for each of its rules."""
    import polars as pl

    found = scan(files).select(pl.col("rules").explode()).group_by("rules").len().collect()
    return dict(Counter(dict(zip(found["rules"].to_list(), found["len"].to_list(), strict=True))))


def add_places(files: Sequence[Path], members: dict[str, tuple[Path, Format]], settings: Settings) -> None:
    """Where the refused rows stand in their files, where that is not known yet: line, byte offset, text. One pass over a file that
    has any, and none over the others."""
    import polars as pl

    unknown = scan(files).filter(pl.col("raw").is_null()).select("file", "row_number").collect()
    found = []
    for (file,), rows in unknown.group_by("file", maintain_order=True):
        if file not in members:
            continue
        path, how = members[str(file)]
        places = locate(path, how, rows["row_number"].head(LOCATED).to_list(), settings)
        found += [{"file": file, "row_number": n, "line": p.line, "offset": p.offset, "raw": p.raw} for n, p in places.items()]
    if not found:
        return
    known = pl.DataFrame(found, schema={k: v for k, v in schema().items() if k in found[0]})
    for path in files:
        rows = pl.read_parquet(path).join(known, on=["file", "row_number"], how="left", suffix="_found", maintain_order="left")
        place = [pl.coalesce(c, f"{c}_found").alias(c) for c in ("line", "offset", "raw")]
        rows.with_columns(place).select(list(schema())).write_parquet(path)
