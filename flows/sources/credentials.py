"""Credentials by name: `credentials: NAME` in project.yaml says which, this file knows where they are. Only a project's own.

Looked for in this order: the environment variable `SOCLE_CREDENTIAL_<PROJECT>_<NAME>`, then the file
`<SOCLE_CREDENTIALS_FOLDER>/<project>/<NAME>`, or `<project>.<NAME>` there, as files of a Kubernetes Secret are called. Each holds one
secret (a token, a password, an address with a password), or lines `key=value`. What is read never reaches an error, a log, a sidecar
or a commit: errors name places and keys only, and `hide` takes secrets out of what other libraries say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from flows.errors import ConfigurationError
from flows.project import NAME
from flows.settings import Settings

LARGEST = 64 * 1024  # bytes: a credential is a few lines, whatever else lies there is a mistake
NOT_THERE = "it is not there"
SHORTEST = 4  # characters of a secret that is hidden: shorter ones are in every sentence


def credential(settings: Settings, project: str, name: str) -> SecretStr:
    """The whole text, without white space around it.

    Raises: ConfigurationError naming every place that was searched.
    """
    variable, paths = environment_name(project, name), _paths(settings, project, name)
    text, why = os.environ.get(variable), NOT_THERE
    for path in paths:
        if text is None and why == NOT_THERE:
            text, why = _read(path)
    if text is not None and text.strip():
        return SecretStr(text.strip())
    if text is not None:
        why = "it is empty"
    files = [f"file {path}" for path in paths] or ["no folder: SOCLE_CREDENTIALS_FOLDER is not set"]
    raise ConfigurationError(
        f"the credentials {name!r} of the project {project!r} cannot be read: {why}",
        where="; ".join([f"environment variable {variable}", *files]),
        hint=f"put them in {paths[0] if paths else variable} (docs/sources.md, “Credentials”)",
        french=f"Les identifiants « {name} » du projet manquent sur cette machine : prévenez l'équipe de la plateforme.",
    )


def credential_pairs(settings: Settings, project: str, name: str, needed: Iterable[str] = ()) -> dict[str, SecretStr]:
    """The lines `key=value`, keys in lower case. Empty lines and lines that begin with # are passed over.

    Raises: ConfigurationError, also where a line is no pair, or a key of `needed` is not there.
    """
    found: dict[str, SecretStr] = {}
    for number, line in enumerate(credential(settings, project, name).get_secret_value().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z][\w.-]*", key.strip()):
            raise _wrong(project, name, f"line {number} is not of the form key=value")
        if key.strip().lower() in found:
            raise _wrong(project, name, f"line {number} gives {key.strip().lower()!r} a second time")
        found[key.strip().lower()] = SecretStr(value.strip())
    missing = [key for key in needed if not (key in found and found[key].get_secret_value())]
    if missing:
        raise _wrong(project, name, f"they lack {', '.join(missing)}")
    return found


def environment_name(project: str, name: str) -> str:
    """A hyphen becomes two underscores, so that `a-b` of `c` is never taken for `b` of `c-a`."""
    return "SOCLE_CREDENTIAL_" + "_".join(part.replace("-", "__").upper() for part in (project, name))


def hide(text: str, secrets: Iterable[SecretStr]) -> str:
    """`text` without any of the secrets, as they are or percent-encoded. For messages of other libraries."""
    whole = [secret.get_secret_value() for secret in secrets]
    lines = [line for secret in whole for line in secret.splitlines()]
    plain = {*whole, *lines, *(line.partition("=")[2].strip() for line in lines)}
    forms = {form for value in plain for form in (value, quote(value), quote(value, safe=""), quote_plus(value))}
    for form in sorted((f for f in forms if len(f) >= SHORTEST), key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _paths(settings: Settings, project: str, name: str) -> list[Path]:
    for part in (project, name):
        if not re.fullmatch(NAME, part):  # a name is never a way out of the project's folder
            raise ConfigurationError(f"{part!r} is no name", hint="small letters, digits and hyphens, a letter first")
    folder = settings.credentials_folder
    return [folder / project / name, folder / f"{project}.{name}"] if folder else []  # no name has a point in it


def _read(path: Path) -> tuple[str | None, str]:
    """Its text, or why there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            return None, f"the file has more than {LARGEST // 1024} kB"
        return data.decode("utf-8-sig"), ""
    except FileNotFoundError:
        return None, NOT_THERE
    except OSError as error:
        return None, error.strerror or "the file cannot be read"
    except UnicodeDecodeError:
        return None, "the file is not UTF-8 text"


def _wrong(project: str, name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the credentials {name!r} of the project {project!r} cannot be used: {why}",
        where=f"{environment_name(project, name)}, or SOCLE_CREDENTIALS_FOLDER/{project}/{name}",
        hint="docs/sources.md, “Credentials”",
        french=f"Les identifiants « {name} » du projet sont mal écrits sur cette machine : prévenez l'équipe de la plateforme.",
    )
