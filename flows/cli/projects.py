"""socle new, validate: project files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Json, OptionalProject


def validate(
    project: OptionalProject = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of project.yaml and do nothing else.")] = False,
    json: Json = False,
) -> None:
    """Report every problem of every project file, with file and line."""
    from flows.cli import display
    from flows.quality.checking import suite_checker
    from flows.settings import load_settings
    from flows.validation import check_project, project_names, project_schema

    if schema:
        display.as_json(project_schema())
        return
    settings = load_settings()
    root, check = settings.root, suite_checker(settings.state_folder)
    names = [project] if project else project_names(root)
    found = dict.fromkeys(p for name in names for p in check_project(root, name, check)[1])  # a suite may be of several datasets
    problems, notes = [p for p in found if not p.note], [p for p in found if p.note]
    if json:
        told = {
            kind: [{"file": str(p.file), "line": p.line, "message": p.message, "hint": p.hint} for p in each]
            for kind, each in (("problems", problems), ("notes", notes))
        }
        display.as_json({"projects": names, **told})
    else:
        for p in found:
            typer.echo(str(p))
        typer.echo(f"{len(names)} project(s), {len(problems)} problem(s)" if names else f"no project under {root / 'projects'}")
    if problems or not names:
        raise typer.Exit(2)


def new(
    name: Annotated[str, typer.Argument(help="Name of the project: a-z, 0-9 and -, a letter first.")],
    json: Json = False,
) -> None:
    """Write a project that validates and runs: a folder, a project file, a few rows of data and a suite."""
    import re

    from flows.cli import display
    from flows.errors import ConfigurationError
    from flows.project import NAME
    from flows.settings import load_settings
    from flows.validation import RESERVED

    if not re.match(NAME, name) or len(name) > 48 or name in RESERVED:
        raise ConfigurationError(
            f"{name!r} cannot name a project", hint="a-z, 0-9 and -, a letter first, 48 characters at most, not commun"
        )
    root = load_settings().root
    folder = root / "projects" / name
    if folder.exists():
        raise ConfigurationError(f"there is a project {name!r} already", where=str(folder), hint=f"socle validate {name}")
    written = _write_template(root, name)
    if json:
        display.as_json({"project": name, "files": [str(p) for p in written]})
        return
    typer.echo("\n".join(f"wrote {p.relative_to(root)}" for p in written))
    typer.echo(f"Next: socle run {name}")


def _write_template(root: Path, name: str) -> list[Path]:
    template = Path(__file__).parent.parent / "template"
    written = []
    for source in sorted(p for p in template.rglob("*") if p.is_file() and p.suffix in (".yaml", ".md", ".csv", ".json")):
        inside = source.relative_to(template)
        target = root / "expectations" / name / inside.name if inside.parts[0] == "expectations" else root / "projects" / name / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8").replace("{{name}}", name), encoding="utf-8")
        written.append(target)
    return written


COMMANDS = (new, validate)
