"""socle worker: runs what the Prefect server hands out, on this machine."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.cli.processes import Processes
    from flows.settings import Settings


class On(StrEnum):
    process = "process"
    docker = "docker"
    kubernetes = "kubernetes"


FEWEST, RUNS_PER_CORE, RUN_GB = 2, 4, 1.0  # places of a worker that nobody limited; many runs wait for a source or for the storage
WARM_S = 120.0  # seconds to import Prefect and the flows


def worker(
    projects: Annotated[list[str] | None, typer.Argument(help="Projects whose runs it takes; all of them if left out.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Runs at the same time (SOCLE_WORKER_RUNS); from cores and memory if left out.")
    ] = None,
    on: Annotated[On, typer.Option(help="Where runs execute: here, or each in a container.")] = On.process,
    json: Json = False,
) -> None:
    """Run here what the Prefect server of PREFECT_API_URL hands out, until Ctrl-C."""
    import os

    from flows.cli import display
    from flows.cli.embedded import prefect_environment
    from flows.cli.processes import Processes
    from flows.errors import ConfigurationError
    from flows.settings import load_settings
    from flows.validation import project_names, suggest

    settings = load_settings()
    known = project_names(settings.root)
    for name in projects or ():
        if name not in known:
            raise ConfigurationError(f"there is no project {name!r}", where=str(settings.root / "projects"), hint=suggest(name, known))
    prefect_environment(settings)
    if "PREFECT_API_URL" not in os.environ:
        raise ConfigurationError(
            "there is no Prefect server to work for", where="PREFECT_API_URL, .socle/up.json", hint="socle up, or set PREFECT_API_URL"
        )
    children = Processes(None, environment(settings, os.environ["PREFECT_API_URL"]))
    stop_on_signals()
    try:
        start_worker(children, settings, on=on, projects=projects or [], limit=limit)
        if json:
            display.as_json({"projects": projects or known, "limit": limit, "on": on.value})
            sys.stdout.flush()
        watch(children)
    except Ending as ending:
        end(children, settings, ending)
    finally:
        children.stop()


def start_worker(
    children: Processes,
    settings: Settings,
    *,
    on: On = On.process,
    projects: list[str] | None = None,
    limit: int | None = None,
    name: str | None = None,
) -> None:
    """A Prefect worker. One whose runs are processes gets a warm process that they are forked from."""
    from flows.deploy.pools import POOLS

    if on is On.process:
        limit = limit or settings.worker_runs or places()
        extra = _warm(children)
        command = [sys.executable, "-m", "flows.worker.process", "--drain-s", f"{settings.drain_min * 60:g}"]
        command += ["--lost-s", f"{settings.lost_after_min * 60:g}"]
    else:
        extra = _for_containers(settings, on)
        command = [sys.executable, "-m", "prefect", "worker", "start", "--type", on.value]  # containers outlive it
    command += ["--pool", POOLS[on.value]]
    command += [word for project in projects or () for word in ("--work-queue", project)]
    command += ["--limit", str(limit)] if limit else []
    command += ["--name", name] if name else []
    children.start("worker", command, extra)


def places() -> int:
    """How many runs at the same time this machine is good for."""
    import os

    import psutil

    return max(FEWEST, min(RUNS_PER_CORE * (os.cpu_count() or 1), int(psutil.virtual_memory().total / 1e9 / RUN_GB)))


def _warm(children: Processes) -> dict[str, str]:
    import tempfile
    from pathlib import Path

    from flows.worker.protocol import SOCKET_VARIABLE

    if sys.platform != "linux":
        return {}
    # Not under .socle/: the path of a Unix socket has 107 bytes at most.
    socket = Path(children.keep(tempfile.TemporaryDirectory(prefix="socle-"))) / "warm.sock"
    children.start("warm", [sys.executable, "-m", "flows.worker.warm", str(socket)])
    children.wait_until("warm", socket.exists, WARM_S)
    return {SOCKET_VARIABLE: str(socket)}


def _for_containers(settings: Settings, on: On) -> dict[str, str]:
    """What the pool's template takes from the worker's environment (flows/deploy/pools.py). No key is among it."""
    from importlib.util import find_spec

    from flows.deploy.pools import FILES, PASSED
    from flows.errors import ConfigurationError

    if find_spec(f"prefect_{on.value}") is None:
        raise ConfigurationError(f"prefect-{on.value} is not installed", where=sys.executable, hint=f'pip install "socle[{on.value}]"')
    if settings.s3_prefix is None:
        raise ConfigurationError(
            "containers do not see a lake on this disk", where=settings.storage, hint="set SOCLE_STORAGE=s3://<prefix>"
        )
    has = {
        "SOCLE_HTTP_PROXY_FILE": settings.http_proxy.get_secret_value(),
        "SOCLE_HTTP_CA_FILE": settings.http_ca_file,
        "SOCLE_MLFLOW_URI_FILE": settings.mlflow_uri.get_secret_value(),
        "SOCLE_MLFLOW_TOKEN_FILE": settings.mlflow_token.get_secret_value(),
        "SOCLE_MLFLOW_CA_FILE": settings.mlflow_ca_file,
    }
    return {
        **{name: str(getattr(settings, name.removeprefix("SOCLE_").lower())) for name in PASSED},
        "SOCLE_DOCS_URL": settings.public_docs_url,
        **{name: FILES[name] if there else "" for name, there in has.items()},
        "SOCLE_DOCKER_NETWORK": settings.docker_network,
        "SOCLE_SECRETS_FOLDER": settings.secrets_folder,
        "SOCLE_KUBERNETES_NAMESPACE": settings.kubernetes_namespace,
        "SOCLE_KUBERNETES_SECRET": settings.kubernetes_secret,
    }


def environment(settings: Settings, api: str) -> dict[str, str]:
    """Of the processes that stand on a Prefect server."""
    import os
    from pathlib import Path

    return {
        **os.environ,
        "PREFECT_API_URL": api,
        "SOCLE_ROOT": str(settings.root),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_PREFETCH_SECONDS": "1",  # Prefect's ten would start scheduled runs up to ten seconds before their time
        # A client that has reached the server once asks again for so long (2, 4, 8 ... s apart): the server may be down for about
        # four minutes, and the database behind it (500) as well.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds; a run whose heartbeats stop is closed by an automation
        "PREFECT_LOGGING_EXTRA_LOGGERS": "",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # the worker runs `prefect` by name
    }


class Ending(KeyboardInterrupt):
    """We were asked to end. `drain`: what runs may finish (SIGTERM); otherwise (Ctrl-C) it is handed back now."""

    def __init__(self, *, drain: bool) -> None:
        super().__init__()
        self.drain = drain


def stop_on_signals() -> None:
    """Set even if a script's `&` made SIGINT ignored, so that our children do not inherit that."""
    import signal

    def stop(signum: int, frame: Any) -> None:
        raise Ending(drain=signum == signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def end(children: Processes, settings: Settings, ending: Ending) -> None:
    """Say so and, if there is time, let the worker's runs finish; `children.stop()` does the rest."""
    if ending.drain:
        typer.echo(f"Stopping; runs that go on have {settings.drain_min:g} min to finish. Ctrl-C or SIGTERM hands them back now.", err=True)
        children.drain("worker", settings.drain_min * 60)
    else:
        typer.echo("Stopping …", err=True)


def watch(children: Processes) -> None:
    import time

    while True:
        children.revive(lambda text: typer.echo(text, err=True))
        time.sleep(1)


COMMANDS = (worker,)
