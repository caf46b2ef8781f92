"""When a schedule of the server fires: how far apart at most, and when next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

LOOK_AHEAD = timedelta(days=400)  # a yearly pause is seen as well
START = datetime(2026, 1, 1)


@dataclass(frozen=True)
class Times:
    period_s: float
    """The longest pause between two times."""
    next: float


def times(schedule: dict[str, Any], now: float) -> Times | None:
    """None for kinds that Socle does not make and cannot foresee (RRule)."""
    if "interval" in schedule:
        period = float(schedule["interval"])
        anchor = datetime.fromisoformat(schedule["anchor_date"]).timestamp() if schedule.get("anchor_date") else now
        return Times(period, now + period - (now - anchor) % period)
    if "cron" in schedule:
        zone = ZoneInfo(schedule.get("timezone") or "UTC")
        local = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
        following: datetime = _after(schedule["cron"], local).get_next(datetime)
        return Times(_period(schedule["cron"]), following.replace(tzinfo=zone).timestamp())
    return None


@lru_cache(maxsize=4096)
def _period(cron: str) -> float:
    """Every day on which it fires has the same times: the longest pause is between two of those, or from the last of one such day to
    the first of the next. Counted from a fixed moment, so that the answer does not change by the day."""
    first: datetime = _after(cron, START - timedelta(minutes=1)).get_next(datetime)  # of its day: midnight may be one
    day = [first]
    iterator = _after(cron, first)
    while (following := iterator.get_next(datetime)).date() == first.date():
        day.append(following)
    longest = max((b - a for a, b in pairwise(day)), default=timedelta())
    last = day[-1] - first
    while first < START + LOOK_AHEAD:
        after: datetime = _after(cron, first + last).get_next(datetime)
        longest, first = max(longest, after - (first + last)), after
    return longest.total_seconds()


def _after(cron: str, moment: datetime) -> Any:
    """By the clock on the wall: with time zones, croniter goes astray by an hour where summer time begins and ends."""
    from prefect._vendor.croniter import croniter  # type: ignore[attr-defined]  # what the server itself counts with

    return croniter(cron, moment)
