"""Personal data in the rows of a load, before anybody can read them; and in a version that is published.

A dataset that is declared `personal_data: none` and holds some for certain is refused, whatever `on_failure` says: a published
version is read by others. What is only possible is told, and refuses nothing. `not_personal` in project.yaml excuses columns, with
the reason, and both are in the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.references import parse
from flows.privacy.find import Limits, find
from flows.privacy.masks import masker
from flows.privacy.report import ColumnFinding, PrivacyReport
from flows.project import Dataset as Declared
from flows.project import TransformerCandidate
from flows.quality.results import DECLARED_WITHOUT
from flows.steps import Run

if TYPE_CHECKING:
    import polars as pl

    from flows.privacy.entities import Model

TOLD = 0.01  # share of a column's values from which what is only possible is told; fewer are in the report


@dataclass(frozen=True)
class PrivacyVerdict:
    report: PrivacyReport
    reasons: tuple[str, ...] = ()
    """Why the load is refused; none: it is not."""
    french: tuple[str, ...] = ()
    """The same for project teams, in the same order."""
    findings: tuple[str, ...] = ()
    """What a person should know, in French: what is possible, what is excused, what was not looked at."""

    @property
    def refused(self) -> bool:
        return bool(self.reasons)

    @property
    def mask(self) -> Callable[[str, str], str]:
        """(column, example) -> the example as it may be written anywhere."""
        return masker(self.report.kinds)


def look(run: Run, name: str, rows: pl.LazyFrame) -> PrivacyVerdict:
    """`rows`: of a load before its commit, or of a version. Reads them once.

    Raises: ConfigurationError or Refused if the model of SOCLE_PRIVACY_MODEL is not there or cannot be loaded.
    """
    return judge(_found(run, rows), run.project.datasets[name])


def _found(run: Run, rows: pl.LazyFrame) -> PrivacyReport:
    settings = run.settings
    limits = Limits(settings.privacy_rows, settings.privacy_values, settings.privacy_chars, settings.privacy_model_rows)
    return find(rows, limits, model=_model(run), model_name=settings.privacy_model)


def judge(report: PrivacyReport, declared: Declared) -> PrivacyVerdict:
    """What a report leads to under what the project declares."""
    excuses = {column: (tuple(excuse.kinds), excuse.reason) for column, excuse in declared.not_personal.items()}
    report = report.excuse(excuses)
    told = [f.french for f in report.possible if f.share >= TOLD] if declared.personal_data == "none" else []
    findings = [f"Données personnelles possibles : {line}" for line in told]
    findings += [f"Données personnelles écartées par le projet : {f.french}" for f in report.columns if f.excused]
    if declared.personal_data != "none" or not report.certain:
        return PrivacyVerdict(report, findings=tuple(findings + _notes(report, told)))
    return PrivacyVerdict(
        report,
        reasons=tuple(_english(f) for f in report.certain),
        french=tuple(f"{DECLARED_WITHOUT}{f.french}" for f in report.certain),
        findings=tuple(findings + _notes(report, ["refused"])),
    )


def _notes(report: PrivacyReport, told: list[str]) -> list[str]:
    """What was not looked at matters where something was found, and where columns were left out."""
    return report.notes() if told or report.skipped else []


def _english(found: ColumnFinding) -> str:
    about = "" if found.exact else "about "
    return (
        f"personal data in a dataset that is declared without: {found.kind} in {about}{found.rows} row(s) of {found.column!r} "
        f"(declare personal_data, leave the column out, or say in not_personal why it is none)"
    )


def look_at_version(run: Run, reference: str) -> tuple[DatasetVersion, PrivacyVerdict]:
    """`reference`: project/dataset or project/dataset@N. Raises: NotFound."""
    wanted = parse(reference, run.project.name)
    table = Dataset(run.lake, run.project.name, wanted.name)
    version = table.resolve(wanted)
    with table.reading():
        report = _found(run, table.scan(version.number))
    declared = run.project.datasets.get(wanted.name)
    return version, judge(report, declared) if declared is not None else PrivacyVerdict(report)


def shown(verdict: PrivacyVerdict, version: DatasetVersion, declared: Declared | None) -> dict[str, Any]:
    """As JSON: masked examples only."""
    return {
        "dataset": f"{version.project}/{version.dataset}",
        "version": version.number,
        "declared": declared.personal_data if declared else None,
        "refused": verdict.refused,
        "reasons": list(verdict.reasons),
        "report": verdict.report.to_dict(),
        "notes": verdict.report.notes(),
    }


def _model(run: Run) -> Model | None:
    """The model that the platform has configured, located and verified as base models are."""
    if not run.settings.privacy_model:
        return None
    from flows.training.base_models import locate

    candidate = TransformerCandidate.model_validate({"base_model": run.settings.privacy_model})
    return _loaded(locate(candidate, run.lake, run.settings.root, run.settings.state_folder / "base-models").folder)


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Model:
    from flows.privacy.model import TokenModel

    return TokenModel(folder)
