"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
Project = Annotated[str, typer.Argument(help="Name of a folder under projects/.")]
OptionalProject = Annotated[str | None, typer.Argument(help="Name of a folder under projects/; all of them if left out.")]
Reference = Annotated[str, typer.Argument(help="project/name, project/name@3 or project/model@champion.")]
