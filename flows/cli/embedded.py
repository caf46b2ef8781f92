"""Prefect's settings when Socle runs it itself: its files under .socle/, no analytics, logs kept for the UI but off the terminal."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

from flows.settings import Settings

UP_FILE = "up.json"


def prefect_defaults(settings: Settings) -> dict[str, str]:
    """Environment for any process that imports Prefect. What the environment says already wins."""
    defaults = {
        "PREFECT_HOME": str(settings.state_folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # the first start creates the database
        "DO_NOT_TRACK": "1",
    }
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def prefect_environment(settings: Settings) -> None:
    """For this process, before Prefect is imported."""
    for name, value in prefect_defaults(settings).items():
        os.environ.setdefault(name, value)
    # Prefect's console handler would draw over the progress bars; the handler that feeds the UI keeps its level.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if "PREFECT_API_URL" not in os.environ and (api := running_server(settings)):
        os.environ["PREFECT_API_URL"] = api


def running_server(settings: Settings) -> str | None:
    """API address of a `socle up` on this machine that answers, so that runs show in its UI."""
    try:
        api = str(_up(settings)["api"])
        with urllib.request.urlopen(f"{api}/health", timeout=2) as answer:  # noqa: S310 - an address that we wrote
            return api if answer.status == 200 else None
    except (OSError, KeyError, urllib.error.URLError):
        return None


def has_notifier(settings: Settings, api: str) -> bool:
    """Whether a notifier goes with that server: only a `socle up` of this machine says that it has none."""
    up = _up(settings)
    return up.get("api") != api or bool(up.get("notifier", True))


def note_up(settings: Settings, api: str, *, notifier: bool) -> None:
    (settings.state_folder / UP_FILE).write_text(json.dumps({"api": api, "notifier": notifier}), encoding="utf-8")


def _up(settings: Settings) -> dict[str, Any]:
    try:
        found = json.loads((settings.state_folder / UP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
