"""socle purge: erase one person from a dataset, with a proof."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.steps.purge import Erasure


def purge(
    dataset: Annotated[str, typer.Argument(metavar="PROJECT/DATASET", help="The dataset that the person is in.")],
    key: Annotated[
        list[str],
        typer.Option("--key", metavar="COLUMN=VALUE", help="Who: one option a column; COLUMN=- reads the value from standard input."),
    ],
    reason: Annotated[str, typer.Option(help="Number of the request, for the proof; nobody's data.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Erase one person's rows everywhere: versions, refused rows, raw bytes, samples, logs. It cannot be undone."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.errors import ConfigurationError
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps.purge import purge as erase
    from flows.steps.trail import recorded

    wanted = parse(dataset)
    if wanted.version is not None or wanted.alias is not None:
        raise ConfigurationError(f"{dataset}: a person is erased from all versions", hint=f"{wanted.project}/{wanted.name}")
    given = _given(key)
    with open_run(wanted.project) as run, bars(quiet=json):
        about: dict[str, Any] = {"parameters": {"dataset": wanted.name, "key": ", ".join(sorted(given))}, "reason": reason}
        if dry_run:
            done = erase(run, wanted.name, given, reason, dry_run=True)
        else:
            with recorded(run.lake, wanted.project, "purge", **about, who=run.who, run_id=run.id) as details:
                done = erase(run, wanted.name, given, reason)
                details["proof"] = done.proof
    if json:
        display.as_json(done)
    else:
        _show(done)
    if not done.is_clean:
        raise typer.Exit(1)


def _given(assigned: list[str]) -> dict[str, str]:
    """No message repeats what was given: it may be somebody's."""
    from flows.errors import ConfigurationError

    found = {}
    for number, text in enumerate(assigned, 1):
        column, equals, value = text.partition("=")
        if not (column and equals and value):
            raise ConfigurationError(f"--key number {number} is not of the form COLUMN=VALUE")
        if column in found:
            raise ConfigurationError(f"--key: the column {column} is given twice")
        found[column] = sys.stdin.readline().rstrip("\r\n") if value == "-" else value
    return found


def _show(done: Erasure) -> None:
    verb = "Would erase" if done.dry_run else "Erased"
    name = f"{done.project}/{done.dataset}"
    if not done.found_anything and not done.versions_expired:
        typer.echo(f"{name}: nothing of this person was found ({_searched(done)}).")
    else:
        typer.echo(f"{verb} from {name} ({_searched(done)}):")
        versions = f"{', '.join(done.versions_expired) or 'no version'} {'would expire' if done.dry_run else 'expired'}"
        typer.echo(f"  rows of the latest version: {done.rows}" + (f"; {done.version} is served without them" if done.version else ""))
        typer.echo(f"  versions: {versions}, {done.data_files} data file(s)")
        typer.echo(
            f"  refused rows: {done.refused_rows}, {done.quarantine_files} file(s) of earlier states; corrections: {done.corrections}"
        )
        typer.echo(f"  raw files: {len(done.raw)}; reports with samples: {done.checks}")
    for model in done.models:
        typer.echo(f"  {model} was trained on this person's rows: train again (socle run {done.project})")
    for other in done.shared_with:
        typer.echo(f"  {other} may read this dataset: ask what it copied")
    if done.dry_run:
        return
    found, left, mentions = done.verification, done.verification["rows_left"], done.verification["mentions"]
    typer.echo(f"Verified: {found['objects_read']} objects read, {len(left)} with rows left, {len(mentions)} mentions.")
    for key in [*left, *mentions]:
        typer.echo(f"  to look at: {key}")
    typer.echo("Later loads leave this person out. Backups still hold what was erased: docs/ops/effacement.md.")
    typer.echo(f"Proof: {done.proof}")


def _searched(done: Erasure) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in done.searched.items()) or "nothing to search"


COMMANDS = (purge,)
