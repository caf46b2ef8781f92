"""`project/name@selector`: how people and flows name a dataset or model version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flows.errors import BadParameter

FORM = re.compile(r"(?:(?P<project>[a-z][a-z0-9-]*)/)?(?P<name>[a-z][a-z0-9-]*)(?:@(?P<selector>[a-z]+|[0-9]{1,9}))?")
ALIASES = ("champion", "candidate")


@dataclass(frozen=True)
class Reference:
    project: str
    name: str
    version: int | None = None
    """None: the latest, unless `alias` is given."""
    alias: str | None = None

    def __str__(self) -> str:
        selector = self.alias if self.version is None else str(self.version)
        return f"{self.project}/{self.name}" + (f"@{selector}" if selector else "")


def parse_own(text: str, project: str) -> Reference:
    """A reference of this project. Raises: BadParameter also for one of another project."""
    reference = parse(text, project)
    if reference.project != project:
        raise BadParameter(
            f"{text!r} is not of the project {project!r}",
            hint=f"write {reference.name}",
            french=f"« {text} » n'est pas du projet « {project} ».",
        )
    return reference


def parse(text: str, project: str | None = None) -> Reference:
    """Raises: BadParameter if the text is not a reference, or names no project and none is current."""
    match = FORM.fullmatch(text)
    if not match:
        raise BadParameter(
            f"{text!r} is not a reference",
            hint="write project/name, project/name@3 or project/model@champion",
            french="Cette version n'est pas de la forme « nom » ou « nom@3 ».",
        )
    owner, selector = match["project"] or project, match["selector"]
    if owner is None:
        raise BadParameter(f"{text!r} names no project", hint=f"write project/{text}")
    if selector is None or selector == "latest":
        return Reference(owner, match["name"])
    if selector.isdigit():
        return Reference(owner, match["name"], version=int(selector))
    if selector in ALIASES:
        return Reference(owner, match["name"], alias=selector)
    raise BadParameter(f"{text!r}: no alias {selector!r}", hint="a number, latest, " + " or ".join(ALIASES))
