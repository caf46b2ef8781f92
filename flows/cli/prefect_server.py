"""How the Prefect server that Socle starts operates. What the environment says already wins.

A server that is started otherwise (containers, Kubernetes) takes the same variables: docs/ops/upgrades.md has the list.
"""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

from flows.settings import Settings

DAY_S = 86400
HEARTBEAT = "prefect.flow-run.heartbeat"


def server_environment(settings: Settings, port: int) -> dict[str, str]:
    public = urlsplit(settings.ui_url)
    origins = {f"http://127.0.0.1:{port}", f"http://localhost:{port}"} | (
        {f"{public.scheme}://{public.netloc}"} if public.netloc else set()
    )
    wanted = {
        "PREFECT_SERVER_UI_API_URL": "/api",  # of whatever host the page came from: ours, or a proxy's
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(sorted(origins)),  # no page of elsewhere may use the API
        # In memory by default: a restart of the server would keep the places of runs that ended with it taken for ever.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(round(settings.runs_kept_days * DAY_S)),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": json.dumps({HEARTBEAT: DAY_S}),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{round(settings.events_kept_days * DAY_S)}S",
        # What a trigger waits for is forgotten a minute after its time by default: runs that were lost together with the
        # server (the machine was switched off) would then never be closed.
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P30D",
    }
    return {name: os.environ.get(name, value) for name, value in wanted.items()}
