"""socle expectations suggest: a suite proposed from what the lake holds, for a person to read, edit and accept."""

from __future__ import annotations

import json as plain_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.lake.datasets import DatasetVersion
    from flows.quality.suggest import Suggestion

Dataset = Annotated[str, typer.Argument(metavar="PROJECT/DATASET", help="Of the latest version, or of PROJECT/DATASET@N.")]


def suggest(
    dataset: Dataset,
    output: Annotated[Path | None, typer.Option("--output", help="Where to write the suite; standard output if left out.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Write it under expectations/, and say what to add to project.yaml.")] = False,
    versions: Annotated[int, typer.Option("--versions", min=1, max=50, help="Versions looked at, with the one that is named.")] = 5,
    json: Json = False,
) -> None:
    """Propose a suite from a version and those before it. What did not hold on an earlier one is not proposed."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps.suggest import suggest_suite, suite_name

    wanted = parse(dataset)
    if wanted.alias is not None:
        raise ConfigurationError(f"{dataset}: aliases are of models", hint=f"socle expectations suggest {wanted.project}/{wanted.name}")
    if accept and output is not None:
        raise ConfigurationError("--accept says where the suite is written, and so does --output", hint="one of them")
    with open_run(wanted.project) as run:
        place = run.settings.root / "expectations" / f"{suite_name(wanted)}.json" if accept else output
        if place is not None and place.exists():
            raise ConfigurationError(f"{place} exists already", hint="another --output, or take it away: nothing is written over")
        version, made = suggest_suite(run, wanted, versions)
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("x", encoding="utf-8") as file:  # somebody may have made it meanwhile
                file.write(_text(made.suite))
    if json:
        display.as_json({"version": f"{version}", "output": str(place) if place else None, **display.plain(made)})
        return
    if place is None:
        typer.echo(_text(made.suite), nl=False)
    _say(version, made, place, accept)


def _say(version: DatasetVersion, made: Suggestion, place: Path | None, accept: bool) -> None:
    """On the error output, so that standard output is the suite alone."""
    from flows.cli import display

    kept = len(made.suite["expectations"])
    typer.echo(f"{version}: {kept} expectations from {display.count(made.rows)} rows, tried on {made.versions} version(s)", err=True)
    for one in made.dropped:
        typer.echo(f"  left out: {one.type}{f' ({one.columns})' if one.columns else ''}: {one.why}", err=True)
    if place is not None:
        typer.echo(f"wrote {place}: read it, change what is too strict or too loose, delete what says nothing", err=True)
    if accept and place is not None:
        name = f"{place.parent.name}/{place.name}"
        typer.echo(f"Next: add {name} to `expectations` of {version.dataset} in projects/{version.project}/project.yaml", err=True)


def _text(suite: dict[str, Any]) -> str:
    return plain_json.dumps(suite, ensure_ascii=False, indent=2) + "\n"
