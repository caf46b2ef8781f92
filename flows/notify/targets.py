"""Whom messages go to: the lines of SOCLE_NOTIFY_URLS_FILE, and a message sent to one of them.

Addresses hold secrets. They are in no log, no error and no answer: a target is known by its kind and its line.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError
from flows.notify.messages import Message

EVERYONE = "*"
LINE = re.compile(r"^\s*(\*|[a-z][a-z0-9-]*)\s*=\s*(\S.*?)\s*$")
KNOWN = "matrixs:// (Tchap), mmosts:// (Mattermost), mailtos:// (SMTP), jsons:// (any webhook)"


@dataclass(frozen=True)
class Target:
    project: str
    """Its messages only; `*`: those of all."""
    line: int
    kind: str
    address: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} of line {self.line}"

    def wants(self, message: Message) -> bool:
        return self.project in (EVERYONE, message.project)


def read(path: Path | None) -> list[Target]:
    """Raises: ConfigurationError that names every line that is wrong, and nothing of what is in it."""
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"SOCLE_NOTIFY_URLS_FILE cannot be read: {type(error).__name__}", where=str(path)) from None
    targets, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.match(line)
        if found is None or _plugin(found[2]) is None:
            wrong.append(number)
            continue
        targets.append(Target(found[1], number, found[2].partition(":")[0].lower(), found[2]))
    if wrong:
        raise ConfigurationError(
            f"SOCLE_NOTIFY_URLS_FILE: line {', '.join(map(str, wrong))} is not `project = address` or `* = address`",
            where=str(path),
            hint=f"addresses are {KNOWN}: docs/ops/notifications.md",
        )
    return targets


def send(target: Target, message: Message) -> bool:
    """Whether it was taken. Blocks for some seconds at most; never raises."""
    import apprise

    try:
        plugin = _plugin(target.address)
        plugin.notify_format = apprise.NotifyFormat.TEXT  # some take what they are given for HTML otherwise
        kind = apprise.NotifyType(message.severity)
        return bool(plugin.notify(body=message.text, title=f"[Socle] {message.title}", notify_type=kind))
    except Exception as error:
        logging.getLogger(__name__).warning("%s: %s", target, type(error).__name__)
        return False


def _plugin(address: str) -> Any:
    import apprise

    try:
        return apprise.Apprise.instantiate(address, asset=_asset(), suppress_exceptions=True)
    except Exception:  # of a plugin that does not like an address; which one, the caller says
        return None


@cache
def _asset() -> Any:
    """Nothing is read from or written to the disk, no picture of elsewhere is linked, and what apprise logs (addresses) is dropped."""
    import apprise

    quiet = logging.getLogger("apprise")
    quiet.handlers, quiet.propagate = [logging.NullHandler()], False
    return apprise.AppriseAsset(
        app_id="Socle",
        app_desc="Plateforme Socle",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        plugin_paths=[],
    )
