"""Put work on record in the audit trail.

with recorded(lake, "essai", "purge", parameters={"dataset": "demandes", "key": "id"}, reason=reason) as details:
    ...                                      # nothing has changed before the record of its start is there
    details["proof"] = "..."                 # anything else that is worth keeping; never a value of somebody's data
"""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from flows.errors import BadParameter, Refused, SocleError, StorageError, SystemFailure
from flows.lake import Lake
from flows.lake.touched import Touched, noting
from flows.lake.trail import Entry, Trail
from flows.steps import whoami

NOT_RECORDED = "the end of this work could not be written to the audit trail"


def new_entry(
    project: str,
    what: str,
    *,
    parameters: dict[str, Any] | None = None,
    reason: str = "",
    who: str = "",
    trigger: str = "command",
    run_id: str = "",
) -> Entry:
    """`parameters`: names only, never a secret or a value of somebody's data."""
    given = {k: str(v) for k, v in (parameters or {}).items() if v is not None}
    return Entry(run_id or uuid.uuid4().hex, project, what, who or whoami(), trigger, socket.gethostname(), given, reason)


@contextmanager
def recorded(lake: Lake, project: str, what: str, **about: Any) -> Iterator[dict[str, Any]]:
    """Around work that changes something; `about` is that of `new_entry`. Yields a place for details.

    Raises: StorageError if the start cannot be recorded; nothing was done then. SystemFailure if the end cannot.
    """
    entry, trail = new_entry(project, what, **about), Trail(lake, project)
    trail.start(entry)
    details: dict[str, Any] = {}
    with noting() as touched:
        try:
            yield details
        except BaseException as error:
            try:
                trail.end(ended(entry, touched, details, error))
            except StorageError as unrecorded:  # what the work failed of is worth more
                logging.getLogger(__name__).error("%s (%s)", NOT_RECORDED, unrecorded.message)
            raise
        record_end(trail, ended(entry, touched, details), lake.settings.audit_patience_s)


def note(
    lake: Lake, project: str, what: str, *, error: BaseException | None = None, details: dict[str, Any] | None = None, **about: Any
) -> None:
    """One record of what is over already: it changed nothing, or could not be announced before.

    Raises: StorageError.
    """
    Trail(lake, project).end(ended(new_entry(project, what, **about), Touched(), details or {}, error))


def ended(entry: Entry, touched: Touched, details: dict[str, Any], error: BaseException | None = None) -> Entry:
    """The entry with how the work ended."""
    if error is None:
        outcome, message = ("done" if touched.anything or details else "nothing"), ""
    else:
        outcome, message = outcome_of(error), error.message if isinstance(error, SocleError) else type(error).__name__
    return replace(entry, outcome=outcome, message=message, details=dict(details), **asdict(touched))


def outcome_of(error: BaseException) -> str:
    if isinstance(error, Refused | BadParameter):
        return "refused"
    return "failed" if isinstance(error, Exception) else "stopped"


def record_end(trail: Trail, entry: Entry, patience_s: float) -> None:
    """Of work that went well. A trail with holes is worth little, so that it fails if it cannot be recorded, and says that it was done.

    Raises: SystemFailure.
    """
    try:
        trail.end(entry, patience_s)
    except StorageError as error:
        made = ", ".join([*entry.wrote, *(f"{name} -> {number}" for name, number in entry.moved.items())]) or "nothing was changed"
        raise SystemFailure(
            f"{NOT_RECORDED}: {error.message}; the work itself is done ({made})",
            where=error.where,
            hint="socle doctor, then run again: what is done is not done twice",
            french=f"Le travail est fait ({made}), mais sa fin n'a pas pu être inscrite au journal d'audit : le stockage ne répond pas.",
        ) from None
