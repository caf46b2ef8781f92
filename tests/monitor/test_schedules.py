"""How far apart the times of a schedule are, and when the next is."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.monitor.schedules import times

HOUR, DAY = 3600, 86_400
SUNDAY = datetime(2026, 10, 25, 0, 0, tzinfo=UTC).timestamp()  # summer time ends in Paris at 01:00 UTC


@pytest.mark.parametrize(
    ("cron", "period"),
    [
        ("*/5 * * * *", 300),
        ("0 4 * * *", DAY),
        ("0 4 * * 1-5", 3 * DAY),
        ("0 8-18 * * 1-5", 62 * HOUR),
        ("* * * * 1-5", 2 * DAY + 60),
        ("0 4 * * 1", 7 * DAY),
        ("0 4 1 * *", 31 * DAY),
        ("0 4 1 1 *", 365 * DAY),
    ],
)
def test_the_period_is_the_longest_pause(cron, period):
    found = times({"cron": cron, "timezone": "Europe/Paris"}, SUNDAY)
    assert found is not None and found.period_s == period


def test_the_next_time_is_by_the_clock_on_the_wall():
    found = times({"cron": "0 4 * * *", "timezone": "Europe/Paris"}, SUNDAY)
    assert found is not None
    assert datetime.fromtimestamp(found.next, UTC).hour == 3  # winter already
    before = times({"cron": "0 4 * * *", "timezone": "Europe/Paris"}, SUNDAY - DAY)
    assert before is not None
    assert datetime.fromtimestamp(before.next, UTC).hour == 2


def test_an_interval_and_what_cannot_be_foreseen():
    found = times({"interval": 600.0, "anchor_date": datetime.fromtimestamp(100, UTC).isoformat()}, 1000.0)
    assert found is not None and (found.period_s, found.next) == (600, 1300)
    assert times({"rrule": "FREQ=DAILY"}, 1000.0) is None


MINUTES = st.one_of(st.just("*"), st.integers(0, 59).map(str), st.sampled_from(["*/7", "*/15", "0,30"]))
HOURS = st.one_of(st.just("*"), st.integers(0, 23).map(str), st.sampled_from(["8-18", "*/6"]))
WEEKDAYS = st.sampled_from(["*", "1", "1-5", "0,6"])


@settings(max_examples=60, deadline=None)
@given(MINUTES, HOURS, WEEKDAYS, st.integers(1_700_000_000, 1_900_000_000), st.sampled_from(["UTC", "Europe/Paris", "America/Cayenne"]))
def test_the_next_time_is_ahead_and_within_the_period(minute, hour, weekday, now, zone):
    found = times({"cron": f"{minute} {hour} * * {weekday}", "timezone": zone}, now)
    assert found is not None
    changes = 2 * HOUR  # an hour is twice, or never
    assert now - changes < found.next <= now + found.period_s + changes
    assert datetime.fromtimestamp(found.next, ZoneInfo(zone)).second == 0
