"""Rows of one key: what is found slice by slice is what looking at every row in turn finds."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.contract import FILE, ROW
from flows.steps.doubles import KNOWN, TWICE, refuse_doubles
from flows.steps.parts import Part, PartWriter

BOUNDED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
COLUMNS = {
    "a": (pl.String, st.sampled_from(["", "x", "y", "é", "xy"]) | st.none()),
    "b": (pl.Int64, st.integers(0, 3) | st.none()),
    "c": (pl.Float64, st.sampled_from([0.0, 1.5]) | st.none()),
    "d": (pl.Date, st.sampled_from([date(1, 1, 1), date(9999, 12, 31)]) | st.none()),
}
SCHEMA: dict[str, Any] = {name: kind for name, (kind, _) in COLUMNS.items()} | {"value": pl.Int64}
RECORDS = st.lists(st.tuples(*(values for _, values in COLUMNS.values())), max_size=30)


def written(parts: list[list[tuple[Any, ...]]], folder: Path) -> list[Part]:
    """Some of them from places, some as a file that was taken whole."""
    made, value = PartWriter(folder), 0
    for number, rows in enumerate(parts):
        frame = pl.DataFrame([(*row, value + i) for i, row in enumerate(rows)], schema=SCHEMA, orient="row")
        value += len(rows)
        if number % 2 or not rows:
            path = made.next_path()
            frame.write_parquet(path)
            made.adopt(Part(path, len(rows), file=f"{number}.csv", first=7))
        else:
            places = [pl.lit(f"{number}.csv").alias(FILE), pl.int_range(0, pl.len(), dtype=pl.Int64).alias(ROW) * 2 + 1]
            made.add(frame.select(*places, pl.all()))
    return made.finish()


def naive(rows: list[dict[str, Any]], key: list[str], there: set[tuple[Any, ...]]) -> tuple[list[dict[str, Any]], list[set[str]]]:
    """(rows that stay, rules of those that do not)"""
    seen: set[tuple[Any, ...]] = set()
    kept, rules = [], []
    for row in rows:
        own, name = tuple(row[k] for k in key), ",".join(key)
        found = {f"key:{name}:{TWICE}"} if own in seen else set()
        found |= {f"key:{name}:{KNOWN}"} if own in there else set()
        seen.add(own)
        if found:
            rules.append(found)
        else:
            kept.append(row)
    return kept, rules


@BOUNDED
@given(
    parts=st.lists(RECORDS, min_size=1, max_size=4),
    key=st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True),
    known=RECORDS | st.none(),
    slice_rows=st.integers(1, 40),
)
def test_first_rows_stay_and_all_others_are_refused(tmp_path_factory, parts, key, known, slice_rows) -> None:
    folder = tmp_path_factory.mktemp("doubles")
    made = written(parts, folder)
    rows = pl.concat([part.scan().collect() for part in made]).to_dicts()
    # keys of a table are all there: a null is none, so that it is never known
    there = None if known is None else pl.DataFrame([(*k, 0) for k in known], schema=SCHEMA, orient="row").lazy().drop_nulls(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.steps.doubles.SLICE_ROWS", slice_rows)
        left, files = refuse_doubles(made, key, there, folder)
    kept, rules = naive(rows, key, set() if there is None else set(there.select(key).collect().rows()))
    assert pl.concat([part.scan().collect() for part in left]).to_dicts() == kept
    assert [part.rows for part in left] == [part.scan().collect().height for part in left]
    refused = [row for file in files for row in pl.read_parquet(file).to_dicts()]
    assert [set(row["rules"]) for row in refused] == rules
    wrong = [(r[FILE], r[ROW]) for r in rows if r not in kept]
    assert [(r["file"], r["row_number"]) for r in refused] == wrong


def test_a_slice_that_gets_no_row_is_nothing_special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.steps.doubles.SLICE_ROWS", 1)
    made = written([[("x", 1, None, None)] * 50], tmp_path)
    left, (file,) = refuse_doubles(made, ["a", "b"], None, tmp_path)
    assert [part.rows for part in left] == [1]
    assert pl.read_parquet(file).height == 49


def test_equal_keys_of_other_types_in_the_table_are_not_mixed_up(tmp_path: Path) -> None:
    """Text that looks like a number is no number: the table's column has the declared type."""
    made = written([[("1", 1, None, None), ("01", 1, None, None)]], tmp_path)
    there = pl.DataFrame([("01", 9, None, None, 0)], schema=SCHEMA, orient="row").lazy()
    left, (file,) = refuse_doubles(made, ["a"], there, tmp_path)
    assert pl.concat([p.scan().collect() for p in left])["a"].to_list() == ["1"]
    assert pl.read_parquet(file)["rules"].to_list() == [[f"key:a:{KNOWN}"]]
