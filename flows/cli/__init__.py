"""The `socle` command: one module a group of commands. Nothing heavy is imported here, so that --help answers at once."""

from __future__ import annotations

import sys

import typer

from flows.cli import (
    audit,
    backup,
    base_model,
    deploy,
    expectations,
    explain,
    lake,
    notify,
    personal_data,
    projects,
    purge,
    quarantine,
    reference_lists,
    reproduce,
    run,
    server,
    studies,
    worker,
)

app = typer.Typer(
    name="socle",
    help="Shared AI platform: ingest, check, fine-tune, promote, on one object storage.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    *projects.COMMANDS,
    *run.COMMANDS,
    *explain.COMMANDS,
    *lake.COMMANDS,
    *server.COMMANDS,
    *worker.COMMANDS,
    *deploy.COMMANDS,
    *audit.COMMANDS,
    *backup.COMMANDS,
    *notify.COMMANDS,
    *purge.COMMANDS,
    *quarantine.COMMANDS,
    *personal_data.COMMANDS,
    *reference_lists.COMMANDS,
    *studies.COMMANDS,
    *reproduce.COMMANDS,
):
    app.command()(command)
for group in (*expectations.GROUPS, *base_model.GROUPS):
    app.add_typer(group)


def main() -> None:
    """Run a command; an error of ours becomes a short text and the exit code that DESIGN gives it."""
    from flows.errors import ConfigurationError, SocleError

    as_json = "--json" in sys.argv
    try:
        raise SystemExit(app(standalone_mode=not as_json))
    except SocleError as error:
        failure = error
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None
    except Exception as error:
        if not hasattr(error, "format_message"):  # usage errors, which --json has as JSON too
            raise
        failure = ConfigurationError(error.format_message(), hint="socle --help")
    from flows.cli import display

    display.error(failure, as_json=as_json)
    raise SystemExit(failure.exit_code)
