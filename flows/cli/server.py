"""socle up, deploy, doctor: the platform on this machine, and whether what it stands on is sound."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json, OptionalProject

if TYPE_CHECKING:
    from flows.cli.processes import Processes
    from flows.settings import Settings

HOST = "127.0.0.1"
START_S = 180.0  # the first start of the server creates its database


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect UI and API.")] = 4200,
    docs_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of data docs and model cards (SOCLE_DOCS_PORT).")] = None,
    json: Json = False,
) -> None:
    """Start server, worker, docs and every project's deployments here; Ctrl-C stops all of it."""
    import os

    from flows.cli import processes
    from flows.cli.embedded import UP_FILE, prefect_defaults
    from flows.settings import load_settings

    if docs_port is not None:
        os.environ["SOCLE_DOCS_PORT"] = str(docs_port)
    settings = load_settings()
    processes.require_free_port(HOST, port, "--port")
    processes.require_free_port(settings.docs_host, settings.docs_port, "--docs-port")
    api = f"http://{HOST}:{port}/api"
    os.environ.update(prefect_defaults(settings) | {"PREFECT_API_URL": api})
    children = processes.Processes(settings.state_folder / "logs", _environment(settings, api))
    note = settings.state_folder / UP_FILE
    _stop_on_signals()
    try:
        _start(children, settings, api, port, json)
        note.write_text(f'{{"api": "{api}"}}', encoding="utf-8")
        _say(settings, port, json)
        _watch(children)
    except KeyboardInterrupt:
        typer.echo("Stopping …", err=True)
    finally:
        note.unlink(missing_ok=True)
        children.stop()
    typer.echo("Stopped.", err=True)


def _environment(settings: Settings, api: str) -> dict[str, str]:
    import os
    from pathlib import Path

    return {
        **os.environ,
        "PREFECT_API_URL": api,
        "SOCLE_ROOT": str(settings.root),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # the worker runs `prefect` by name
    }


def _start(children: Processes, settings: Settings, api: str, port: int, json: bool) -> None:
    import asyncio

    from flows.cli.processes import answers

    say = (lambda text: None) if json else (lambda text: typer.echo(text, err=True))
    python = [sys.executable, "-m"]
    say("Prefect server …")
    children.start("server", [*python, "prefect", "server", "start", "--host", HOST, "--port", str(port)])
    children.start("docs", [*python, "flows.serve"])
    children.wait_until("server", lambda: answers(f"{api}/health"), START_S)
    say("Deployments …")
    from flows import deployments

    found, problems = deployments.listed(settings.root)
    for problem in problems:
        typer.echo(f"not deployed: {problem}", err=True)
    asyncio.run(deployments.apply(found))
    say("Worker …")
    children.start("worker", [*python, "prefect", "worker", "start", "--pool", deployments.POOL, "--type", "process", "--name", "local"])
    children.wait_until("docs", lambda: answers(f"http://{settings.docs_host}:{settings.docs_port}/"), START_S)


def _stop_on_signals() -> None:
    """SIGTERM like Ctrl-C. Set even if a script's `&` made SIGINT ignored, so that our children do not inherit that."""
    import signal

    def stop(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _say(settings: Settings, port: int, json: bool) -> None:
    from flows.cli import display

    ui, docs = f"http://{HOST}:{port}", settings.public_docs_url
    if json:
        display.as_json({"ui": ui, "docs": docs})
        sys.stdout.flush()
        return
    typer.echo(f"\nPrefect UI   {ui}/deployments\nData docs    {docs}\n\nCtrl-C stops everything.")
    sys.stdout.flush()


def _watch(children: Processes) -> None:
    import time

    while True:
        children.check()
        time.sleep(1)


def deploy(project: OptionalProject = None, json: Json = False) -> None:
    """Put the deployments of every project (or of one) on the Prefect server of PREFECT_API_URL, or of a running `socle up`."""
    import asyncio
    import os

    from flows.cli import display
    from flows.cli.embedded import prefect_environment
    from flows.deployments import apply, listed
    from flows.errors import ConfigurationError
    from flows.settings import load_settings

    settings = load_settings()
    prefect_environment(settings)
    if "PREFECT_API_URL" not in os.environ:
        raise ConfigurationError(
            "there is no Prefect server to deploy to", where="PREFECT_API_URL, .socle/up.json", hint="socle up, or set PREFECT_API_URL"
        )
    found, problems = listed(settings.root, project)
    asyncio.run(apply(found))
    if json:
        display.as_json({"deployed": [d.name for d in found], "problems": [str(p) for p in problems]})
    else:
        for deployment in found:
            when = f"  {deployment.schedule.cron} {deployment.schedule.timezone}" if deployment.schedule else ""
            typer.echo(f"deployed {deployment.name}{when}")
        for problem in problems:
            typer.echo(f"not deployed: {problem}", err=True)
    if problems:
        raise typer.Exit(2)


def doctor(
    create: Annotated[bool, typer.Option("--create", help="Make the buckets that are missing.")] = False,
    json: Json = False,
) -> None:
    """Try what Socle stands on: storage, buckets, conditional writes, npm, projects, disk."""
    from flows.cli import display
    from flows.cli.diagnosis import diagnose
    from flows.settings import load_settings

    findings = diagnose(load_settings(), create=create)
    if json:
        display.as_json(findings)
    else:
        out = display.console()
        for f in findings:
            mark = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}[f.state]
            out.print(f"{mark} {f.what}: {f.found}" + (f"\n    next: {f.hint}" if f.hint else ""), soft_wrap=True)
    if errors := [f.exit_code for f in findings if f.state == "error"]:
        raise typer.Exit(max(errors))


COMMANDS = (up, deploy, doctor)
