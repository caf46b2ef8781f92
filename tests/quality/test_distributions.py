"""The distance between two versions of a column: its ends, its symmetry, and every type that a column may have."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from flows.quality import distributions
from flows.quality.distributions import chance, comparable, compare, distance

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=30)
VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.dates()), min_size=1, max_size=60),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=60),
)


def one(before, now, dtype=None):
    frames = [v if isinstance(v, pl.Series) else pl.Series("c", v, dtype=dtype) for v in (before, now)]
    return compare(*(f.alias("c").to_frame().lazy() for f in frames), ["c"])["c"]


@given(COUNTS)
def test_it_is_scipys(pairs):
    before, now = (list(side) for side in zip(*pairs, strict=True))
    if sum(before) and sum(now):
        assert distance(before, now) == pytest.approx(float(jensenshannon(before, now, base=2)), abs=1e-6)
    assert distance(before, now) == pytest.approx(distance(now, before))
    assert 0 <= distance(before, now) <= 1
    assert distance(before, before) == 0


@given(VALUES, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_the_same_rows_in_another_order_are_no_distance(values, shuffled):
    other = list(values)
    shuffled.shuffle(other)
    assert one(values, other).distance == 0


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.lists(st.integers(10, 19), min_size=1, max_size=50))
@settings(deadline=None, max_examples=40)
def test_nothing_in_common_is_the_largest_distance(low, high):
    assert one(low, high).distance == 1
    assert one(high, low).distance == 1
    assert one([str(v) for v in low], [str(v) for v in high]).distance == 1
    assert one([None] * len(low), high, pl.Int64).distance == 1
    assert one([date(2020, 1, 1) + timedelta(v) for v in low], [date(2020, 1, 1) + timedelta(v) for v in high]).distance == 1


@pytest.mark.parametrize(("bins", "before", "now"), [(2, 500, 500), (11, 1000, 4000), (100, 20_000, 20_000)])
def test_chance_is_a_quantile(bins, before, now):
    expected = math.sqrt(chi2.ppf(0.999, bins - 1) * (1 / before + 1 / now) / (8 * math.log(2)))
    assert chance(bins, before, now) == pytest.approx(expected, rel=0.02)
    seeded = random.Random(7)
    far = [distance(_draw(seeded, bins, before), _draw(seeded, bins, now)) for _ in range(30)]
    assert sum(d > chance(bins, before, now) for d in far) <= 1
    assert max(far) > chance(bins, before, now) / 4, "it is no bound that nothing could reach"


def _draw(seeded, bins, rows):
    counts = [0] * bins
    for place in seeded.choices(range(bins), k=rows):
        counts[place] += 1
    return counts


def test_few_rows_say_nothing():
    assert chance(2, 1, 1) == chance(5, 3, 4) == 1
    assert chance(1, 10, 10) == 0


@pytest.mark.parametrize(
    ("values", "shifted"),
    [
        (pl.Series([Decimal("1.10"), Decimal("2.20"), None] * 10), pl.Series([Decimal("100.10"), Decimal("200.20"), None] * 10)),
        (pl.Series(["a", "b", None] * 10, dtype=pl.Categorical), pl.Series(["c", "d", None] * 10, dtype=pl.Categorical)),
        (pl.Series(["a", "b"] * 10, dtype=pl.Enum(["a", "b"])), pl.Series(["c"] * 20, dtype=pl.Enum(["c"]))),
        (pl.Series([datetime(2024, 1, d, tzinfo=UTC) for d in (1, 9)]), pl.Series([datetime(2025, 1, d, tzinfo=UTC) for d in (1, 9)])),
        (pl.Series([1, 2], dtype=pl.UInt8), pl.Series([900, 901], dtype=pl.Int64)),
        (pl.Series([date(2024, 1, 1)] * 2), pl.Series([datetime(2025, 1, 1)] * 2, dtype=pl.Datetime("ms"))),
        (pl.Series([time(1), time(2)]), pl.Series([time(20), time(21)])),
        (pl.Series([0.5, math.inf]), pl.Series([-math.inf, math.nan])),
        (pl.Series([1, 2, 3]), pl.Series(["a", "b", "c"])),
        (pl.Series([5, 5, 5]), pl.Series([4, 4, 4])),
        (pl.Series([None, None]), pl.Series(["a", "b"])),
    ],
)
def test_columns_of_every_type(values, shifted):
    assert one(values, values.reverse()).distance == 0
    assert one(values, shifted).distance >= 0.7
    found = one(values, shifted)
    assert sum(before for _, before, _ in found.shares) == pytest.approx(1)
    assert sum(now for _, _, now in found.shares) == pytest.approx(1)


def test_a_day_is_the_same_as_a_moment_and_a_number_as_a_text_can_be_too():
    assert one(pl.Series([date(2024, 1, 1), date(2024, 5, 1)]), pl.Series([datetime(2024, 1, 1), datetime(2024, 5, 1)])).distance == 0
    assert one(pl.Series([1, 2]), pl.Series(["1", "2"])).distance == 0


@pytest.mark.parametrize(("before", "now", "far"), [([], [], 0), ([], [1], 1), ([1], [], 1), ([1], [1], 0)])
def test_empty_and_one_row(before, now, far):
    assert one(before, now, pl.Int64).distance == far
    assert one([str(v) for v in before], [str(v) for v in now], pl.String).distance == far


def test_what_has_no_distribution():
    frame = pl.DataFrame({"l": [[1]], "s": [{"a": 1}], "b": [b"x"], "t": ["x"]}, schema_overrides={"b": pl.Binary})
    assert [comparable(kind) for kind in frame.schema.values()] == [False, False, False, True]


def test_what_moved_is_named():
    found = one(["a"] * 80 + ["b"] * 20, ["a"] * 50 + ["b"] * 20 + [None] * 30)
    assert found.shares[:2] == [("« a »", 0.8, 0.5), ("(vide)", 0.0, 0.3)]
    numbers = one(list(range(100)), list(range(50, 150)))
    assert numbers.shares[0] == ("plus de 99", 0.0, 0.5)


def test_a_value_that_came_to_fill_a_column_of_different_ones_is_seen():
    """None of the values before is frequent: only that of the new version can tell."""
    before = [f"nom {i}" for i in range(5000)]
    assert one(before, ["à compléter"] * 2500 + before[2500:]).distance > 0.5


def test_frequent_values_are_found_however_they_lie_and_however_many_there_are(monkeypatch):
    monkeypatch.setattr(distributions, "CHUNK", 500)
    seeded = random.Random(3)
    values = [f"rare {i}" for i in range(20_000)] + ["a"] * 30 + ["b"] * 600
    for order in (values, values[::-1], seeded.sample(values, len(values))):
        found = distributions._frequent(pl.DataFrame({"c": order}).lazy(), ["c"])["c"]
        assert {"a", "b"} <= set(found)
        assert one(order, values).distance == 0
    shares = {what: before for what, before, _ in one(values, values).shares}
    assert shares["« a »"] == pytest.approx(30 / 20_630) and len(shares) == 3
