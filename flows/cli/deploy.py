"""socle deploy: makes the server match projects/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json, OptionalProject

if TYPE_CHECKING:
    from flows.deploy.automations import AutomationChange
    from flows.deploy.plan import Change
    from flows.settings import Settings
    from flows.validation import Problem

MARKS = {"added": "+", "changed": "~", "removed": "-", "kept": "!"}


def deploy(
    project: OptionalProject = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, changed and removed, and do nothing.")] = False,
    prefect_yaml: Annotated[bool, typer.Option("--prefect-yaml", help="Only write prefect.yaml, for `prefect deploy`.")] = False,
    launch_config: Annotated[
        bool,
        typer.Option("--launch-config", help="Only print what launches a training on a project's GPUs: torchrun, accelerate, Kubernetes."),
    ] = False,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Also without any project: take every deployment away.")] = False,
    json: Json = False,
) -> None:
    """Make the Prefect server of PREFECT_API_URL, or of a running `socle up`, match projects/ (or one project)."""
    import asyncio
    import os

    from flows.cli.embedded import has_notifier, prefect_environment
    from flows.deployments import broken, listed
    from flows.errors import ConfigurationError
    from flows.settings import load_settings

    settings = load_settings()
    if launch_config:
        return _show_launch_config(settings, project)
    prefect_environment(settings)
    if prefect_yaml:
        return _write_prefect_yaml(settings, project, json)
    if "PREFECT_API_URL" not in os.environ:
        raise ConfigurationError(
            "there is no Prefect server to deploy to", where="PREFECT_API_URL, .socle/up.json", hint="socle up, or set PREFECT_API_URL"
        )
    from flows import progress
    from flows.cli.progress_bars import bars
    from flows.deploy.apply import deploy as carry_out
    from flows.deploy.record import record

    found, problems = listed(settings.root, project, settings.image, settings.deployed)
    if not found and not problems and not allow_empty:  # the wrong folder would take away every deployment, with its schedules
        raise ConfigurationError(
            "there is no project to deploy: everything on the server would be removed",
            where=f"{settings.root}/projects",
            hint="SOCLE_ROOT names the folder that holds projects/; if all are to go: --allow-empty",
        )
    gone = broken(settings.root, found, project, settings.deployed)
    with bars(quiet=json or dry_run), progress.step("deploying", total=len(found)) as advance:
        notifier = has_notifier(settings, os.environ["PREFECT_API_URL"])
        work = carry_out(found, settings, only=project, broken=gone, dry_run=dry_run, notifier=notifier, advance=advance)
        changes, watched = asyncio.run(work)
    unrecorded = {} if dry_run else record(changes, settings)
    _show(changes, watched, problems, unrecorded, dry_run, json)
    if problems or unrecorded:
        raise typer.Exit(3 if unrecorded else 2)


def _show_launch_config(settings: Settings, project: str | None) -> None:
    """JSON, which is YAML as well."""
    from flows.cli import display
    from flows.deploy.pools import job_variables
    from flows.errors import ConfigurationError
    from flows.training.launch import accelerate_config, torchrun
    from flows.validation import load_project

    if project is None:
        raise ConfigurationError("--launch-config is of one project", hint="socle deploy PROJECT --launch-config")
    execution = load_project(settings.root, project).execution
    processes = max(execution.gpus, 1)
    display.as_json(
        {
            "torchrun": ["torchrun", *torchrun(processes), "-m", "flows.training.launched", "JOB.json"],
            "accelerate": accelerate_config(execution),
            execution.on: job_variables(execution, execution.image or settings.image, trains=True),
        }
    )


def _write_prefect_yaml(settings: Settings, project: str | None, json: bool) -> None:
    from flows.cli import display
    from flows.deploy.prefect_yaml import write
    from flows.deployments import listed
    from flows.errors import ConfigurationError

    found, problems = listed(settings.root, project, settings.image, settings.deployed)
    if problems:
        raise ConfigurationError("prefect.yaml was not written:\n" + "\n".join(f"  {p}" for p in problems))
    path = write(settings.root, found)
    if json:
        display.as_json({"file": str(path), "deployments": [d.name for d in found]})
    else:
        typer.echo(f"{path}: {len(found)} deployments")


def _show(
    changes: list[Change],
    watched: list[AutomationChange],
    problems: list[Problem],
    unrecorded: dict[str, str],
    dry_run: bool,
    json: bool,
) -> None:
    from flows.cli import display

    if json:
        kinds = {kind: [c.name for c in changes if c.kind == kind] for kind in (*MARKS, "unchanged")}
        fields = {c.name: c.fields for c in changes if c.kind == "changed"}
        automations = {kind: [c.name for c in watched if c.kind == kind] for kind in ("added", "changed", "removed", "unchanged")}
        rest = {"automations": automations, "dry_run": dry_run, "problems": [str(p) for p in problems], "not_recorded": unrecorded}
        display.as_json({**kinds, "fields": fields, **rest})
        return
    for change in changes:
        if change.kind == "unchanged":
            continue
        schedule = change.deployment.schedule if change.deployment else None
        notes = [", ".join(change.fields)] if change.fields else []
        notes += [f"{schedule.cron} {schedule.timezone}"] if schedule and change.kind == "added" else []
        notes += ["its project does not load: left as it is"] if change.kind == "kept" else []
        typer.echo(f"{MARKS[change.kind]} {change.name}" + (f"  ({'; '.join(notes)})" if notes else ""))
    for each in watched:
        if each.kind != "unchanged":
            typer.echo(f"{MARKS[each.kind]} automation {each.name}" + (f"  ({', '.join(each.fields)})" if each.fields else ""))
    kinds_ = [change.kind for change in changes] + [each.kind for each in watched]
    counts = {kind: kinds_.count(kind) for kind in ("added", "changed", "removed", "unchanged")}
    typer.echo(("would be: " if dry_run else "") + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    for problem in problems:
        typer.echo(f"not deployed: {problem}", err=True)
    say_unrecorded(unrecorded)


def say_unrecorded(projects: dict[str, str]) -> None:
    for name, reason in projects.items():
        typer.echo(f"deployed, but not in the audit trail of {name}: {reason}", err=True)


COMMANDS = (deploy,)
