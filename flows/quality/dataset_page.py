"""The page of a dataset: its versions, and how its checks went over them. It costs the same however many versions there are."""

from __future__ import annotations

from dataclasses import dataclass

from flows.lake.datasets import DatasetVersion
from flows.quality.docs import VERDICTS, rows, template, typeset
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


def render(title: str, project: str, dataset: str, versions: list[Line], page: int, latest: CheckReport | None, trend: Trend) -> str:
    """`versions`: all of them, the newest first; `page`: from 1. `latest`: the report of the newest one, with its `trend`."""
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
    )
    return typeset(text)
