"""What Prometheus scrapes: `python -m flows.metrics`, on SOCLE_METRICS_HOST and SOCLE_METRICS_PORT.

Each part (runs, lake, sizes, machine) is looked at in a thread of its own, at its own pace. A scrape gives what was found last, so
it takes milliseconds whatever the lake's size; how old that is, is a metric as well. If a look fails altogether, the numbers
before are still given and their age grows.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flows.lake import Lake
from flows.monitor import Samples
from flows.monitor.api import PrefectApi
from flows.monitor.catalogue import METRICS
from flows.monitor.lake import LakeView
from flows.monitor.machine import Machine
from flows.monitor.runs import Runs
from flows.monitor.sizes import Sizes
from flows.settings import Settings, load_settings
from flows.validation import project_names

log = logging.getLogger("socle.metrics")
MACHINE_S = 60.0


@dataclass
class Part:
    """One kind of place, looked at every `every_s` seconds."""

    name: str
    every_s: float
    collect: Callable[[], Samples]
    text: bytes = b""
    at: float | None = None
    seconds: float = 0.0
    errors: int = 0
    _said: set[str] = field(default_factory=set)

    def look(self) -> None:
        started, whole = time.monotonic(), Samples()
        if whole.attempt(self.name, lambda: self._replace(self.collect(), whole)):
            self.at = time.time()
        self.seconds, self.errors = time.monotonic() - started, len(whole.errors)
        for line in set(whole.errors) - self._said:  # once, not at every look
            log.warning("%s", line)
        self._said = set(whole.errors)

    def _replace(self, found: Samples, whole: Samples) -> None:
        whole.errors += found.errors
        self.text = as_text(found)

    def keep_looking(self, ended: threading.Event) -> None:
        while True:
            self.look()
            if ended.wait(self.every_s):
                return


class _Found(Collector):
    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, values in self.samples.values.items():
            family = GaugeMetricFamily(name, METRICS[name].help, labels=METRICS[name].labels)
            for labels, value in values.items():
                family.add_metric([text for _, text in labels], value)
            yield family


def as_text(samples: Samples) -> bytes:
    """Prometheus' exposition format."""
    return generate_latest(_Found(samples))  # type: ignore[arg-type]


def make_parts(settings: Settings, api: PrefectApi, database_url: str) -> list[Part]:
    lake = Lake(settings)
    return [
        Part("runs", settings.metrics_runs_s, Runs(api, settings.metrics_window_hours).collect),
        Part("lake", settings.metrics_lake_minutes * 60, LakeView(settings.root, lake).collect),
        Part("sizes", settings.metrics_sizes_minutes * 60, Sizes(lake, lambda: project_names(settings.root)).collect),
        Part("machine", MACHINE_S, Machine(settings, lake, database_url, api.answers).collect),
    ]


def database_url(settings: Settings) -> str:
    """Of Prefect's database: ours to look at, else the server's own, else its default in PREFECT_HOME."""
    given = settings.metrics_database_url.get_secret_value()
    servers = [os.environ.get(f"PREFECT_{name}_DATABASE_CONNECTION_URL", "") for name in ("SERVER", "API")]
    home = os.environ.get("PREFECT_HOME") or settings.state_folder / "prefect"
    return given or next(filter(None, servers), f"sqlite+aiosqlite:///{home}/prefect.db")


def make_app(parts: list[Part]) -> Starlette:
    """`/metrics`, and `/health` for whoever watches the exporter. The parts are looked at while the application runs."""

    @asynccontextmanager
    async def looking(app: Starlette) -> AsyncIterator[None]:
        ended = threading.Event()
        for part in parts:
            threading.Thread(target=part.keep_looking, args=(ended,), name=part.name, daemon=True).start()
        yield
        ended.set()

    def metrics(request: Request) -> Response:
        return Response(b"".join([*(part.text for part in parts), as_text(_about(parts))]), media_type=CONTENT_TYPE_LATEST)

    def health(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/metrics", metrics), Route("/health", health)], lifespan=looking)


def _about(parts: list[Part]) -> Samples:
    samples, now = Samples(), time.time()
    for part in parts:
        if part.at is not None:
            samples.add("socle_collect_age_seconds", max(0.0, now - part.at), part=part.name)
        samples.add("socle_collect_errors", part.errors, part=part.name)
        samples.add("socle_collect_duration_seconds", part.seconds, part=part.name)
    return samples


def main() -> None:
    """Raises: ConfigurationError without PREFECT_API_URL."""
    import uvicorn

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    settings = load_settings()
    parts = make_parts(settings, PrefectApi.from_environment(), database_url(settings))
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    uvicorn.run(make_app(parts), host=settings.metrics_host, port=settings.metrics_port, **options)


if __name__ == "__main__":
    main()
