"""A training on an MLflow tracking server, through the REST client of mlflow-skinny.

Name and password of the address are taken out of it and go into the header of each request: no message of MLflow, requests or a proxy
then has them in an address. MLflow's usage statistics, which would go to its makers, are off.
"""

from __future__ import annotations

import logging
import os
import time
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.settings import Settings
from flows.training.tracking import Point, Training

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}  # read when it is imported, and at each request
AT_ONCE = 1_000  # metrics that the server takes in one request
LONGEST = 6_000  # characters of a parameter


class Server:
    """One run of the experiment `project/model`. What does not go well is an exception of MLflow."""

    name = "mlflow"

    def __init__(self, settings: Settings, training: Training) -> None:
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(settings.mlflow_timeout_s)))
        from mlflow.entities import Param, RunTag
        from mlflow.store.tracking.rest_store import RestStore

        for name in ("mlflow", "urllib3.connectionpool"):  # of a server that is away, each try would be told
            logging.getLogger(name).setLevel(logging.ERROR)
        credentials = _credentials(settings)
        self._store: Any = RestStore(lambda: credentials)
        experiment = f"{training.project}/{training.model}"
        tags = [RunTag(f"socle.{name}", value) for name, value in training.tags.items()]
        run = self._store.create_run(self._experiment(experiment), "socle", _now(), tags, training.candidate)
        self.run_id: str = run.info.run_id
        self.where = {"run": self.run_id, "experiment": experiment}
        parameters = [Param(name, value[:LONGEST]) for name, value in training.parameters.items()]
        self._store.log_batch(self.run_id, [], parameters, [])

    def send(self, points: list[Point]) -> None:
        from mlflow.entities import Metric

        rest = iter(points)
        while some := list(islice(rest, AT_ONCE)):
            self._store.log_batch(self.run_id, [Metric(p.name, p.value, p.at_ms, p.step) for p in some], [], [])

    def end(self, finished: bool) -> None:
        from mlflow.entities import RunStatus

        status = RunStatus.FINISHED if finished else RunStatus.FAILED
        self._store.update_run_info(self.run_id, status, _now(), None)

    def _experiment(self, name: str) -> str:
        """Its id; made if there is none."""
        from mlflow.exceptions import MlflowException

        if (found := self._store.get_experiment_by_name(name)) is None:
            try:
                return str(self._store.create_experiment(name))
            except MlflowException:  # another training made it meanwhile
                if (found := self._store.get_experiment_by_name(name)) is None:
                    raise
        return str(found.experiment_id)


def _credentials(settings: Settings) -> Any:
    from mlflow.utils.rest_utils import MlflowHostCreds

    parts = urlsplit(settings.mlflow_uri.get_secret_value())
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    token = settings.mlflow_token.get_secret_value() or os.environ.get("MLFLOW_TRACKING_TOKEN") or None
    return MlflowHostCreds(
        address,
        username=unquote(parts.username) if parts.username else os.environ.get("MLFLOW_TRACKING_USERNAME"),
        password=unquote(parts.password) if parts.password else os.environ.get("MLFLOW_TRACKING_PASSWORD"),
        token=token,
        server_cert_path=str(settings.mlflow_ca_file) if settings.mlflow_ca_file else None,
    )


def _now() -> int:
    """Milliseconds."""
    return round(time.time() * 1000)
