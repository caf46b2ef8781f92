"""Dataset rows -> labelled texts on three sides. A row's side depends on its key alone, so it never changes between versions."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import Refused
from flows.models import join_inputs
from flows.project import Model, Split

if TYPE_CHECKING:
    import polars as pl

SPLIT_SALT = "socle-split-1"
SAMPLE_SALT = "socle-sample-1"
SIDES = ("train", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """Three Parquet files with columns text, label (int) and order (for sampling), on this machine."""

    folder: Path
    labels: list[str]
    rows: dict[str, int]
    """Rows by side."""
    left_out: dict[str, int]
    """Rows without label or text, counted: they cannot be learned from."""

    def path(self, side: str) -> Path:
        return self.folder / f"{side}.parquet"

    def read(self, side: str, max_rows: int | None = None) -> tuple[list[str], list[int]]:
        """(texts, label numbers). `max_rows`: the same rows for the same keys, whatever the machine."""
        import polars as pl

        frame = pl.scan_parquet(self.path(side))
        if max_rows is not None:
            frame = frame.bottom_k(max_rows, by="order")
        rows = frame.sort("order").collect()
        return rows["text"].to_list(), rows["label"].to_list()


def unit_hash(salt: str, key: list[object]) -> float:
    """A number in [0, 1), the same everywhere for the same key."""
    text = json.dumps([salt, *key], ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def side_of(key: list[object], split: Split) -> str:
    place = unit_hash(SPLIT_SALT, key)
    if place < split.test:
        return "test"
    return "validation" if place < split.test + split.validation else "train"


def prepare(rows: pl.LazyFrame, model: Model, key: list[str], folder: Path) -> Examples:
    """Write the three sides under `folder`.

    Raises: Refused if there is nothing to learn: fewer than two labels, or an empty side.
    """
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    table = rows.select([*dict.fromkeys([*key, *model.inputs, model.label])]).collect()
    texts = [join_inputs(values) for values in table.select(pl.col(model.inputs).cast(pl.String)).iter_rows()]
    frame = pl.DataFrame(
        {
            "text": texts,
            "name": table[model.label].cast(pl.String),
            "side": [side_of(list(k), model.split) for k in table.select(key).iter_rows()],
            "order": [unit_hash(SAMPLE_SALT, list(k)) for k in table.select(key).iter_rows()],
        },
        schema_overrides={"text": pl.String, "side": pl.String, "order": pl.Float64},
    )
    unlabelled, textless = frame["name"].is_null(), frame["text"].str.strip_chars() == ""
    left_out = {"without_label": int(unlabelled.sum()), "without_text": int((textless & ~unlabelled).sum())}
    frame = frame.filter(~unlabelled & ~textless)
    labels = sorted(frame["name"].unique().to_list())
    counts = Counter(frame["side"].to_list())
    _refuse_hopeless(model, labels, counts, frame)
    numbered = frame.with_columns(label=pl.col("name").replace_strict(labels, list(range(len(labels))), return_dtype=pl.Int64))
    for side in SIDES:
        numbered.filter(pl.col("side") == side).select("text", "label", "order").write_parquet(folder / f"{side}.parquet")
    return Examples(folder, labels, {s: counts[s] for s in SIDES}, left_out)


def _refuse_hopeless(model: Model, labels: list[str], counts: Counter[str], frame: pl.DataFrame) -> None:
    import polars as pl

    where = f"dataset {model.dataset}, column {model.label}"
    trained = frame.filter(pl.col("side") == "train")["name"].n_unique()
    if len(labels) < 2 or trained < 2:
        found = labels[0] if labels else "none"
        raise Refused(
            f"there is nothing to tell apart: the label {model.label!r} has fewer than two values to train on ({found})", where=where
        )
    for side in SIDES:
        if not counts[side]:
            raise Refused(
                f"the {side} side is empty: {sum(counts.values())} rows are too few for this split",
                where=where,
                hint="more rows, or larger shares in split",
            )
