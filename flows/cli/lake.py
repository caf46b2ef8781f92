"""socle ls, show, diff, promote: what is in the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json, Project, Reference

if TYPE_CHECKING:
    from flows.lake import Lake
    from flows.lake.datasets import DatasetVersion
    from flows.lake.models import ModelVersion


def ls(project: Project, json: Json = False) -> None:
    """Datasets and models of a project, with their versions."""
    from flows.cli import display
    from flows.lake.datasets import Dataset
    from flows.lake.models import Models
    from flows.steps import open_run
    from flows.steps.plan import require_bucket

    with open_run(project) as run:
        require_bucket(run)
        datasets = {name: Dataset(run.lake, project, name).history() for name in run.project.datasets}
        models = {name: Models(run.lake, project, name) for name in run.project.models}
        listed = {name: (store.versions(), store.state()) for name, store in models.items()}
        if json:
            display.as_json({"datasets": datasets, "models": {n: {"versions": v, "state": s} for n, (v, s) in listed.items()}})
            return
        out = display.console()
        for name, history in datasets.items():
            out.print(f"[bold]{project}/{name}[/]  {run.project.datasets[name].title}")
            for version in history[:10] or []:
                out.print(f"  @{version.number}  {version.at:%Y-%m-%d %H:%M}  {_load(version)}", markup=False)
            if not history:
                out.print("  no version yet")
        for name, (versions, state) in listed.items():
            out.print(f"[bold]{project}/{name}[/]  {run.project.models[name].title}")
            metric = run.project.models[name].metric
            for model in versions[:10]:
                out.print(f"  @{model.number}  {_model(model, metric, state.aliases if state else {})}", markup=False)
            if not versions:
                out.print("  no version yet")


def _load(v: DatasetVersion) -> str:
    rows = v.load.rows
    back = f", back to @{v.load.rollback['to']}: {v.load.rollback['reason']}" if v.load.rollback else ""
    counts = f"{rows.get('total', 0)} rows ({rows.get('kept', 0)} loaded, {rows.get('refused', 0)} refused)"
    gone = f"  [expired {v.expired.at:%Y-%m-%d}: {v.expired.cause}]" if v.expired else ""
    return f"{counts}, {v.load.verdict}, {v.load.who}{back}{gone}"


def _model(v: ModelVersion, metric: str, aliases: dict[str, int]) -> str:
    marks = " ".join(f"[{alias}]" for alias, number in aliases.items() if number == v.number)
    test = v.metrics["test"][metric]["value"]
    at = v.made["at"][:16].replace("T", " ")
    return f"{at}  {v.candidate['label']}  {metric} {test:.3f} on test, from {v.dataset['reference']}  {marks}"


def _resolve(text: str) -> tuple[Any, Lake]:
    """(DatasetVersion or ModelVersion, lake). A name that the project declares as neither is an error that lists both."""
    from flows.errors import NotFound
    from flows.lake.datasets import Dataset
    from flows.lake.models import Models
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps.plan import require_bucket
    from flows.validation import suggest

    reference = parse(text)
    with open_run(reference.project) as run:
        if reference.name in run.project.datasets:
            if reference.alias:
                raise NotFound(f"{text}: a dataset has no {reference.alias}", hint=f"{reference.project}/{reference.name}@N")
            try:
                return Dataset(run.lake, reference.project, reference.name).resolve(reference), run.lake
            except NotFound:
                require_bucket(run)  # not before: those whom a dataset is shared with may not ask for its bucket
                raise
        require_bucket(run)
        if reference.name in run.project.models:
            return Models(run.lake, reference.project, reference.name).resolve(reference), run.lake
        names = [*run.project.datasets, *run.project.models]
        raise NotFound(
            f"project {reference.project} has neither dataset nor model {reference.name!r}",
            where=f"names there: {', '.join(names)}",
            hint=suggest(reference.name, names) or f"socle ls {reference.project}",
        )


def show(
    reference: Reference, rows: Annotated[int, typer.Option(min=0, help="How many rows of a dataset to print.")] = 5, json: Json = False
) -> None:
    """One dataset or model version: what it was made from, what it holds."""
    from flows.cli import display
    from flows.lake.datasets import DatasetVersion

    version, lake = _resolve(reference)
    if isinstance(version, DatasetVersion):
        _show_dataset(version, lake, rows, json)
    elif json:
        display.as_json(version)
    else:
        _show_model(version, lake)


def _show_dataset(version: DatasetVersion, lake: Lake, rows: int, json: bool) -> None:
    from flows.cli import display
    from flows.lake import keys
    from flows.lake.datasets import Dataset

    table = Dataset(lake, version.project, version.dataset)
    with table.reading():
        frame = table.scan(version.number).head(rows).collect()
    docs = lake.table_uri(version.project, keys.check_docs(version.dataset, version.load.load_id))
    if json:
        display.as_json({"version": version, "docs": docs, "rows": frame.to_dicts()})
        return
    out = display.console()
    out.print(f"[bold]{version}[/]  {version.at:%Y-%m-%d %H:%M}  {_load(version)}")
    out.print(f"  load {version.load.load_id}, run {version.load.run}\n  data docs: {docs}", soft_wrap=True)
    if rows:
        out.print(str(frame), markup=False)


def _show_model(version: ModelVersion, lake: Lake) -> None:
    from flows.cli import display
    from flows.lake import keys
    from flows.lake.models import Models

    out = display.console()
    out.print(f"[bold]{version}[/]  {version.candidate['label']}  {version.made['at']}  by {version.made['who']}")
    out.print(f"  from {version.dataset['reference']}: {version.dataset['rows']}", markup=False)
    for side in ("validation", "test"):
        scores = ", ".join(f"{metric} {score['value']:.3f}" for metric, score in version.scores(side).items())
        out.print(f"  {side}: {scores}")
    settings = {k: v for k, v in version.candidate.items() if k not in ("label", "parts")}
    out.print(f"  candidate: {settings}", markup=False)
    for move in Models(lake, version.project, version.model).moves(limit=5):
        out.print(f"  move {move.number}: {move.aliases} by {move.who}, {move.at} – {move.reason}", markup=False)
    out.print(
        f"  model card: {lake.table_uri(version.project, keys.model_files(version.model, version.upload_id) + 'README.md')}", soft_wrap=True
    )


def diff(before: Reference, after: Annotated[str, typer.Argument(help="The version to compare it with.")], json: Json = False) -> None:
    """What changed between two versions of a dataset or of a model."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.lake.datasets import DatasetVersion
    from flows.steps.compare import diff_datasets, diff_models

    (old, lake), (new, _) = _resolve(before), _resolve(after)
    if type(old) is not type(new):
        raise ConfigurationError(f"{before} and {after} are not of the same kind", hint="two datasets, or two models")
    found = diff_datasets(lake, old, new) if isinstance(old, DatasetVersion) else diff_models(lake, old, new)
    if json:
        display.as_json(found)
        return
    if not isinstance(old, DatasetVersion):
        from flows.cli.model_diff import told

        told(found)
        return
    out = display.console()
    for title, value in found.items():
        out.print(f"[bold]{title}[/]: {value if not isinstance(value, list) else ', '.join(map(str, value)) or 'none'}")


