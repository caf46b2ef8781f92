"""socle up, doctor: the platform on this machine, and whether what it stands on is sound."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.cli.processes import Processes
    from flows.settings import Settings

HOST = "127.0.0.1"


class Profile(StrEnum):
    personal = "personal"
    team = "team"


START_S = 180.0  # the first start of the server creates its database


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect UI and API.")] = 4200,
    docs_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of data docs and model cards (SOCLE_DOCS_PORT).")] = None,
    profile: Annotated[
        Profile, typer.Option(help="personal: one person's machine, SQLite. team: PostgreSQL, from Debian's packages.")
    ] = Profile.personal,
    json: Json = False,
) -> None:
    """Start server, worker, docs and every project's deployments here; Ctrl-C stops all of it."""
    import os

    from flows.cli import processes
    from flows.cli.embedded import UP_FILE, note_up, prefect_defaults
    from flows.cli.worker import Ending, end, environment, stop_on_signals, watch
    from flows.settings import load_settings

    if docs_port is not None:
        os.environ["SOCLE_DOCS_PORT"] = str(docs_port)
    settings = load_settings()
    processes.require_free_port(HOST, port, "--port")
    processes.require_free_port(settings.docs_host, settings.docs_port, "--docs-port")
    companions = _companions(settings, profile)
    api = f"http://{HOST}:{port}/api"
    os.environ.update(prefect_defaults(settings) | {"PREFECT_API_URL": api})
    children = processes.Processes(settings.state_folder / "logs", environment(settings, api))
    note = settings.state_folder / UP_FILE
    stop_on_signals()
    try:
        _start(children, settings, api, port, profile, companions, json)
        note_up(settings, api, notifier="notify" in companions)
        _say(settings, port, json)
        watch(children)
    except Ending as ending:
        end(children, settings, ending)
    finally:
        note.unlink(missing_ok=True)
        children.stop()
    typer.echo("Stopped.", err=True)


def _companions(settings: Settings, profile: Profile) -> dict[str, tuple[str, int]]:
    """What watches the others, and where each listens: metrics in a team, the notifier there or where somebody is to be told.

    Raises: ConfigurationError, before anything is started, if an address or a port is not usable.
    """
    from flows.cli.processes import require_free_port
    from flows.notify import targets

    targets.read(settings.notify_urls_file)
    found = {}
    if profile is Profile.team or settings.notify_urls_file:
        found["notify"] = (settings.notify_host, settings.notify_port)
    if profile is Profile.team:
        found["metrics"] = (settings.metrics_host, settings.metrics_port)
    for name, (host, port) in found.items():
        require_free_port(host, port, f"SOCLE_{name.upper()}_PORT")
    return found


def _start(
    children: Processes,
    settings: Settings,
    api: str,
    port: int,
    profile: Profile,
    companions: dict[str, tuple[str, int]],
    json: bool,
) -> None:
    import asyncio

    from flows.cli.prefect_server import server_environment
    from flows.cli.processes import answers
    from flows.cli.worker import start_worker

    say = (lambda text: None) if json else (lambda text: typer.echo(text, err=True))
    python = [sys.executable, "-m"]
    extra = server_environment(settings, port)
    if profile is Profile.team:
        from flows.cli import postgres

        say("PostgreSQL …")
        extra["PREFECT_API_DATABASE_CONNECTION_URL"] = postgres.start(children, settings)
    say("Prefect server …")
    children.start("server", [*python, "prefect", "server", "start", "--host", HOST, "--port", str(port)], extra)
    children.start("docs", [*python, "flows.serve"])
    for name in companions:
        children.start(name, [*python, f"flows.{name}"], extra)
    children.wait_until("server", lambda: answers(f"{api}/health"), START_S)
    say("Deployments …")
    from flows import deployments
    from flows.cli.deploy import say_unrecorded
    from flows.deploy import apply
    from flows.deploy.record import record

    found, problems = deployments.listed(settings.root, image=settings.image, among=settings.deployed)
    for problem in problems:
        typer.echo(f"not deployed: {problem}", err=True)
    broken = deployments.broken(settings.root, found, among=settings.deployed)
    changes, _ = asyncio.run(apply.deploy(found, settings, broken=broken, notifier="notify" in companions))
    say_unrecorded(record(changes, settings))
    say("Worker …")
    start_worker(children, settings, name="local")
    children.wait_until("docs", lambda: answers(f"http://{settings.docs_host}:{settings.docs_port}/"), START_S)
    for name, (host, at) in companions.items():
        children.wait_until(name, lambda host=host, at=at: answers(f"http://{host}:{at}/metrics"), START_S)  # type: ignore[misc]


def _say(settings: Settings, port: int, json: bool) -> None:
    from flows.cli import display

    ui, docs = f"http://{HOST}:{port}", settings.public_docs_url
    if json:
        display.as_json({"ui": ui, "docs": docs})
        sys.stdout.flush()
        return
    typer.echo(f"\nPrefect UI   {ui}/deployments\nData docs    {docs}\n\nCtrl-C stops everything.")
    sys.stdout.flush()


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


COMMANDS = (up, doctor)
