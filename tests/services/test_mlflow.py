"""Trainings on a real MLflow server: runs, parameters, curves and scores as its own client reads them, with and without a login.

The server's package needs an older pyarrow than Socle: it gets a virtual environment of its own, once, in a cache folder of the user.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest

from flows.steps import open_run
from flows.steps.finetune import finetune_model
from flows.steps.ingest import load_dataset

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socle-tests"
UP_S = 120
READ = """
import json, sys
from mlflow import MlflowClient
client, found = MlflowClient(), []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        curves = {n: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, n)] for n in run.data.metrics}
        found.append({"experiment": experiment.name, "id": run.info.run_id, "name": run.info.run_name, "status": run.info.status,
                      "parameters": run.data.params, "tags": run.data.tags, "curves": curves})
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="session")
def environment() -> Path:
    """A virtual environment with the server of the same version as the client."""
    wanted = version("mlflow-skinny")
    folder = CACHE / f"mlflow-{wanted}"
    if not (folder / "whole").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, timeout=120)
            packages = [f"mlflow[auth]=={wanted}"]
            subprocess.run([folder / "bin" / "pip", "install", "-q", *packages], check=True, capture_output=True, timeout=900)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", b"") or b"").decode(errors="replace").strip().splitlines()
            pytest.skip(f"pip cannot install mlflow {wanted}: {said[-1] if said else type(error).__name__}")
        (folder / "whole").touch()
    return folder


@pytest.fixture
def server(environment, tmp_path):
    """start(*options, **environment) -> host:port; all of them end with the test."""
    running = []

    def start(*options: str, **more: str) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path / f"mlflow-{port}"
        folder.mkdir()
        command = [environment / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "artifacts"), *options]
        own = _clean() | {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}"} | more
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=own, stdout=log, stderr=log, start_new_session=True)
        running.append(process)
        end = time.monotonic() + UP_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    return f"127.0.0.1:{port}"
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail((folder / "log").read_text(errors="replace")[-2000:])
                time.sleep(0.3)

    start.stop = lambda: [_stop(p) for p in running]
    yield start
    start.stop()


def _clean() -> dict[str, str]:
    return {n: v for n, v in os.environ.items() if not n.startswith(("MLFLOW_", "SOCLE_", "PYTHON"))} | {"MLFLOW_DISABLE_TELEMETRY": "true"}


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(15)


def _runs(environment: Path, place: str, **more: str) -> list[dict]:
    """As MLflow's whole client reads them."""
    own = _clean() | {"MLFLOW_TRACKING_URI": f"http://{place}"} | more
    done = subprocess.run([environment / "bin" / "python", "-c", READ], env=own, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def _trained(model: str = "theme"):
    with open_run("essai") as run:
        load_dataset(run, "demandes")
        return finetune_model(run, model).versions


def test_a_training_is_a_run_with_its_parameters_curves_and_scores(environment, server, root, edit, monkeypatch, tmp_path):
    from tests.training import tiny

    base, place = tiny.make(tmp_path / "base"), server()
    edit("candidates: [tfidf]", f"candidates: [{{base_model: 'path:{base}', epochs: 2, max_length: 32, batch_size: 8, patience: 5}}]")
    monkeypatch.setenv("SOCLE_MLFLOW_URI", f"http://{place}")
    cheap, dear = _trained()
    found = {run["name"]: run for run in _runs(environment, place)}
    assert set(found) == {"tfidf", str(dear.candidate["label"])} and {run["status"] for run in found.values()} == {"FINISHED"}
    run = found[str(dear.candidate["label"])]
    assert run["experiment"] == "essai/theme" and dear.training["tracking"] == {
        "tracker": "mlflow",
        "run": run["id"],
        "experiment": "essai/theme",
    }
    steps = dear.training["steps"]
    assert [step for step, _ in run["curves"]["loss"]] == list(range(1, steps + 1)) and len(run["curves"]["validation"]) == 2
    assert all(value > 0 for _, value in run["curves"]["loss"])
    score = dear.metrics["test"]["macro_f1"]["value"]
    assert run["curves"]["test/macro_f1"] == [[steps, pytest.approx(score)]]
    assert run["curves"]["took/energy_kwh"][0][1] == pytest.approx(dear.cost["energy_kwh"])
    assert run["parameters"]["epochs"] == "2.0" and run["parameters"]["base_sha256"] == dear.base_model["sha256"]
    assert run["tags"]["socle.dataset"] == "essai/demandes@1" and run["tags"]["socle.fingerprint"] == dear.fingerprint
    assert found["tfidf"]["parameters"]["kind"] == "tfidf" and cheap.training["tracking"]["run"] == found["tfidf"]["id"]
    assert "question" not in json.dumps(found), "no text of a row"
    assert not list((root / ".socle" / "training").glob("runs/*"))


def test_with_a_login_and_a_wrong_one(environment, server, root, monkeypatch, tmp_path, caplog, capfd):
    """The password is in no message, whoever is refused."""
    caplog.set_level(logging.DEBUG)
    password = secrets.token_hex(12)
    config = tmp_path / "auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{tmp_path}/auth.db\nadmin_username = socle\n"
        f"admin_password = {password}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    place = server("--app-name", "basic-auth", MLFLOW_AUTH_CONFIG_PATH=str(config), MLFLOW_FLASK_SERVER_SECRET_KEY=secrets.token_hex())
    wrong = secrets.token_hex(12)
    monkeypatch.setenv("SOCLE_MLFLOW_URI", f"http://socle:{wrong}@{place}")
    (refused,) = _trained()
    assert place in refused.training["notices"][0] and refused.training["tracking"]["tracker"] == "tensorboard"
    monkeypatch.setenv("SOCLE_MLFLOW_URI", f"http://socle:{password}@{place}")
    project = root / "projects" / "essai" / "project.yaml"
    project.write_text(project.read_text("utf-8").replace("candidates: [tfidf]", "candidates: [{kind: tfidf, c: 5.0}]"), "utf-8")
    (accepted,) = _trained()
    assert accepted.training["tracking"]["tracker"] == "mlflow" and "notices" not in accepted.training
    runs = _runs(environment, place, MLFLOW_TRACKING_USERNAME="socle", MLFLOW_TRACKING_PASSWORD=password)
    assert [run["id"] for run in runs] == [accepted.training["tracking"]["run"]]
    said = caplog.text + "".join(capfd.readouterr()) + json.dumps([refused.training, accepted.training]) + json.dumps(runs)
    assert password not in said and wrong not in said


def test_a_server_that_ends_during_a_training(server, root, monkeypatch):
    from flows.training import tracking

    place = server()
    monkeypatch.setenv("SOCLE_MLFLOW_URI", f"http://{place}")
    before = tracking.Tracking.scores

    def ends(self, values):
        server.stop()
        before(self, values)

    monkeypatch.setattr(tracking.Tracking, "scores", ends)
    (version,) = _trained()
    assert len(version.training["notices"]) == 1 and place in version.training["notices"][0]
    assert version.training["tracking"]["tracker"] == "tensorboard"
