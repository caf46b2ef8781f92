"""How a cleanup looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from flows.steps.maintain import MaintainOutcome
    from flows.steps.retention import DatasetCleanup, Goes, ModelCleanup

KINDS = {
    "versions": "replaced versions",
    "raw": "raw files",
    "quarantine": "refused rows",
    "checks": "checks of past loads",
    "uploads": "unfinished uploads",
}


def show(outcome: MaintainOutcome) -> None:
    typer.echo("Would delete:" if outcome.dry_run else "Deleted:")
    cleaned: list[DatasetCleanup | ModelCleanup] = [*outcome.cleanup.datasets, *outcome.cleanup.models]
    parts = [(each.name, kind, goes) for each in cleaned for kind, goes in each.parts.items()]
    lines = [_line(f"{outcome.project}/{name}: {KINDS[kind]}", goes) for name, kind, goes in parts if goes.count or goes.size]
    if outcome.runs and outcome.runs.count:
        lines.append(_line("runs in Prefect", outcome.runs))
    for line in lines or ["  nothing"]:
        typer.echo(line)
    for dataset in outcome.cleanup.datasets:
        if dataset.versions:
            named = ", ".join(f"@{v.number}" for v in dataset.versions)
            typer.echo(f"  {outcome.project}/{dataset.name}: {named} expire; {dataset.kept} version(s) stay")
        for number, why in dataset.referred.items():
            typer.echo(f"  {outcome.project}/{dataset.name}@{number} stays: {why}")
    if outcome.cleanup.untouched:
        typer.echo(f"  no longer declared, so left alone: {', '.join(outcome.cleanup.untouched)}")
    if outcome.dry_run and lines:
        typer.echo(f"Next: socle run {outcome.project} --flow maintain --set dry_run=false")


def _line(what: str, goes: Goes) -> str:
    oldest = f", the oldest of {goes.oldest:%Y-%m-%d}" if goes.oldest else ""
    return f"  {what}: {goes.count}" + (f" ({goes.size / 1e6:.1f} MB{oldest})" if goes.size else f" ({oldest[2:]})" if oldest else "")
