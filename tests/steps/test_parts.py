"""The rows of a load on their way: however frames are cut, and wherever files end, every row comes out once, in order, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flows.contract import FILE, ROW
from flows.steps.parts import POSITION, Part, PartWriter, digest_of, rows_of, scan
from flows.steps.refused import count, count_rules, take_out

BOUNDED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
VALUES = {"n": pl.Int64, "t": pl.String, "f": pl.Float64}
SCHEMA: dict[str, Any] = {FILE: pl.String, ROW: pl.Int64} | VALUES
FRAMES = st.lists(st.tuples(st.sampled_from(["un.csv", "deux.csv"]), st.integers(0, 12), st.booleans()), max_size=12)


def frame(file: str, start: int, height: int) -> pl.DataFrame:
    rows = [(file, start + i, i if i % 3 else None, f"{file} {start + i}" * (i % 4) or None, i / 4) for i in range(height)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def through(writer: PartWriter, frames: list[tuple[str, int, bool]]) -> pl.DataFrame:
    """Frames are added, or adopted as a file of their own. Returns: all of them."""
    given_ones, row = [frame("", 1, 0)], 1
    for file, height, whole in frames:
        one = frame(file, row, height)
        if whole:
            path = writer.next_path()
            one.drop(FILE, ROW).write_parquet(path)
            writer.adopt(Part(path, height, file=file, first=row))
        else:
            writer.add(one)
        given_ones.append(one)
        row += height
    return pl.concat(given_ones)


@BOUNDED
@given(frames=FRAMES, group_rows=st.integers(1, 20), group_bytes=st.integers(1, 2000), part_bytes=st.integers(1, 4000))
def test_every_row_comes_out_once_in_order_with_its_place(tmp_path_factory, frames, group_rows, group_bytes, part_bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("GROUP_ROWS", group_rows), ("GROUP_BYTES", group_bytes), ("PART_BYTES", part_bytes)):
            patch.setattr(f"flows.steps.parts.{name}", value)
        writer = PartWriter(tmp_path_factory.mktemp("parts"))
        expected = through(writer, frames)
        parts = writer.finish()
    assert len({part.path for part in parts}) == len(parts)
    assert [parquet.read_metadata(part.path).num_rows for part in parts] == [part.rows for part in parts]
    assert rows_of(parts) == expected.height
    if parts:
        assert pl.concat([part.scan().collect() for part in parts]).equals(expected)
        assert scan(parts).collect().equals(expected.drop(FILE, ROW))
    else:
        assert expected.is_empty()


@BOUNDED
@given(frames=FRAMES, wrong=st.sets(st.integers(0, 150)), part_bytes=st.integers(1, 2000))
def test_exactly_the_wrong_rows_are_taken_out(tmp_path_factory, frames, wrong, part_bytes) -> None:
    folder = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.steps.parts.GROUP_ROWS", 3)
        patch.setattr("flows.steps.parts.PART_BYTES", part_bytes)
        writer = PartWriter(folder)
        every = through(writer, frames)
        parts = writer.finish()
    positions = sorted(p for p in wrong if p < every.height)
    rules = [["rule:a"] if p % 2 else ["rule:a", "rule:b"] for p in positions]
    asked = pl.DataFrame({POSITION: positions, "rules": rules}, schema={POSITION: pl.UInt32, "rules": pl.List(pl.String)})
    left, files = take_out(parts, asked, folder, "faux")
    kept = [row for position, row in enumerate(every.rows()) if position not in wrong]
    assert [row for part in left for row in part.scan().collect().rows()] == kept
    assert rows_of(left) == len(kept)
    out = [row for file in files for row in pl.read_parquet(file).to_dicts()]
    taken = [every.row(p, named=True) for p in positions]
    assert [(r["file"], r["row_number"], r["rules"]) for r in out] == [(r[FILE], r[ROW], x) for r, x in zip(taken, rules, strict=True)]
    assert count(files) == len(positions)
    assert count_rules(files) == {k: v for k, v in (("rule:a", len(positions)), ("rule:b", sum(len(r) == 2 for r in rules))) if v}


@given(order=st.permutations(range(8)))
@settings(deadline=None, max_examples=20)
def test_a_digest_is_of_rows_in_any_order_and_of_each_of_them(order: list[int]) -> None:
    rows = frame("un.csv", 1, 8).drop(FILE, ROW)
    shuffled = rows[order].select("t", "f", "n")
    assert digest_of(shuffled.lazy()) == digest_of(rows.lazy())
    assert digest_of(rows[order[1:]].lazy()) != digest_of(rows.lazy())
    assert digest_of(pl.concat([rows, rows[:1]]).lazy()) != digest_of(rows.lazy())


def test_what_was_open_when_a_load_failed_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.steps.parts.GROUP_ROWS", 1)
    writer = PartWriter(tmp_path)
    writer.add(frame("un.csv", 1, 3))
    writer.discard()
    assert writer.parts == []
    assert parquet.read_metadata(tmp_path / "000000.parquet").num_rows == 3  # a closed file has its end
