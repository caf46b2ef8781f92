"""The `socle` command: one module a group of commands. Nothing heavy is imported here, so that --help answers at once."""

from __future__ import annotations

import sys

import typer

from flows.cli import lake, projects, run, server

app = typer.Typer(
    name="socle",
    help="Shared AI platform: ingest, check, fine-tune, promote, on one object storage.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (*projects.COMMANDS, *run.COMMANDS, *lake.COMMANDS, *server.COMMANDS):
    app.command()(command)


def main() -> None:
    """Run a command; an error of ours becomes a short text and the exit code that DESIGN gives it."""
    from flows.errors import SocleError

    try:
        app(standalone_mode=True)
    except SocleError as error:
        show_error(error, as_json="--json" in sys.argv)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None


def show_error(error: object, *, as_json: bool) -> None:
    from flows.cli import display

    display.error(error, as_json=as_json)
