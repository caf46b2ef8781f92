"""Reports of checks in the lake: the page for people, the trend that leads to it, and the result that makes both count."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.errors import NotFound
from flows.lake import keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.quality.docs import render
from flows.quality.results import CheckReport
from flows.quality.trends import Trend
from flows.steps import Run


def write_report(run: Run, report: CheckReport, before: DatasetVersion | None = None) -> Trend:
    """`before`: the version that was served, whose trend is gone on with.

    Returns: the trend, this report included.
    """
    report.at = report.at or datetime.now(UTC).isoformat(timespec="seconds")
    report.run = run.id
    trend = trend_of(run, report.dataset, before).with_report(report, run.settings.trend_versions)
    put_report(run, report, trend)
    if report.verdict == "refused":  # no commit names it: it is found by this
        run.lake.bucket(run.project.name).put(keys.refusal(report.dataset, datetime.now(UTC), report.load_id), b"{}")
    return trend


def put_report(run: Run, report: CheckReport, trend: Trend) -> None:
    """Docs first, then the result that makes them count."""
    name, load_id = report.dataset, report.load_id
    objects = run.lake.bucket(run.project.name)
    objects.put(keys.check_docs(name, load_id), render(report, run.project.datasets[name].title, trend).encode())
    objects.put(keys.check_trend(name, load_id), trend.to_json())
    objects.put(keys.check_result(name, load_id), report.to_json())


def kept_trend(run: Run, name: str, load_id: str) -> Trend:
    """That was written with a report; an empty one if there is none."""
    try:
        return Trend.from_json(run.lake.bucket(run.project.name).get(keys.check_trend(name, load_id)))
    except NotFound:
        return Trend()


def trend_of(run: Run, name: str, version: DatasetVersion | None) -> Trend:
    """Of the loads up to `version`. One object is read; only where it is not there (an erasure made the version, or a Socle that had no
    trends), the reports of the versions before are."""
    if version is None:
        return Trend()
    if (trend := kept_trend(run, name, version.load.load_id)).points:
        return trend
    lacking, limit = list[CheckReport](), run.settings.trend_versions
    objects = run.lake.bucket(run.project.name)
    for one in [v for v in Dataset(run.lake, run.project.name, name).history() if v.number <= version.number][:limit]:
        if (trend := kept_trend(run, name, one.load.load_id)).points:
            break
        try:
            lacking.append(CheckReport.from_json(objects.get(keys.check_result(name, one.load.load_id))))
        except NotFound:
            continue
    for report in reversed(lacking):
        trend = trend.with_report(report, limit)
    return trend
