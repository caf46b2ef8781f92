"""Every error that Socle raises on purpose, in one tree.

An error carries three things that its reader needs: what was wrong (`message`), where it was looked for (`where`) and the
next thing to do (`hint`); and, where a project team may cause it, the same in a French sentence (`french`). The branch decides
the exit code of the command line. Nothing here formats for a terminal.
"""

from __future__ import annotations

from typing import Any


class SocleError(Exception):
    """Root of the tree. `exit_code` is what the command line returns."""

    exit_code = 3

    def __init__(self, message: str, *, where: str = "", hint: str = "", french: str = "") -> None:
        self.message, self.where, self.hint, self.french = message, where, hint, french
        self.payload: Any = None  # what had been done when it was raised, for whoever reports it in the same process
        super().__init__(message, where, hint)

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"Looked at: {self.where}")
        if self.hint:
            parts.append(f"Next: {self.hint}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Prefect carries exceptions between processes; keyword-only arguments need help to travel.
        return (_rebuild, (type(self), self.message, self.where, self.hint, self.french))


def _rebuild(kind: type[SocleError], message: str, where: str, hint: str, french: str) -> SocleError:
    return kind(message, where=where, hint=hint, french=french)


class Refused(SocleError):
    """A check or a rule said no to data or to a model. The previous version is still served."""

    exit_code = 1


class SourceRefused(Refused):
    """The bytes of a source are not what they should be: corrupt, truncated, not of the declared format."""


class ConfigurationError(SocleError):
    """Bad usage, or something wrong in a project's files or in the environment."""

    exit_code = 2


class BadParameter(ConfigurationError):
    """What a run was asked to do cannot be: a value of its form is wrong."""


class NotFound(ConfigurationError):
    """A reference names something that is not there."""


class SystemFailure(SocleError):
    """Storage, network, disk or another program failed; the same command may succeed later."""

    exit_code = 3


class StorageError(SystemFailure):
    """The object storage refused or did not answer."""


class Conflict(SystemFailure):
    """Another writer won the same place. Nothing was lost and nothing of ours became visible."""
