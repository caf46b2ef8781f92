"""socle notify: whether messages arrive, before there is something to say."""

from __future__ import annotations

import typer

from flows.cli.options import Json, OptionalProject


def notify(project: OptionalProject = None, json: Json = False) -> None:
    """Send a test message to every target of SOCLE_NOTIFY_URLS_FILE, or to those that one project's messages go to."""
    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.notify import messages, targets
    from flows.settings import load_settings

    settings = load_settings()
    found = targets.read(settings.notify_urls_file)
    message = messages.trial(project or "")
    chosen = found if project is None else [target for target in found if target.wants(message)]
    if not chosen:
        raise ConfigurationError(
            f"nobody is told about {project or 'anything'}",
            where=str(settings.notify_urls_file or "SOCLE_NOTIFY_URLS_FILE, which is not set"),
            hint="docs/ops/notifications.md",
        )
    done = {target: targets.send(target, message) for target in chosen}
    if json:
        display.as_json([{"line": t.line, "kind": t.kind, "project": t.project, "taken": taken} for t, taken in done.items()])
    else:
        for target, taken in done.items():
            typer.echo(f"{'✓' if taken else '✗'} {target}, project {target.project}" + ("" if taken else ": not taken"))
    if not all(done.values()):
        raise typer.Exit(3)


COMMANDS = (notify,)
