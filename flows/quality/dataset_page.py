"""The page of a dataset: its versions, and how its checks went over them. It costs the same however many versions there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.lake.datasets import DatasetVersion
from flows.quality.docs import VERDICTS, reasons, rows, template, typeset
from flows.quality.results import CheckReport
from flows.quality.trends import Trend

ON_A_PAGE = 50  # versions


@dataclass(frozen=True)
class Line:
    """A version, as the list shows it."""

    number: int
    at: str
    verdict: str
    total: int
    refused: int
    address: str
    gone: str = ""
    """Why its rows are no longer there."""

    @classmethod
    def of(cls, version: DatasetVersion, address: str) -> Line:
        counts, load = version.load.rows, version.load
        kind = "Retour à une version antérieure" if load.rollback else VERDICTS[load.verdict][0]
        gone = version.expired.french if version.expired else ""
        at = f"{version.at:%d/%m/%Y à %H:%M} UTC"
        return cls(version.number, at, kind, counts.get("total", 0), counts.get("refused", 0), address, gone)


@dataclass(frozen=True)
class Refusal:
    """A load that was refused: it is no version, but somebody has to know why there is none."""

    at: str
    reason: str
    """The first one, in French, as the report may show it."""
    more: int
    """Further reasons."""
    read: int
    address: str
    is_latest: bool
    """No version was published since."""

    @classmethod
    def of(cls, report: CheckReport, at: datetime, address: str, is_latest: bool) -> Refusal:
        why = reasons(report) or ["Refusé"]
        return cls(f"{at:%d/%m/%Y à %H:%M} UTC", why[0], len(why) - 1, report.rows.get("read", 0), address, is_latest)


def render(
    title: str,
    project: str,
    dataset: str,
    versions: list[Line],
    page: int,
    latest: CheckReport | None,
    trend: Trend,
    refusals: Sequence[Refusal] = (),
) -> str:
    """`versions`: all of them, the newest first; `page`: from 1. `latest`: the report of the newest one, with its `trend`. `refusals`:
    the newest refused loads."""
    pages = max(1, -(-len(versions) // ON_A_PAGE))
    page = min(max(1, page), pages)
    text = template("dataset_page.html").render(
        title=title,
        project=project,
        dataset=dataset,
        versions=versions[(page - 1) * ON_A_PAGE : page * ON_A_PAGE],
        page=page,
        pages=pages,
        rows=rows(latest, trend) if latest and page == 1 else [],
        refusals=refusals,
    )
    return typeset(text)