def promote(
    reference: Reference, reason: Annotated[str, typer.Option(help="Why, for the history.")] = "promoted by hand", json: Json = False
) -> None:
    """Make a model version the champion."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.lake.models import Models, ModelVersion
    from flows.steps import whoami
    from flows.steps.trail import recorded

    version, lake = _resolve(reference)
    if not isinstance(version, ModelVersion):
        raise ConfigurationError(f"{reference} is a dataset: only models are promoted", hint="socle promote project/model@N")
    store = Models(lake, version.project, version.model)
    state = store.state()
    if state and state.aliases.get("champion") == version.number:
        move = state
    else:
        with recorded(lake, version.project, "promote", parameters={"reference": str(version)}, reason=reason):
            move = store.move({"champion": version.number}, expected=state, who=whoami(), run="", reason=reason)
    if json:
        display.as_json(move)
        return
    before = f"@{state.aliases['champion']}" if state and "champion" in state.aliases else "none"
    typer.echo(f"{version} is the champion (it was {before}).")


def rollback(
    reference: Reference, reason: Annotated[str, typer.Option(help="Why, for the history.")] = "rolled back by hand", json: Json = False
) -> None:
    """Serve an earlier version again: the one before, or the one that is named. Nothing is deleted."""
    from flows.cli import display
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps.rollback import rollback as go_back
    from flows.steps.trail import recorded

    wanted = parse(reference)
    with open_run(wanted.project) as run:
        about: dict[str, Any] = {"parameters": {"reference": str(wanted)}, "reason": reason, "run_id": run.id, "who": run.who}
        with recorded(run.lake, wanted.project, "rollback", **about):
            outcome = go_back(run, wanted, reason)
    if json:
        display.as_json(outcome)
        return
    name = f"{wanted.project}/{outcome.name}"
    if not outcome.changed:
        typer.echo(f"{name}@{outcome.restored} is what is served already.")
    elif outcome.kind == "model":
        typer.echo(f"{name}@{outcome.after} is the champion again (it was @{outcome.before}).")
    else:
        typer.echo(f"{name}@{outcome.restored} is served again, as @{outcome.after} (it was @{outcome.before}).")
        typer.echo("What the source gave last is not loaded again until the source, the rules or the settings change.")
    if outcome.changed:
        typer.echo(f"To undo: socle rollback {name}@{outcome.before}")


COMMANDS = (ls, show, diff, promote, rollback)
